"""A message of librdkafka as the record that intake reads."""

from typing import Any, cast

from confluent_kafka import Message

from handlers.intake.events import Record
from schemas.transaction import HEARTBEAT_HEADER
from schemas.units import parse_rfc3339


def record_of(message: Message) -> Record:
    """The message, which must be no error. Neither key nor value, but the header: a heartbeat."""
    key, value = message.key(), message.value()
    heartbeat_at = _heartbeat(message) if key is None and value is None else None
    offset: Any = message.offset()  # a message that was fetched has one
    return Record(offset, message.timestamp()[1], key, value, heartbeat_at)


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """The headers that have a value, in order."""
    headers = cast(list[tuple[str, bytes | None]], message.headers() or [])
    return [(name, value) for name, value in headers if value is not None]


def _heartbeat(message: Message) -> int | None:
    """The moment that the record tells, None if it tells none: then it is an empty record like any other."""
    for name, value in headers_of(message):
        if name == HEARTBEAT_HEADER:
            try:
                return parse_rfc3339(value.decode())
            except ValueError:
                return None
    return None
