"""Lines of a file of history: a transaction in each, or a record of the topic that its field `record` names."""

import msgspec

OUTCOMES, EVENTS = "alert-outcomes", "customer-events"
"""What `record` says, whatever the settings call these topics."""


class _Kind(msgspec.Struct):
    record: str | None = None


_kind = msgspec.json.Decoder(_Kind)


def record_kind(line: bytes) -> str:
    """OUTCOMES or EVENTS; empty for a transaction, and for what can't be read."""
    if b'"record"' not in line:
        return ""
    try:
        kind = _kind.decode(line).record
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return kind if kind in (OUTCOMES, EVENTS) else ""
