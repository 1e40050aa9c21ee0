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
            result = tested(past, moment(split), horizon, given, leaving, bar.at, bar.says)
        if model is not None:
            write_model(model, result.model)
    scores.write_text(predictions(result.customers, result.score), "utf-8")
    report.write_text(page(result), "utf-8")
    for remark in result.remarks:
        out.print(f"[yellow]{remark}[/]")
    if result.methods:
        out.print(_comparison(result))
    if result.detection is not None:
        both = result.detection.model, result.detection.recency
        out.print(
            f"Time to detect a silence of {result.detection.gap_days} days, median: model"
            f" {both[0].median_days:.1f} days ({both[0].false_alarms:.1%} false alarms), recency"
            f" {both[1].median_days:.1f} days ({both[1].false_alarms:.1%}); at equal false alarms"
            f" {both[0].at_equal_alarms:.1f} and {both[1].at_equal_alarms:.1f} days"
        )
    out.print(f"{len(result.customers):,} scores in {scores}, the report is {report}", markup=False)


def _comparison(result: "Backtest") -> Table:
    everybody = Table(title=f"{len(result.customers):,} customers, {result.left.mean():.1%} left", title_justify="left")
    for heading in ("method", "AUC", "log-loss", "cal. error", "top lift"):
        everybody.add_column(heading, justify="left" if heading == "method" else "right", no_wrap=heading == "method")
    for method in result.methods:
        q = method.everybody
        everybody.add_row(
            method.name,
            f"{q.auc:.4f}",
            *("–" if value is None else f"{value:.4f}" for value in (q.log_loss, q.calibration_error)),
            f"{q.top_decile_lift:.3f}",
        )
    return everybody
