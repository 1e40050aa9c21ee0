"""The `transactions-dlq` topic: records that could not be used, as they came, to be repaired and replayed.

The record's key and value are the original's raw bytes; why and from where is in the headers named here.
"""

import base64
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Reason = Literal[
    "not_json",
    "missing_field",
    "wrong_type",
    "out_of_bounds",
    "wrong_key",
    "no_rate",
    "in_the_future",
    "too_large",
    "empty",
    "wrong_original",
]
"""Why a record was refused; also the label of the dead letter metric."""


class DeadLetter(msgspec.Struct, frozen=True):
    """A refused record: each field but key and value is a header `dlq_<field>`, written as UTF-8 text."""

    reason: Reason
    field: Annotated[str, Meta(description="The field that broke the rule, with its path; empty for the whole record.")]
    rule: Annotated[str, Meta(description="The rule in words. Never holds the value itself.")]
    topic: str
    partition: int
    offset: int
    timestamp_ms: Annotated[int, Meta(description="The original record's Kafka timestamp.")]
    key: bytes | None
    value: bytes | None


_HEADERS = ("reason", "field", "rule", "topic", "partition", "offset", "timestamp_ms")


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """The headers of the dead letter's record."""
    return [(f"dlq_{name}", str(getattr(letter, name)).encode()) for name in _HEADERS]


def dead_letter_of(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> DeadLetter:
    """The dead letter in a record of the topic. Raises msgspec.ValidationError if a header is missing or wrong."""
    fields = {name.removeprefix("dlq_"): text.decode() for name, text in headers if name.startswith("dlq_")}
    raw = {"key": None if key is None else base64.b64encode(key).decode()}
    raw["value"] = None if value is None else base64.b64encode(value).decode()
    return msgspec.convert({**fields, **raw}, DeadLetter, strict=False)
