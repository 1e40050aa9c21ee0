"""One daily tile as bytes, and opened.

    head        code of in | code of out << 2 | counts << 4 | 128 if more follows (codes: fixed.py)
                counts: 0 to 2 one to three transactions, all of them the customer's own; 3 so many as told, all own;
                4 one, not own; 5 so many as told, none own; 6 both told
    more        largest | code of low << 2 | code of high-low << 4 | mix << 6
                largest: 0 none, 1 as much as in, 2 told in 3 bytes, 3 in 8; mix: 0 none, 1 pairs, 2 list
                no balance was reported where the code of low is 0
                where it is left out there is no largest and no balance, and the mix is pairs if any bytes remain
    then        count and own as varints where told; in, out, largest, low, high-low; mix
                pairs: a byte for each of at most PAIRS_MAX transactions, channel * 32 + type; which channel stands with
                which type says nothing
                list: how many entries, each index + 32 * count, as varints

What no window can see any more is left out: mix and largest credit after 90 days, balances after 30.
"""

import numpy as np

from handlers.kernel.byte_codec import get, get_fixed, put, put_fixed, width, width_of
from handlers.kernel.jit import I8, U8, jit
from handlers.state.retention import BALANCE_DAYS, MIX_DAYS
from handlers.state.row import (
    CHANGED,
    CHANNEL_COUNT,
    CLOSED,
    DAY_END,
    DAY_HAS_BALANCE,
    DAY_HEAD_FIELDS,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAY_START,
    DAY_STATE,
    MIX_FIELDS,
    READ,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
)

PAIRS_MAX = 4
_TOLD, _ONE_NOT_OWN, _TOLD_NONE_OWN, _BOTH_TOLD = 3, 4, 5, 6


@jit
def own_as_stored(head: int | np.int64) -> int:
    """What a day's first byte says of own transactions: 1 some, 0 none, -1 that it is told further on."""
    counts = (head >> 4) & 7
    return 1 if counts <= _TOLD else (-1 if counts == _BOTH_TOLD else 0)


@jit
def open_day(s: OpenRow, k: int) -> None:
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
    day[TILE_IN] = get_fixed(row, at, head & 3)
    at += width(head & 3)
    day[TILE_OUT] = get_fixed(row, at, (head >> 2) & 3)
    at += width((head >> 2) & 3)
    largest = more & 3
    if largest == 1:
        day[DAY_LARGEST] = day[TILE_IN]
    elif largest > 1:
        day[DAY_LARGEST] = get_fixed(row, at, largest)
        at += width(largest)
    low, span = (more >> 2) & 3, (more >> 4) & 3
    if low != 0:
        day[DAY_HAS_BALANCE] = 1
        day[DAY_LOW] = get_fixed(row, at, low)
        at += width(low)
        day[DAY_HIGH] = day[DAY_LOW] + get_fixed(row, at, span)
        at += width(span)
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
def stays_as_stored(state: int, head: int, more: int, age: int, length: int) -> bool:
    """Whether a day's bytes, `length` of them, are right as stored: it hasn't changed, and it holds nothing that no
    window can see at that age. Of numbers only: handing on a row's arrays would cost more than looking."""
    if state == CHANGED:
        return False
    if age < BALANCE_DAYS:
        return True
    if head >= 128:
        return not (more & 0x3C or (age >= MIX_DAYS and more & 0xC3))
    if age < MIX_DAYS:
        return True
    counts = (head >> 4) & 7
    plain = counts < _TOLD or counts == _ONE_NOT_OWN  # else what remains behind the amounts isn't known
    return bool(plain and 1 + width(head & 3) + width((head >> 2) & 3) == length)


@jit
def put_day(day: I8, age: int, to: U8, at: int) -> int:
    """Writes an open day of that age in days; returns the place after it."""
    count, own = day[TILE_COUNT], day[DAY_OWN]
    largest = low = mix = 0
    if age < MIX_DAYS:
        if day[DAY_LARGEST] != 0:
            largest = 1 if day[DAY_LARGEST] == day[TILE_IN] else max(2, width_of(day[DAY_LARGEST]))
        mix = _mix_kind(day)
    if age < BALANCE_DAYS and day[DAY_HAS_BALANCE] != 0:
        low = max(1, width_of(day[DAY_LOW]))
    span = width_of(day[DAY_HIGH] - day[DAY_LOW]) if low != 0 else 0
    if own == 0:
        counts = _ONE_NOT_OWN if count == 1 else _TOLD_NONE_OWN
    elif own != count or own < 0:
        counts = _BOTH_TOLD
    else:
        counts = count - 1 if count <= _TOLD else _TOLD
    into, out = width_of(day[TILE_IN]), width_of(day[TILE_OUT])
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
    at = put_fixed(to, at, day[TILE_IN], into)
    at = put_fixed(to, at, day[TILE_OUT], out)
    if largest > 1:
        at = put_fixed(to, at, day[DAY_LARGEST], largest)
    at = put_fixed(to, at, day[DAY_LOW], low)
    at = put_fixed(to, at, day[DAY_HIGH] - day[DAY_LOW], span)
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
