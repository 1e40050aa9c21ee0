"""Daily tiles as bytes, and opened one by one: most events touch the newest day only, so the others stay as they are.

    step        days back from the day before it (the first: from NEWEST's day) << 5 | bytes of the rest; where the one
                is 7 or more, or the other 31 or more, 7 or 31 stands there and the number follows as a varint
    head        width of in | width of out << 2 | counts << 4 | 128 if more follows
                counts: 0 to 2 one to three transactions, all of them the customer's own; 3 so many as told, all own;
                4 one, not own; 5 so many as told, none own; 6 both told
    more        largest | width of low << 2 | width of high-low << 4 | mix << 6
                largest: 0 none, 1 as much as in, 2 told in 3 bytes, 3 in 8; mix: 0 none, 1 pairs, 2 list
                no balance was reported where the width of low is 0
                where it is left out there is no largest and no balance, and the mix is pairs if any bytes remain
    then        count and own as varints where told; in, out, largest, low, high-low; mix
                pairs: a byte for each of at most PAIRS_MAX transactions, channel * 32 + type; which channel stands with
                which type says nothing
                list: how many entries, each index + 32 * count, as varints

A number of width 0 is 0; widths 1, 2 and 3 are 2, 3 and 8 bytes of its zigzag, lowest first. What no window can see any
more is left out: mix and largest credit after 90 days, balances after 30.
"""

import numpy as np

from handlers.batch import I8
from handlers.jit import jit
from handlers.row import (
    CHANGED,
    CHANNEL_COUNT,
    CLOSED,
    DAY_END,
    DAY_HAS_BALANCE,
    DAY_HEAD_FIELDS,
    DAY_HIGH,
    DAY_KEPT,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAY_START,
    DAY_STATE,
    DAYS,
    LAST_OWN,
    MIX_FIELDS,
    READ,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    Scratch,
    tile_at,
)
from handlers.varint import U8, get, put
from schemas.units import DAY_MS

PAIRS_MAX = 4
_BACK_MAX, _LENGTH_MAX = 7, 31
_TOLD, _ONE_NOT_OWN, _TOLD_NONE_OWN, _BOTH_TOLD = 3, 4, 5, 6
_MIX_DAYS = 90
_BALANCE_DAYS = 30


@jit
def day_at(s: Scratch, day: int, oldest: int) -> int:
    """The place of a day, made if it isn't there, opened to be changed; days before `oldest` are dropped first."""
    place = tile_at(s.day, s.size, DAYS, day, oldest)
    open_day(s, place)
    s.day[place, DAY_STATE] = CHANGED
    return int(place)


@jit
def open_days(s: Scratch) -> None:
    """Opens every day, to be read."""
    for k in range(s.size[DAYS]):
        open_day(s, k)


@jit
def open_day(s: Scratch, k: int) -> None:
    """Fills the fields of a day that was only skimmed."""
    day = s.day[k]
    if day[DAY_STATE] != CLOSED:
        return
    row = s.stored
    day[DAY_STATE] = READ
    day[DAY_HEAD_FIELDS:] = 0
    at = day[DAY_START]
    head = np.int64(row[at])
    more = np.int64(row[at + 1]) if head & 128 else np.int64(0)
    at += 2 if head & 128 else 1
    counts = (head >> 4) & 7
    day[TILE_COUNT] = counts + 1 if counts < _TOLD else 1
    if counts == _TOLD or counts >= _TOLD_NONE_OWN:
        day[TILE_COUNT], at = get(row, at)
    day[DAY_OWN] = day[TILE_COUNT] if counts <= _TOLD else 0
    if counts == _BOTH_TOLD:
        day[DAY_OWN], at = get(row, at)
    day[TILE_IN] = _fixed(row, at, head & 3)
    at += _width(head & 3)
    day[TILE_OUT] = _fixed(row, at, (head >> 2) & 3)
    at += _width((head >> 2) & 3)
    largest = more & 3
    if largest == 1:
        day[DAY_LARGEST] = day[TILE_IN]
    elif largest > 1:
        day[DAY_LARGEST] = _fixed(row, at, largest)
        at += _width(largest)
    low, span = (more >> 2) & 3, (more >> 4) & 3
    if low != 0:
        day[DAY_HAS_BALANCE] = 1
        day[DAY_LOW] = _fixed(row, at, low)
        at += _width(low)
        day[DAY_HIGH] = day[DAY_LOW] + _fixed(row, at, span)
        at += _width(span)
    mix = more >> 6
    if head < 128 and at < day[DAY_END]:
        mix = np.int64(1)
    if mix == 1:
        for n in range(day[TILE_COUNT]):
            pair = np.int64(row[at + n])
            day[DAY_MIX + (pair >> 5)] += 1
            day[DAY_MIX + CHANNEL_COUNT + (pair & 31)] += 1
    elif mix == 2:
        entries, at = get(row, at)
        for _ in range(entries):
            entry, at = get(row, at)
            day[DAY_MIX + (entry & 31)] = entry >> 5


