"""Feeds of transactions as files, and a catalogue for them."""

from collections.abc import Iterable
from pathlib import Path

import orjson

BY_SMS = """
[[offer]]
offer_id = "savings"
product = "Savings account"
text = { en = "Put some of it aside?" }
value_minor = 1
when = ["salary"]
channel = "sms"
cooldown_days = 1
"""
"""Whoever is paid is offered something by SMS."""


def written(file: Path, events: Iterable[object]) -> Path:
    """The events as JSON Lines in that file."""
    file.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))
    return file
