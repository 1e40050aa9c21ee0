"""Files of `[[name]]` tables, as those of access keys and of webhooks: what stands in them, and what is wrong."""

import tomllib
from typing import Any

import msgspec


def tables(text: str, name: str) -> tuple[list[Any], list[str]]:
    """The tables of that name, and what is wrong with the document beside them. Raises TOMLDecodeError."""
    document = tomllib.loads(text)
    listed = document.pop(name, None)
    mistakes = [f"{other}: there is no such table; there is [[{name}]]" for other in document]
    if not isinstance(listed, list) or not listed:
        return [], [*mistakes, f"holds no [[{name}]]"]
    return listed, mistakes


def mistake(error: msgspec.ValidationError) -> str:
    """What is wrong with a table, and at which of its names."""
    return str(error).replace(" - at `$.", ", at `")
