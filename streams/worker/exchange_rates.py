"""The file of exchange rates (TRACKER_RATES_FILE)."""

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from handlers.intake.exchange import no_such_currency, rate_mistake
from schemas.money import EXPONENTS


def load_rates(path: Path, base_currency: str) -> dict[str, Decimal]:
    """The table [rates] of a TOML file: CODE = "units of the base currency for one unit".

    Raises ValueError with a line for every mistake in the file.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: is not TOML: {error}") from error
    table = document.pop("rates", None)
    mistakes = [f"{name}: is not known here; the only table is [rates]" for name in document]
    if base_currency not in EXPONENTS:
        mistakes.append(no_such_currency(base_currency))
    if not isinstance(table, dict):
        mistakes.append('[rates]: is missing; write [rates] and below it lines such as USD = "0.9134"')
        table = {}
    rates = {}
    for code, text in table.items():
        rate = _decimal(text)
        if rate is None:
            mistakes.append(f'{code}: must be a decimal number in quotes, such as {code} = "0.9134"')
        elif mistake := rate_mistake(code, rate, base_currency):
            mistakes.append(mistake)
        else:
            rates[code] = rate
    if mistakes:
        raise ValueError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return rates


def _decimal(text: Any) -> Decimal | None:
    """The number that a text writes. A bare TOML number is refused: it would have been rounded to binary already."""
    try:
        return Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None
