"""`tracker models`: which churn models there are, how they compare, and which one is in use."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from commands.console import Failure, out, progress
from commands.learning import plain_failures
from handlers.churn.model import ChurnModel, Measured
from learning import registry

app = typer.Typer(no_args_is_help=True, help="Churn models: the champion and its challengers.")

Directory = Annotated[Path, typer.Option("--models", help="Directory of the models.")]
DEFAULT = Path("models")
MISSING = "–"


@app.command("list")
def list_models(directory: Directory = DEFAULT) -> None:
    """Show the models of the directory; the champion has a star."""
    with plain_failures():
        entries = registry.entries(directory)
    if not entries:
        out.print(f"no models in {directory}; tracker train makes one", markup=False)
        return
    table = _table("model", "horizon", "trained until", "backtest at", "AUC", "log-loss")
    for entry in entries:
        model, measured = entry.model, entry.model.measured
        table.add_row(
            ("* " if entry.champion else "  ") + entry.file.name,
            f"{model.horizon_days} d",
            model.training.until[:10],
            MISSING if measured is None else measured.split[:10],
            MISSING if measured is None else f"{measured.auc:.4f}",
            MISSING if measured is None else f"{measured.log_loss:.4f}",
        )
    out.print(table)


@app.command("compare")
def compare(
    champion: Annotated[Path, typer.Argument(help="Model file.")],
    challenger: Annotated[Path, typer.Argument(help="Another.")],
) -> None:
    """Show two models' backtests beside each other."""
    with plain_failures():
        models = [registry.read_model(file) for file in (champion, challenger)]
    both = [_measured(file, model) for file, model in zip((champion, challenger), models, strict=True)]
    same = [(measured.split, measured.horizon_days, measured.customers) for measured in both]
    if same[0] != same[1]:
        out.print("[yellow]The backtests differ in split, horizon or customers[/]: their figures do not compare")
    table = _table("figure", *(f"{model.name} {model.version}" for model in models))
    for field in msgspec.structs.fields(Measured):
        values = [getattr(measured, field.name) for measured in both]
        table.add_row(field.name, *(f"{value:.4f}" if isinstance(value, float) else str(value) for value in values))
    out.print(table)


@app.command("promote")
def promote(
    file: Annotated[Path, typer.Argument(help="Model file; copied into the directory.")],
    directory: Directory = DEFAULT,
) -> None:
    """Make a model the champion."""
    with plain_failures():
        champion = registry.promote(directory, file)
    out.print(f"{champion} is the champion", markup=False)


@app.command("general")
def make_general(model: Annotated[Path, typer.Option("--out", help="File for the model, JSON.")]) -> None:
    """Make the model that ships with the program again, from made-up banks and shops: a few minutes."""
    # what learns takes a second to import: no other command waits
    from learning.general import general_model

    with progress("learning", None) as bar:
        made = general_model(said=bar.says)
    registry.write_model(model, made)
    training = made.training
    out.print(
        f"{training.events:,} events of {training.customers:,} made-up customers, {training.rows:,} silences;"
        f" of populations that it had not seen: AUC {training.auc:.4f}, log-loss {training.log_loss:.4f}"
    )
    out.print(f"{made.name} {made.version} written to {model}", markup=False)


def _measured(file: Path, model: ChurnModel) -> Measured:
    if model.measured is None:
        raise Failure(f"{file}: has no backtest; run tracker backtest with --model {file}")
    return model.measured


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