@jit
def own_days(s: Scratch, days: I8) -> int:
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
def skim_days(s: Scratch, row: U8, at: int, start: int, newest: int) -> int:
    """Finds the days in `row` from place `at` on: whether the customer was active, and where each is in s.stored, which
    has what `row` has from `start` on. Returns the place after them."""
    n, at = get(row, at)
    tile = newest
    for k in range(n - 1, -1, -1):
        step = np.int64(row[at])
        at += 1
        back, length = int(step >> 5), int(step & _LENGTH_MAX)
        if back == _BACK_MAX:
            back, at = get(row, at)
        if length == _LENGTH_MAX:
            length, at = get(row, at)
        tile -= back
        day = s.day[k]
        day[TILE] = tile
        day[DAY_STATE] = CLOSED
        day[DAY_START] = at - start
        counts = (np.int64(row[at]) >> 4) & 7
        day[DAY_OWN] = 1 if counts <= _TOLD else (-1 if counts == _BOTH_TOLD else 0)
        at += length
        day[DAY_END] = at - start
    s.size[DAYS] = n
    return at


@jit
def put_days(s: Scratch, to: U8, at: int, newest: int) -> int:
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
            if not _stays(days[run, DAY_STATE], head, more, newest - days[run, TILE], length):
                break
            run -= 1
        if run < k:
            start, end = days[k, DAY_START], days[run + 1, DAY_END]
            at = _put_step(to, at, back, days[k, DAY_END] - start)
            for b in range(end - start):
                to[at + b] = stored[start + b]
            at += end - start
            k = run + 1
        else:
            open_day(s, k)
            age = newest - days[k, TILE]
            length = _put_day(days[k], age, to, at + 1) - at - 1
            room = _put_step(to, at, back, length) - at - 1
            if room > 0:  # rare: the step is longer than its byte, and the day must be written behind it
                _put_day(days[k], age, to, at + 1 + room)
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


@jit
def _stays(state: int, head: int, more: int, age: int, length: int) -> bool:
    """Whether a day's bytes, `length` of them, are right as stored: it hasn't changed, and it holds nothing that no
    window can see at that age. Of numbers only: handing on a row's arrays would cost more than looking."""
    if state == CHANGED:
        return False
    if age < _BALANCE_DAYS:
        return True
    if head >= 128:
        return not (more & 0x3C or (age >= _MIX_DAYS and more & 0xC3))
    if age < _MIX_DAYS:
        return True
    counts = (head >> 4) & 7
    plain = counts < _TOLD or counts == _ONE_NOT_OWN  # else what remains behind the amounts isn't known
    return bool(plain and 1 + _width(head & 3) + _width((head >> 2) & 3) == length)


