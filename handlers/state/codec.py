"""A row as bytes, as it stands in Redis: varints, newest tile first, empty tiles left out.

    version     1 byte
    life        FIRST, LAST-FIRST, LAST-LAST_OWN, NEWEST-LAST, COUNT, IN, OUT, CHANNELS_SEEN, DUE, RAISED_DUE,
                QUIET_UNTIL, LOOK, TIER
    accounts    how many; each: id, balance, NEWEST-at
    watches     how many; each: the account's id, kind, level, when
                id = -bytes shared with the id before it, if these are two or more; how many more; these
    five, hour  how many; each: steps back from the tile before it (the first: from NEWEST's tile), head, in, out
                head = count << 2 | has in | has out << 1
    day         how many; each: see days.py
    dealings    the rest: what was offered and answered, consents and products (dealings.py); empty for most

Every number is a varint (varint.py), but the version, id bytes, and what days.py says. upgrade.py brings a row of an
older version up to this one.
"""

import numpy as np

from handlers.kernel.byte_codec import copy_bytes, get, put
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, U8, jit
from handlers.state.day_list import put_days, skim_days
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    COUNT,
    FIRST,
    FIVE_KEPT,
    FIVE_MS,
    FIVES,
    HOUR_KEPT,
    HOURS,
    LAST,
    LAST_OWN,
    LIFE_FIELDS,
    NEWEST,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    WATCH_AT,
    WATCH_KIND,
    WATCHES,
    OpenRow,
    clear,
)
from schemas.units import DAY_MS, HOUR_MS

VERSION = 2


class LayoutError(ValueError):
    """The bytes are not a row of a version that this program knows."""


@jit
def _put_tiles(to: U8, at: int, tiles: I8, n: int, newest: int, kept: int) -> int:
    first = n
    while first > 0 and tiles[first - 1, TILE] > newest - kept:
        first -= 1
    at = put(to, at, n - first)
    before = newest
    for k in range(n - 1, first - 1, -1):
        has_in = 1 if tiles[k, TILE_IN] != 0 else 0
        has_out = 1 if tiles[k, TILE_OUT] != 0 else 0
        at = put(to, at, before - tiles[k, TILE])
        at = put(to, at, (tiles[k, TILE_COUNT] << 2) | has_in | (has_out << 1))
        if has_in:
            at = put(to, at, tiles[k, TILE_IN])
        if has_out:
            at = put(to, at, tiles[k, TILE_OUT])
        before = tiles[k, TILE]
    return at


@jit
def _get_tiles(row: U8, at: int, tiles: I8, newest: int) -> tuple[int, int]:
    n, at = get(row, at)
    tile = newest
    for k in range(n - 1, -1, -1):
        step, at = get(row, at)
        head, at = get(row, at)
        tile -= step
        tiles[k, TILE] = tile
        tiles[k, TILE_COUNT] = head >> 2
        tiles[k, TILE_IN] = 0
        tiles[k, TILE_OUT] = 0
        if head & 1:
            tiles[k, TILE_IN], at = get(row, at)
        if head & 2:
            tiles[k, TILE_OUT], at = get(row, at)
    return n, at


@jit
def _put_id(to: U8, at: int, entries: I8, k: int) -> int:
    """Of entry k, by what it shares with the one before."""
    words = entries[k]
    last = ACCOUNT_WORDS - 1
    while last >= 0 and words[last] == 0:
        last -= 1
    length = 8 * (last + 1)
    while length > 0 and (words[last] >> (((length - 1) & 7) << 3)) & 255 == 0:
        length -= 1
    shared = 0
    if k > 0:
        before = entries[k - 1]
        while shared < length and ((words[shared >> 3] ^ before[shared >> 3]) >> ((shared & 7) << 3)) & 255 == 0:
            shared += 1
    if shared > 1:  # else it would not be shorter
        at = put(to, at, -shared)
    else:
        shared = 0
    at = put(to, at, length - shared)
    for b in range(shared, length):
        to[at + b - shared] = (words[b >> 3] >> ((b & 7) << 3)) & 255
    return at + length - shared


