"""What delivering needs of an alert's record: its id, its kind, and what is told of it beside its value."""

from typing import NamedTuple

import msgspec
from confluent_kafka import Message

from schemas.alert import Kind
from streams.broker.messages import headers_of


class _Head(msgspec.Struct):
    alert_id: str
    kind: Kind


class Headed(NamedTuple):
    """What delivering an alert needs."""

    alert_id: str
    kind: Kind
    events: dict[str, str]
    """Its CloudEvents attributes as HTTP has them: `ce-id` and so on."""


def headed(message: Message) -> Headed:
    """Raises msgspec.DecodeError for what is no alert."""
    head = _head.decode(message.value() or b"")
    names = ((name, value.decode("ascii", "replace")) for name, value in headers_of(message))
    return Headed(
        head.alert_id, head.kind, {f"ce-{name[3:]}": value for name, value in names if name.startswith("ce_")}
    )


_head = msgspec.json.Decoder(_Head)
