"""`tracker backtest`: a churn model measured on what came after a day, beside baselines."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.console import out, progress
from commands.learning import BalanceBelow, Closed, Day, Files, Horizon, history, moment, plain_failures
from learning.registry import read_model, write_model

if TYPE_CHECKING:
    from learning.backtest import Backtest


def backtest(
    files: Files,
    split: Day,
    horizon: Horizon,
    scores: Annotated[Path, typer.Option("--predictions", help="File for customer_id,score of everybody seen before.")],
    report: Annotated[Path, typer.Option(help="File for the report, HTML.")],
    closed: Closed,
    balance_below: BalanceBelow = None,
    model: Annotated[
        Path | None, typer.Option(help="Model to test, which gets the figures; else one is trained before the split.")
    ] = None,
) -> None:
    """Score everybody at a day by what was known before it, and compare with the horizon after it."""
    from learning.backtest import backtest as tested  # what learns takes a second to import: no other command waits
    from learning.backtest import predictions
    from learning.leaving import definition
    from learning.report import page

    with plain_failures():
        given = None if model is None else read_model(model)
        past = history(files)
        with progress("folding", len(past)) as bar:
            leaving = definition(balance_below, closed)
            found = tested(past, moment(split), horizon, given, leaving, bar.at, bar.says)
        if model is not None:
            write_model(model, found.model)
    scores.write_text(predictions(found.customers, found.score), "utf-8")
    report.write_text(page(found), "utf-8")
    for remark in found.remarks:
        out.print(f"[yellow]{remark}[/]")
    if found.methods:
        out.print(_comparison(found))
    if found.detection is not None:
        both = found.detection.model, found.detection.recency
        out.print(
            f"Time to detect a silence of {found.detection.gap_days} days, median: model {both[0].median_days:.1f} days"
            f" ({both[0].false_alarms:.1%} false alarms), recency {both[1].median_days:.1f} days"
            f" ({both[1].false_alarms:.1%}); at equal false alarms {both[0].at_equal_alarms:.1f} and"
            f" {both[1].at_equal_alarms:.1f} days"
        )
    out.print(f"{len(found.customers):,} scores in {scores}, the report is {report}", markup=False)


def _comparison(found: "Backtest") -> Table:
    everybody = Table(title=f"{len(found.customers):,} customers, {found.left.mean():.1%} left", title_justify="left")
    for heading in ("method", "AUC", "log-loss", "cal. error", "top lift"):
        everybody.add_column(heading, justify="left" if heading == "method" else "right", no_wrap=heading == "method")
    for method in found.methods:
        q = method.everybody
        everybody.add_row(
            method.name,
            f"{q.auc:.4f}",
            *("–" if value is None else f"{value:.4f}" for value in (q.log_loss, q.calibration_error)),
            f"{q.top_decile_lift:.3f}",
        )
    return everybody
