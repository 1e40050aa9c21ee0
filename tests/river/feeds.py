"""Feeds of transactions as files."""

from collections.abc import Iterable
from pathlib import Path

import orjson


def written(file: Path, events: Iterable[object]) -> Path:
    """The events as JSON Lines in that file."""
    file.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))
    return file
