"""A row as bytes, as it stands in Redis: varints, newest tile first, empty tiles left out.

    version     1 byte
    life        FIRST, LAST-FIRST, LAST-LAST_OWN, NEWEST-LAST, COUNT, IN, OUT, CHANNELS_SEEN, DUE, RAISED_DUE,
                QUIET_UNTIL, LOOK, TIER
    accounts    how many; each: length of the id, the id's bytes, balance, NEWEST-at
    watches     how many; each: length of the account's id, the id's bytes, kind, level, when
    five, hour  how many; each: steps back from the tile before it (the first: from NEWEST's tile), head, in, out
                head = count << 2 | has in | has out << 1
    day         the same with head = flags, then count, in, out, own, largest, low, high-low, mix
                flags = in 1, out 2, own differs from count 4, largest 8, largest is in 16, balance 32, mix 64
                mix = one byte (channel * types + type) if the day holds one of each, else 128 + how many entries,
                each index + 32 * count
    dealings    the rest: what was offered and answered, consents and products (dealings.py); empty for most

Every number is a LEB128 varint of its zigzag, but the version, id bytes, flags and mix bytes. What no window can see
any more is left out: mix and largest credit after 90 days, balances after 30.

Version 1 had neither LOOK nor TIER nor dealings, and cooldowns of offers (how many; each: hash, until) in the place of
watches; upgrade.py brings a row of that version up to this one.
"""

import numpy as np
from numpy.typing import NDArray

from handlers.batch import ACCOUNT_WORDS, I8
from handlers.jit import jit
from handlers.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    CHANNEL_COUNT,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_KEPT,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_KEPT,
    FIVE_MS,
    FIVES,
    HOUR_KEPT,
    HOURS,
    LAST,
    LAST_OWN,
    LIFE_FIELDS,
    MIX_FIELDS,
    NEWEST,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    WATCH_AT,
    WATCH_KIND,
    WATCHES,
    Scratch,
    clear,
)
from schemas.units import DAY_MS, HOUR_MS

U8 = NDArray[np.uint8]

VERSION = 2
ROW_BYTES_MAX = 48_000
"""No row is longer, dealings not counted: 12 + 168 tiles of at most 33 bytes, 180 days of at most 160, 16 accounts, 8
watches."""

_MIX_DAYS = 90
_BALANCE_DAYS = 30
_TYPE_COUNT = MIX_FIELDS - CHANNEL_COUNT
_ID_BYTES = 8 * ACCOUNT_WORDS


class LayoutError(ValueError):
    """The bytes are not a row of a version that this program knows."""


@jit
def _put(to: U8, at: int, value: int) -> int:
    z = (value << 1) ^ (value >> 63)
    while z >= 128 or z < 0:
        to[at] = (z & 127) | 128
        z = (z >> 7) & 0x01FFFFFFFFFFFFFF
        at += 1
    to[at] = z
    return at + 1


