"""`tracker convert` and `tracker simulate`: transactions as JSON Lines, from real data of others or from a seed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import orjson
import typer

from commands.console import Failure, err, progress
from commands.lines import writing
from learning import berka, cdnow, simulator
from learning.fields import RowError
from learning.kinds import Kind, population

app = typer.Typer(no_args_is_help=True, help="Make transactions, as JSON Lines, of other data.")

SHOW_EVERY = 1_000

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write; .gz compresses; - is standard output.")]


@app.command("berka")
def convert_berka(
    directory: Annotated[Path, typer.Argument(help="Directory with trans.asc and disp.asc.")],
    output: Output,
) -> None:
    """A Czech bank of 1993-98 (PKDD'99 discovery challenge): every booking, in CZK."""
    _write(berka.transactions(directory), output)


@app.command("berka-products")
def convert_berka_products(
    directory: Annotated[Path, typer.Argument(help="Directory with loan.asc, card.asc and disp.asc.")],
    output: Output,
) -> None:
    """Loans and cards of that bank's customers with the day they were taken, for tracker backtest-offers."""
    _write(berka.products(directory), output)


@app.command("cdnow")
def convert_cdnow(
    file: Annotated[Path, typer.Argument(help="CDNOW_sample.txt.")],
    output: Output,
) -> None:
    """Purchases of a shop's customers in 1997-98 (Fader, Hardie): each a debit in USD."""
    _write(cdnow.transactions(file), output)


def simulate(
    output: Output,
    customers: Annotated[int, typer.Option(min=1)] = 1_000,
    days: Annotated[int, typer.Option(min=1)] = 365,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same file.")] = 1,
    truth: Annotated[
        Path | None, typer.Option(help="File for who drifts away, who leaves, who takes what: JSON Lines.")
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="Instead: customers of one kind, with how often they come as what matters.")
    ] = None,
) -> None:
    """Make up a bank: people with salaries, habits and several channels, some of whom leave."""
    if kind is not None:
        made = population(kind, customers, days, seed)
        _write(made.rows, output)
        if truth is not None:
            _write(made.truth, truth)
        return
    _write(simulator.simulate(customers, days, seed), output)
    if truth is not None:
        _write(simulator.ground_truth(customers, days, seed), truth)


def _write(rows: Iterable[object], output: Path) -> None:
    count = 0
    try:
        with writing(output) as lines, progress("converting", None) as bar:
            for count, row in enumerate(rows, 1):
                lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                if count % SHOW_EVERY == 0:
                    bar.at(count)
    except RowError as error:
        raise Failure(str(error)) from error
    err.print(f"{count:,} lines written to {output}", markup=False)
