"""The `tracker` program: what a bank's operators and developers type."""

import typer

from commands import (
    alerts,
    backtest,
    backtest_offers,
    bench,
    convert,
    customer,
    dead_letters,
    demo,
    documents,
    keys,
    models,
    offers,
    publish,
    repartition,
    replay,
    serve,
    settings,
    topics,
    train,
    verify,
    webhooks,
    worker,
)
from commands.console import Commands

run = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Follows a bank's customers through their transactions: who may be leaving, and what to offer next.\n\n"
    "Settings are environment variables TRACKER_*, over an optional TOML file that TRACKER_CONFIG names; "
    "tracker settings shows them.",
    epilog="Start with: tracker demo",
)

SEE = "See it work"
RUN = "Run it"
LOOK = "Look at what it found"
FEED = "Feed it"
LEARN = "Learn from history"
CHECK = "Check and repair"
MEASURE = "Measure it"

run.command("demo", rich_help_panel=SEE)(demo.demo)

run.command("worker", rich_help_panel=RUN)(worker.worker)
run.command("serve", rich_help_panel=RUN)(serve.serve)
run.add_typer(keys.app, name="keys", rich_help_panel=RUN)
run.add_typer(webhooks.app, name="webhooks", rich_help_panel=RUN)
run.command("settings", rich_help_panel=RUN)(settings.settings)
run.add_typer(topics.app, name="topics", rich_help_panel=RUN)
run.add_typer(offers.app, name="offers", rich_help_panel=RUN)

run.command("customer", rich_help_panel=LOOK)(customer.customer)
run.command("alerts", rich_help_panel=LOOK)(alerts.alerts)

run.command("publish", rich_help_panel=FEED)(publish.publish)
run.add_typer(convert.app, name="convert", rich_help_panel=FEED)
run.command("simulate", rich_help_panel=FEED)(convert.simulate)

run.command("train", rich_help_panel=LEARN)(train.train)
run.command("backtest", rich_help_panel=LEARN)(backtest.backtest)
run.command("backtest-offers", rich_help_panel=LEARN)(backtest_offers.backtest_offers)
run.add_typer(models.app, name="models", rich_help_panel=LEARN)

run.command("verify", rich_help_panel=CHECK)(verify.verify)
run.command("repartition", rich_help_panel=CHECK)(repartition.repartition)
run.command("replay", rich_help_panel=CHECK)(replay.replay)
run.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=CHECK)
run.command("documents", rich_help_panel=CHECK)(documents.documents)

run.command("bench", rich_help_panel=MEASURE)(bench.bench)