@jit
def _get_id(row: U8, at: int, entries: I8, k: int) -> int:
    words = entries[k]
    words[:ACCOUNT_WORDS] = 0
    length, at = get(row, at)
    shared = 0
    if length < 0:
        shared = -length
        length, at = get(row, at)
        for b in range(shared):
            words[b >> 3] |= entries[k - 1, b >> 3] & (np.int64(255) << ((b & 7) << 3))
    for b in range(shared, shared + length):
        words[b >> 3] |= np.int64(row[at + b - shared]) << ((b & 7) << 3)
    return at + length


@jit
def encode(s: OpenRow, to: U8, at: int) -> int:
    """Writes the row from place `at`; returns the place after it. `to` has ROW_BYTES_MAX left."""
    to[at] = VERSION
    life = s.life
    at = put(to, at + 1, life[FIRST])
    at = put(to, at, life[LAST] - life[FIRST])
    at = put(to, at, life[LAST] - life[LAST_OWN])
    at = put(to, at, life[NEWEST] - life[LAST])
    for k in range(COUNT, LIFE_FIELDS):
        at = put(to, at, life[k])
    at = put(to, at, s.size[ACCOUNTS])
    for k in range(s.size[ACCOUNTS]):
        account = s.accounts[k]
        at = _put_id(to, at, s.accounts, k)
        at = put(to, at, account[ACCOUNT_BALANCE])
        at = put(to, at, life[NEWEST] - account[ACCOUNT_AT])
    at = put(to, at, s.size[WATCHES])
    for k in range(s.size[WATCHES]):
        at = _put_id(to, at, s.watches, k)
        for field in range(WATCH_KIND, WATCH_AT + 1):
            at = put(to, at, s.watches[k, field])
    at = _put_tiles(to, at, s.five, s.size[FIVES], life[NEWEST] // FIVE_MS, FIVE_KEPT)
    at = _put_tiles(to, at, s.hour, s.size[HOURS], life[NEWEST] // HOUR_MS, HOUR_KEPT)
    return put_days(s, to, at, life[NEWEST] // DAY_MS)


@jit
def decode(s: OpenRow, row: U8, at: int) -> int:
    """Opens the row that starts at place `at`; returns where its dealings start. It is of this version."""
    clear(s)
    start = at
    life = s.life
    life[FIRST], at = get(row, at + 1)
    for k in (LAST, LAST_OWN, NEWEST):
        life[k], at = get(row, at)
    life[LAST] += life[FIRST]
    life[LAST_OWN] = life[LAST] - life[LAST_OWN]
    life[NEWEST] += life[LAST]
    for k in range(COUNT, LIFE_FIELDS):
        life[k], at = get(row, at)
    s.size[ACCOUNTS], at = get(row, at)
    for k in range(s.size[ACCOUNTS]):
        account = s.accounts[k]
        at = _get_id(row, at, s.accounts, k)
        account[ACCOUNT_BALANCE], at = get(row, at)
        since, at = get(row, at)
        account[ACCOUNT_AT] = life[NEWEST] - since
    s.size[WATCHES], at = get(row, at)
    for k in range(s.size[WATCHES]):
        at = _get_id(row, at, s.watches, k)
        for field in range(WATCH_KIND, WATCH_AT + 1):
            s.watches[k, field], at = get(row, at)
    s.size[FIVES], at = _get_tiles(row, at, s.five, life[NEWEST] // FIVE_MS)
    s.size[HOURS], at = _get_tiles(row, at, s.hour, life[NEWEST] // HOUR_MS)
    end = skim_days(s, row, at, start, life[NEWEST] // DAY_MS)
    copy_bytes(row, start, end, s.stored, 0)
    return end
