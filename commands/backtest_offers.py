"""`tracker backtest-offers`: can a model tell who takes which product next?"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from commands.console import Failure, out, progress
from commands.learning import Day, Files, history, moment, plain_failures
from commands.lines import reading


def backtest_offers(
    files: Files,
    taken: Annotated[Path, typer.Option(help="Products taken: JSON Lines of customer_id, product, taken_at.")],
    split: Day,
    horizon: Annotated[int, typer.Option(min=1, help="Days in which a product is taken.")],
) -> None:
    """Rank customers by who takes a product next, learned before a day, and compare with what they took after it."""
    from learning.takeup import (
        CONTACTED,
        Taken,
        takeups,
    )  # what learns takes a second to import: no other command waits

    try:
        with reading(taken) as source:
            products = [msgspec.json.decode(line, type=Taken) for line in source.lines if line]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{taken}: must be lines of JSON, each with customer_id, product and taken_at") from error
    with plain_failures():
        past = history(files)
        with progress("folding", len(past)) as bar:
            results = takeups(past, products, moment(split), horizon, bar.at)
    if not results:
        out.print("No product has enough takers both before the split and after it: nothing to measure")
        return
    table = Table(title=f"the {CONTACTED:.0%} ranked highest, against popularity", title_justify="left")
    for heading in ("product", "learned from", "takers", "hit rate", "popularity", "lift", "AUC"):
        table.add_column(heading, justify="left" if heading == "product" else "right")
    for result in results:
        table.add_row(
            result.product,
            f"{result.learned_from:,}",
            f"{result.takers:,} of {result.customers:,}",
            f"{result.hit_rate:.1%}",
            f"{result.takers / result.customers:.1%}",
            f"{result.lift:.2f} ({result.lift_interval[0]:.2f} to {result.lift_interval[1]:.2f})",
            f"{result.auc:.3f} ({result.auc_interval[0]:.3f} to {result.auc_interval[1]:.3f})",
        )
    out.print(table)
    out.print("Intervals are 95 % of the bootstrap over customers; with few takers they are wide.")