@jit
def get(row: U8, cursor: I8) -> int:
    at = cursor[0]
    shift = 0
    z = np.int64(0)
    while True:
        b = np.int64(row[at])
        at += 1
        z |= np.int64(b & 127) << shift
        if b < 128:
            break
        shift += 7
    cursor[0] = at
    return int(((z >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(z & 1))


@jit
def _put_tiles(to: U8, at: int, tiles: I8, n: int, newest: int, kept: int) -> int:
    first = n
    while first > 0 and tiles[first - 1, TILE] > newest - kept:
        first -= 1
    at = _put(to, at, n - first)
    before = newest
    for k in range(n - 1, first - 1, -1):
        has_in = 1 if tiles[k, TILE_IN] != 0 else 0
        has_out = 1 if tiles[k, TILE_OUT] != 0 else 0
        at = _put(to, at, before - tiles[k, TILE])
        at = _put(to, at, (tiles[k, TILE_COUNT] << 2) | has_in | (has_out << 1))
        if has_in:
            at = _put(to, at, tiles[k, TILE_IN])
        if has_out:
            at = _put(to, at, tiles[k, TILE_OUT])
        before = tiles[k, TILE]
    return at


@jit
def _get_tiles(row: U8, cursor: I8, tiles: I8, newest: int) -> int:
    n = get(row, cursor)
    tile = newest
    for k in range(n - 1, -1, -1):
        tile -= get(row, cursor)
        head = get(row, cursor)
        tiles[k, TILE] = tile
        tiles[k, TILE_COUNT] = head >> 2
        tiles[k, TILE_IN] = get(row, cursor) if head & 1 else 0
        tiles[k, TILE_OUT] = get(row, cursor) if head & 2 else 0
    return n


@jit
def _put_mix(to: U8, at: int, day: I8) -> int:
    channels = types = entries = 0
    channel = kind = 0
    for k in range(MIX_FIELDS):
        count = day[DAY_MIX + k]
        if count != 0:
            entries += 1
            if k < CHANNEL_COUNT:
                channels += count if count > 0 else 2
                channel = k
            else:
                types += count if count > 0 else 2
                kind = k - CHANNEL_COUNT
    if channels == 1 and types == 1:
        to[at] = channel * _TYPE_COUNT + kind
        return at + 1
    to[at] = 128 + entries
    at += 1
    for k in range(MIX_FIELDS):
        if day[DAY_MIX + k] != 0:
            at = _put(to, at, day[DAY_MIX + k] * 32 + k)
    return at


@jit
def _get_mix(row: U8, cursor: I8, day: I8) -> None:
    head = np.int64(row[cursor[0]])
    cursor[0] += 1
    if head < 128:
        day[DAY_MIX + head // _TYPE_COUNT] = 1
        day[DAY_MIX + CHANNEL_COUNT + head % _TYPE_COUNT] = 1
        return
    for _ in range(head - 128):
        entry = get(row, cursor)
        day[DAY_MIX + (entry & 31)] = entry >> 5


@jit
def _put_days(to: U8, at: int, s: Scratch, newest: int) -> int:
    n = s.size[DAYS]
    first = n
    while first > 0 and s.day[first - 1, TILE] > newest - DAY_KEPT:
        first -= 1
    at = _put(to, at, n - first)
    before = newest
    for k in range(n - 1, first - 1, -1):
        day = s.day[k]
        age = newest - day[TILE]
        has_largest = age < _MIX_DAYS and day[DAY_LARGEST] != 0
        has_balance = age < _BALANCE_DAYS and day[DAY_HAS_BALANCE] != 0
        has_mix = False
        if age < _MIX_DAYS:
            for m in range(MIX_FIELDS):
                has_mix |= day[DAY_MIX + m] != 0
        flags = 0
        flags |= 1 if day[TILE_IN] != 0 else 0
        flags |= 2 if day[TILE_OUT] != 0 else 0
        flags |= 4 if day[DAY_OWN] != day[TILE_COUNT] else 0
        flags |= 8 if has_largest else 0
        flags |= 16 if has_largest and day[DAY_LARGEST] == day[TILE_IN] else 0
        flags |= 32 if has_balance else 0
        flags |= 64 if has_mix else 0
        at = _put(to, at, before - day[TILE])
        before = day[TILE]
        to[at] = flags
        at = _put(to, at + 1, day[TILE_COUNT])
        if flags & 1:
            at = _put(to, at, day[TILE_IN])
        if flags & 2:
            at = _put(to, at, day[TILE_OUT])
        if flags & 4:
            at = _put(to, at, day[DAY_OWN])
        if flags & 8 and not flags & 16:
            at = _put(to, at, day[DAY_LARGEST])
        if flags & 32:
            at = _put(to, at, day[DAY_LOW])
            at = _put(to, at, day[DAY_HIGH] - day[DAY_LOW])
        if flags & 64:
            at = _put_mix(to, at, day)
    return at


@jit
def _get_days(row: U8, cursor: I8, s: Scratch, newest: int) -> int:
    n = get(row, cursor)
    tile = newest
    for k in range(n - 1, -1, -1):
        day = s.day[k]
        tile -= get(row, cursor)
        flags = np.int64(row[cursor[0]])
        cursor[0] += 1
        day[:] = 0
        day[TILE] = tile
        day[TILE_COUNT] = get(row, cursor)
        if flags & 1:
            day[TILE_IN] = get(row, cursor)
        if flags & 2:
            day[TILE_OUT] = get(row, cursor)
        day[DAY_OWN] = get(row, cursor) if flags & 4 else day[TILE_COUNT]
        if flags & 8:
            day[DAY_LARGEST] = day[TILE_IN] if flags & 16 else get(row, cursor)
        if flags & 32:
            day[DAY_HAS_BALANCE] = 1
            day[DAY_LOW] = get(row, cursor)
            day[DAY_HIGH] = day[DAY_LOW] + get(row, cursor)
        if flags & 64:
            _get_mix(row, cursor, day)
    return n


@jit
def _put_id(to: U8, at: int, words: I8) -> int:
    length = 0
    for b in range(_ID_BYTES):
        if (words[b // 8] >> (8 * (b % 8))) & 255:
            length = b + 1
    at = _put(to, at, length)
    for b in range(length):
        to[at + b] = (words[b // 8] >> (8 * (b % 8))) & 255
    return at + length


@jit
def _get_id(row: U8, cursor: I8, words: I8) -> None:
    words[:ACCOUNT_WORDS] = 0
    length = get(row, cursor)
    for b in range(length):
        words[b // 8] |= np.int64(row[cursor[0] + b]) << (8 * (b % 8))
    cursor[0] += length


@jit
def encode(s: Scratch, to: U8, at: int) -> int:
    """Writes the row from place `at`; returns the place after it. `to` has ROW_BYTES_MAX left."""
    to[at] = VERSION
    life = s.life
    at = _put(to, at + 1, life[FIRST])
    at = _put(to, at, life[LAST] - life[FIRST])
    at = _put(to, at, life[LAST] - life[LAST_OWN])
    at = _put(to, at, life[NEWEST] - life[LAST])
    for k in range(COUNT, LIFE_FIELDS):
        at = _put(to, at, life[k])
    at = _put(to, at, s.size[ACCOUNTS])
    for k in range(s.size[ACCOUNTS]):
        account = s.accounts[k]
        at = _put_id(to, at, account)
        at = _put(to, at, account[ACCOUNT_BALANCE])
        at = _put(to, at, life[NEWEST] - account[ACCOUNT_AT])
    at = _put(to, at, s.size[WATCHES])
    for k in range(s.size[WATCHES]):
        at = _put_id(to, at, s.watches[k])
        for field in range(WATCH_KIND, WATCH_AT + 1):
            at = _put(to, at, s.watches[k, field])
    at = _put_tiles(to, at, s.five, s.size[FIVES], life[NEWEST] // FIVE_MS, FIVE_KEPT)
    at = _put_tiles(to, at, s.hour, s.size[HOURS], life[NEWEST] // HOUR_MS, HOUR_KEPT)
    return _put_days(to, at, s, life[NEWEST] // DAY_MS)


@jit
def decode(s: Scratch, row: U8, at: int) -> int:
    """Opens the row that starts at place `at`; returns where its dealings start. It is of this version."""
    clear(s)
    cursor = np.empty(1, np.int64)
    cursor[0] = at + 1
    life = s.life
    life[FIRST] = get(row, cursor)
    life[LAST] = life[FIRST] + get(row, cursor)
    life[LAST_OWN] = life[LAST] - get(row, cursor)
    life[NEWEST] = life[LAST] + get(row, cursor)
    for k in range(COUNT, LIFE_FIELDS):
        life[k] = get(row, cursor)
    s.size[ACCOUNTS] = get(row, cursor)
    for k in range(s.size[ACCOUNTS]):
        account = s.accounts[k]
        _get_id(row, cursor, account)
        account[ACCOUNT_BALANCE] = get(row, cursor)
        account[ACCOUNT_AT] = life[NEWEST] - get(row, cursor)
    s.size[WATCHES] = get(row, cursor)
    for k in range(s.size[WATCHES]):
        _get_id(row, cursor, s.watches[k])
        for field in range(WATCH_KIND, WATCH_AT + 1):
            s.watches[k, field] = get(row, cursor)
    s.size[FIVES] = _get_tiles(row, cursor, s.five, life[NEWEST] // FIVE_MS)
    s.size[HOURS] = _get_tiles(row, cursor, s.hour, life[NEWEST] // HOUR_MS)
    s.size[DAYS] = _get_days(row, cursor, s, life[NEWEST] // DAY_MS)
    return int(cursor[0])
