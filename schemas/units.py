"""Units that types can say: epoch milliseconds, minor units, and the way both are written outside."""

from datetime import UTC, datetime, timedelta
from typing import NewType

EpochMs = NewType("EpochMs", int)
"""UTC milliseconds since 1970-01-01T00:00:00Z. The only form of time inside the program."""

MinorUnits = NewType("MinorUnits", int)
"""Money in the smallest unit of its currency (cents for EUR, yen for JPY). Never a float."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WITHOUT_ZONE = _EPOCH.replace(tzinfo=None)
_MILLISECOND = timedelta(milliseconds=1)
_BEYOND = 2**62


def epoch_ms(moment: datetime) -> EpochMs:
    """Milliseconds of an aware datetime; fractions of a millisecond are cut off (towards the past)."""
    since = moment - _EPOCH
    # Three small products: dividing timedeltas goes through big integers and takes twice as long.
    return EpochMs(since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1_000)


def moment_ms(moment: int | datetime) -> int:
    """Epoch ms of a moment as it came, a number or a date. What 64 bit cannot hold is brought to where the bounds still
    refuse it."""
    return max(-_BEYOND, min(moment, _BEYOND)) if isinstance(moment, int) else epoch_ms(moment)


def rfc3339(at: int) -> str:
    """An epoch ms as RFC 3339 in UTC, always with three digits of milliseconds: 2026-01-31T08:00:00.000Z."""
    return (_EPOCH_WITHOUT_ZONE + at * _MILLISECOND).isoformat(timespec="milliseconds") + "Z"


def parse_rfc3339(text: str) -> EpochMs:
    """The epoch ms of an RFC 3339 text with an offset. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write 2026-01-31T08:00:00Z")
    return epoch_ms(moment)


EARLIEST = parse_rfc3339("1980-01-01T00:00:00Z")
LATEST = parse_rfc3339("2100-01-01T00:00:00Z")
"""Bounds of every moment in a record, both allowed."""
