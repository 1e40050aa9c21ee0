"""Moments in RFC 3339 read in place by kernels."""

from handlers.intake.json_scanner import COLON, MINUS, NOT_FAST, POINT, ZERO, digits
from handlers.kernel.jit import jit
from handlers.kernel.text import Text
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

_T, _Z, _PLUS = b"TZ+"
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_EPOCH_DAYS = 719_468
"""From 0000-03-01 to 1970-01-01."""


@jit
def _number(text: Text, at: int, length: int) -> int:
    """A number of just so many digits; NOT_PLAIN if that is not what stands there."""
    if digits(text, at) != at + length:
        return NOT_FAST
    found = 0
    for place in range(at, at + length):
        found = found * 10 + (int(text.bytes[place]) - ZERO)
    return found


@jit
def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2014)."""
    if month <= 2:
        year -= 1
    era, of_era = year // 400, year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH_DAYS


@jit
def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@jit
def moment(text: Text, at: int) -> tuple[int, int]:
    """Epoch ms of what stands there, and where it ends: 2026-01-31T08:00:00, up to six decimals of which three count, Z
    or an offset with a colon."""
    year, month, day = _number(text, at, 4), _number(text, at + 5, 2), _number(text, at + 8, 2)
    hour, minute, second = _number(text, at + 11, 2), _number(text, at + 14, 2), _number(text, at + 17, 2)
    if text.bytes[at + 4] != MINUS or text.bytes[at + 7] != MINUS or text.bytes[at + 10] != _T:
        return 0, NOT_FAST
    if text.bytes[at + 13] != COLON or text.bytes[at + 16] != COLON:
        return 0, NOT_FAST
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and 1 <= day <= _month_days(year, month)):
        return 0, NOT_FAST
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return 0, NOT_FAST
    found = _days(year, month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS
    at += 19
    if text.bytes[at] == POINT:
        first = at + 1
        at = digits(text, first)
        if not 1 <= at - first <= 6:
            return 0, NOT_FAST
        for k in range(3):
            found = found + (int(text.bytes[first + k]) - ZERO) * 10 ** (2 - k) if first + k < at else found
    if text.bytes[at] == _Z:
        return found, at + 1
    if text.bytes[at] != _PLUS and text.bytes[at] != MINUS:
        return 0, NOT_FAST
    hour, minute = _number(text, at + 1, 2), _number(text, at + 4, 2)
    if not (0 <= hour < 24 and 0 <= minute < 60 and text.bytes[at + 3] == COLON):
        return 0, NOT_FAST
    offset = hour * HOUR_MS + minute * MINUTE_MS
    return (found - offset if text.bytes[at] == _PLUS else found + offset), at + 6
