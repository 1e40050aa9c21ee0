"""`tracker train`: a churn model from a bank's own history, as one small file."""

import time
from pathlib import Path
from typing import Annotated

import typer

from commands.console import Failure, out, progress
from commands.learning import BalanceBelow, Closed, Day, Files, Horizon, history, known_until, moment, plain_failures
from learning.registry import write_model
from schemas.units import rfc3339


def train(
    files: Files,
    until: Day,
    horizon: Horizon,
    model: Annotated[Path, typer.Option("--out", help="File for the model, JSON.")],
    closed: Closed,
    balance_below: BalanceBelow = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "churn",
) -> None:
    """Learn who leaves, from what was known before a day: nothing on or after it is looked at."""
    # what learns takes a second to import: no other command waits
    from learning.churn_training import shortfall
    from learning.churn_training import train as trained_on
    from learning.leaving import definition

    started = time.monotonic()
    with plain_failures():
        past = history(files)
        if known_until(past) < (wanted := moment(until)):
            raise Failure(
                f"--until: the history ends on {rfc3339(past.ends_at)[:10]}; who did what after it is not known, and"
                f" everybody would count as left. Give {rfc3339(known_until(past))[:10]} or a day before it"
            )
        with progress("folding", len(past)) as bar:
            learned = trained_on(past, wanted, horizon, name, definition(balance_below, closed), bar.at, bar.says).model
        write_model(model, learned)
    training = learned.training
    out.print(
        f"{training.events:,} events of {training.customers:,} customers, {training.rows:,} rows at"
        f" {len(training.cutoffs)} cut-offs, horizons {', '.join(map(str, training.horizons_days)) or 'none'} days;"
        f" {time.monotonic() - started:.1f} s"
    )
    if remark := shortfall(learned):
        out.print(f"[yellow]{remark}[/]")
    if training.rows:
        out.print(f"of customers and days not seen: AUC {training.auc:.4f}, log-loss {training.log_loss:.4f}")
    out.print(f"{learned.name} {learned.version} written to {model}", markup=False)
