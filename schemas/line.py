"""Lines of a file of history: a transaction in each, or a record of the topic that its field `record` names."""

from collections.abc import Iterable

import msgspec

OUTCOMES, EVENTS = "alert-outcomes", "customer-events"
"""What `record` says, whatever the settings call these topics."""


class _Kind(msgspec.Struct):
    record: str | None = None


_kind = msgspec.json.Decoder(_Kind)
_FIELD = b'"record"'


def all_transactions(lines: Iterable[bytes]) -> bool:
    """Whether none of the lines can be anything else, by a look that costs little."""
    return _FIELD not in b"\n".join(lines)


def record_kind(line: bytes) -> str:
    """OUTCOMES or EVENTS; empty for a transaction, and for what can't be read."""
    if _FIELD not in line:
        return ""
    try:
        kind = _kind.decode(line).record
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return kind if kind in (OUTCOMES, EVENTS) else ""
