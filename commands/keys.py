"""`tracker keys`: access keys for the API and the console."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from commands.console import Failure, err, out
from serving.access import ROLES, AccessError, hash_of, new_key, read_keys

app = typer.Typer(no_args_is_help=True, help="Access keys for the API and the console.")


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="Whose it is; stands in the audit trail.")],
    role: Annotated[list[str], typer.Option(help=f"What it allows: {', '.join(ROLES)}; several may be given.")],
    days: Annotated[int, typer.Option(min=1, max=730, help="How long it is good for.")] = 90,
    file: Annotated[Path | None, typer.Option(help="Add its line to this file, instead of printing it.")] = None,
) -> None:
    """Make an access key. The key itself is printed once; the file of keys has nothing but its hash."""
    key, expires = new_key(), datetime.now(UTC).date() + timedelta(days=days)
    roles = ", ".join(f'"{each}"' for each in role)
    table = f'[[key]]\nname = "{name}"\nsha256 = "{hash_of(key)}"\nroles = [{roles}]\nexpires = {expires}\n'
    before = "" if file is None or not file.exists() else file.read_text("utf-8").rstrip() + "\n\n"
    try:
        read_keys(before + table)
    except AccessError as error:
        raise Failure(str(error)) from error
    if file is None:
        err.print("For the file of TRACKER_SERVE_KEYS_FILE:")
        err.print(table, markup=False)
    else:
        file.touch(mode=0o600)
        file.write_text(before + table, "utf-8")
    out.print(key, markup=False)