@jit
def _put_day(day: I8, age: int, to: U8, at: int) -> int:
    count, own = day[TILE_COUNT], day[DAY_OWN]
    largest = low = mix = 0
    if age < _MIX_DAYS:
        if day[DAY_LARGEST] != 0:
            largest = 1 if day[DAY_LARGEST] == day[TILE_IN] else max(2, _width_of(day[DAY_LARGEST]))
        mix = _mix_kind(day)
    if age < _BALANCE_DAYS and day[DAY_HAS_BALANCE] != 0:
        low = max(1, _width_of(day[DAY_LOW]))
    span = _width_of(day[DAY_HIGH] - day[DAY_LOW]) if low != 0 else 0
    if own == 0:
        counts = _ONE_NOT_OWN if count == 1 else _TOLD_NONE_OWN
    elif own != count or own < 0:
        counts = _BOTH_TOLD
    else:
        counts = count - 1 if count <= _TOLD else _TOLD
    into, out = _width_of(day[TILE_IN]), _width_of(day[TILE_OUT])
    has_more = largest != 0 or low != 0 or mix == 2
    to[at] = into | out << 2 | counts << 4 | (128 if has_more else 0)
    at += 1
    if has_more:
        to[at] = largest | low << 2 | span << 4 | mix << 6
        at += 1
    if counts == _TOLD or counts >= _TOLD_NONE_OWN:
        at = put(to, at, count)
    if counts == _BOTH_TOLD:
        at = put(to, at, own)
    at = _put_fixed(to, at, day[TILE_IN], into)
    at = _put_fixed(to, at, day[TILE_OUT], out)
    if largest > 1:
        at = _put_fixed(to, at, day[DAY_LARGEST], largest)
    at = _put_fixed(to, at, day[DAY_LOW], low)
    at = _put_fixed(to, at, day[DAY_HIGH] - day[DAY_LOW], span)
    if mix == 1:
        return _put_pairs(day, to, at)
    if mix == 2:
        return _put_list(day, to, at)
    return at


@jit
def _mix_kind(day: I8) -> int:
    channels = types = some = 0
    plain = 0 < day[TILE_COUNT] <= PAIRS_MAX
    for k in range(MIX_FIELDS):
        count = day[DAY_MIX + k]
        some |= count
        plain &= count >= 0
        if k < CHANNEL_COUNT:
            channels += count
        else:
            types += count
    if some == 0:
        return 0
    return 1 if plain and channels == day[TILE_COUNT] and types == day[TILE_COUNT] else 2


@jit
def _put_pairs(day: I8, to: U8, at: int) -> int:
    channel, left = 0, day[DAY_MIX]
    kind, left_of_kind = 0, day[DAY_MIX + CHANNEL_COUNT]
    for _ in range(day[TILE_COUNT]):
        while left == 0:
            channel += 1
            left = day[DAY_MIX + channel]
        while left_of_kind == 0:
            kind += 1
            left_of_kind = day[DAY_MIX + CHANNEL_COUNT + kind]
        to[at] = channel << 5 | kind
        at += 1
        left -= 1
        left_of_kind -= 1
    return at


@jit
def _put_list(day: I8, to: U8, at: int) -> int:
    entries = 0
    for k in range(MIX_FIELDS):
        entries += day[DAY_MIX + k] != 0
    at = put(to, at, entries)
    for k in range(MIX_FIELDS):
        if day[DAY_MIX + k] != 0:
            at = put(to, at, day[DAY_MIX + k] * 32 + k)
    return at


@jit
def _width(code: int | np.int64) -> int:
    """Bytes of a number whose width has that code."""
    return int((0x8320 >> (4 * code)) & 15)


@jit
def _width_of(value: int) -> int:
    if value == 0:
        return 0
    zigzag = (value << 1) ^ (value >> 63)
    if 0 <= zigzag < 1 << 16:
        return 1
    return 2 if 0 <= zigzag < 1 << 24 else 3


@jit
def _put_fixed(to: U8, at: int, value: int, code: int) -> int:
    zigzag = (value << 1) ^ (value >> 63)
    width = _width(code)
    for b in range(width):
        to[at + b] = (zigzag >> (8 * b)) & 255
    return at + width


@jit
def _fixed(row: U8, at: int, code: int | np.int64) -> int:
    zigzag = np.int64(0)
    for b in range(_width(code)):
        zigzag |= np.int64(row[at + b]) << (8 * b)
    return int(((zigzag >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(zigzag & 1))
