"""The days of a row as bytes, opened one by one: most events touch the newest day only, so the others stay as they are.

step        days back from the day before it (the first: from NEWEST's day) << 5 | bytes of the day; where the one
            is 7 or more, or the other 31 or more, 7 or 31 stands there and the number follows as a varint
then        the day (day.py)
"""

import numpy as np

from handlers.kernel.byte_codec import copy_bytes, get, put
from handlers.kernel.jit import I8, U8, jit
from handlers.state.day_codec import open_day, own_as_stored, put_day, stays_as_stored
from handlers.state.retention import DAY_KEPT
from handlers.state.row import (
    CHANGED,
    CLOSED,
    DAY_END,
    DAY_OWN,
    DAY_START,
    DAY_STATE,
    DAYS,
    LAST_OWN,
    TILE,
    OpenRow,
    tile_at,
)
from schemas.units import DAY_MS

_BACK_MAX, _LENGTH_MAX = 7, 31


@jit
def day_at(s: OpenRow, day: int, oldest: int) -> int:
    """The place of a day, made if it isn't there, opened to be changed; days before `oldest` are dropped first."""
    place = tile_at(s.day, s.size, DAYS, day, oldest)
    open_day(s, place)
    s.day[place, DAY_STATE] = CHANGED
    return int(place)


@jit
def open_days(s: OpenRow) -> None:
    """Opens every day, to be read."""
    for k in range(s.size[DAYS]):
        if s.day[k, DAY_STATE] == CLOSED:  # asked here, as a call costs more
            open_day(s, k)


@jit
def own_days(s: OpenRow, days: I8) -> int:
    """Writes the active days (UTC day numbers, ascending) of the 180 that end with the last; returns how many."""
    n = 0
    last = s.life[LAST_OWN] // DAY_MS
    for k in range(s.size[DAYS]):
        tile = s.day[k, TILE]
        if s.day[k, DAY_OWN] < 0:
            open_day(s, k)
        if s.day[k, DAY_OWN] > 0 and last - DAY_KEPT < tile <= last:
            days[n] = tile
            n += 1
    return n


@jit
def skim_days(s: OpenRow, row: U8, at: int, end: int, start: int, newest: int) -> int:
    """Finds the days in `row` from place `at` on: whether the customer was active, and where each is in s.stored, which
    has what `row` has from `start` on. Returns the place after them, -1 where they cannot be within `end`."""
    n, at = get(row, at)
    if at > end or n < 0 or n > s.day.shape[0]:
        return -1
    tile = newest
    for k in range(n - 1, -1, -1):
        step = np.int64(row[at])
        at += 1
        back, length = int(step >> 5), int(step & _LENGTH_MAX)
        if back == _BACK_MAX:
            back, at = get(row, at)
        if length == _LENGTH_MAX:
            length, at = get(row, at)
        if length < 1 or length > end - at:
            return -1
        tile -= back
        day = s.day[k]
        day[TILE] = tile
        day[DAY_STATE] = CLOSED
        day[DAY_START] = at - start
        day[DAY_OWN] = own_as_stored(np.int64(row[at]))
        at += length
        day[DAY_END] = at - start
    s.size[DAYS] = n
    return at


@jit
def skip_days(row: U8, at: int, end: int) -> int:
    """The place after the days that stand in `row` from place `at` on, -1 where they cannot be within `end`."""
    n, at = get(row, at)
    if at > end or n < 0:
        return -1
    for _ in range(n):
        step = int(row[at])
        at += 1
        length = step & _LENGTH_MAX
        if step >> 5 == _BACK_MAX:
            _, at = get(row, at)
        if length == _LENGTH_MAX:
            length, at = get(row, at)
        if length < 1 or length > end - at:
            return -1
        at += length
    return at


@jit
def put_days(s: OpenRow, to: U8, at: int, newest: int) -> int:
    """Writes the days that are kept, newest first; returns the place after them."""
    days, stored = s.day, s.stored
    n = s.size[DAYS]
    first = n
    while first > 0 and days[first - 1, TILE] > newest - DAY_KEPT:
        first -= 1
    at = put(to, at, n - first)
    before = newest
    k = n - 1
    while k >= first:
        back = before - days[k, TILE]
        run = k  # the days from k back to `run`, not included, are right as stored, and stand there one after the other
        while run >= first:
            start = days[run, DAY_START]
            head, more = int(np.int64(stored[start])), int(np.int64(stored[start + 1]))
            length = days[run, DAY_END] - start
            if not stays_as_stored(days[run, DAY_STATE], head, more, newest - days[run, TILE], length):
                break
            run -= 1
        if run < k:
            start, end = days[k, DAY_START], days[run + 1, DAY_END]
            at = _put_step(to, at, back, days[k, DAY_END] - start)
            at = copy_bytes(stored, start, end, to, at)
            k = run + 1
        else:
            open_day(s, k)
            age = newest - days[k, TILE]
            length = put_day(days[k], age, to, at + 1) - at - 1
            room = _put_step(to, at, back, length) - at - 1
            if room > 0:  # rare: the step is longer than its byte, and the day must be written behind it
                put_day(days[k], age, to, at + 1 + room)
                _put_step(to, at, back, length)
            at += 1 + room + length
        before = days[k, TILE]
        k -= 1
    return at


@jit
def _put_step(to: U8, at: int, back: int, length: int) -> int:
    to[at] = min(back, _BACK_MAX) << 5 | min(length, _LENGTH_MAX)
    at += 1
    if back >= _BACK_MAX:
        at = put(to, at, back)
    if length >= _LENGTH_MAX:
        at = put(to, at, length)
    return at
