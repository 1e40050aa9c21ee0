"""A row as bytes, as it stands in Redis: varints, newest tile first, empty tiles left out.

    version     1 byte
    life        FIRST, LAST-FIRST, LAST-LAST_OWN, NEWEST-LAST, COUNT, IN, OUT, CHANNELS_SEEN
    accounts    how many; each: id (id_codec.py), balance, NEWEST-at
    five, hour  how many; each: steps back from the tile before it (the first: from NEWEST's tile), head, in, out
                head = count << 2 | has in | has out << 1
    day         how many; each: see day_list.py
    sections    the rest: what beliefs keep, and the contact history (section_codec.py)

Every number is a varint (byte_codec.py), but the version, id bytes, and what day_list.py and section_codec.py say.
profile/upgrade.py brings a row of an older version up to this one.
"""

from handlers.kernel.byte_codec import copy_bytes, get, put
from handlers.kernel.jit import I8, U8, jit
from handlers.state.day_list import put_days, skim_days
from handlers.state.id_codec import get_id, put_id
from handlers.state.retention import FIVE_KEPT, HOUR_KEPT
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_MAX,
    COUNT,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    LAST,
    LAST_OWN,
    LIFE_FIELDS,
    NEWEST,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    clear,
)
from handlers.state.section_codec import BROKEN, get_sections, put_sections
from schemas.units import DAY_MS, HOUR_MS

VERSION = 3

PADDING = 256
"""So many bytes must there be behind the last row of an array."""


class LayoutError(ValueError):
    """The bytes are not a row of a version that this program knows, or are cut short or broken."""


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
def _get_tiles(row: U8, at: int, end: int, tiles: I8, newest: int) -> tuple[int, int]:
    n, at = get(row, at)
    if at > end or n < 0 or n > tiles.shape[0]:
        return 0, BROKEN
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
        if at > end:
            return 0, BROKEN
    return n, at


@jit
def encode(s: OpenRow, to: U8, at: int, known: int) -> int:
    """Writes the row from place `at`; returns the place after it. `to` has ROW_BYTES_MAX left. `known` has the bits of
    the tags of beliefs' sections."""
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
        at = put_id(to, at, s.accounts, k)
        at = put(to, at, account[ACCOUNT_BALANCE])
        at = put(to, at, life[NEWEST] - account[ACCOUNT_AT])
    at = _put_tiles(to, at, s.five, s.size[FIVES], life[NEWEST] // FIVE_MS, FIVE_KEPT)
    at = _put_tiles(to, at, s.hour, s.size[HOURS], life[NEWEST] // HOUR_MS, HOUR_KEPT)
    at = put_days(s, to, at, life[NEWEST] // DAY_MS)
    return put_sections(s, to, at, known)


@jit
def decode(s: OpenRow, row: U8, at: int, end: int, known: int) -> int:
    """Opens row[at:end], of this version; returns where its sections start. `known` as for encode.

    BROKEN where it is cut short, or a length or a number of things cannot be; of such a row up to PADDING bytes behind
    `end` are looked at.
    """
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
    n, at = get(row, at)
    if at > end or n < 0 or n > ACCOUNTS_MAX:
        return BROKEN
    for k in range(n):
        account = s.accounts[k]
        at = get_id(row, at, s.accounts, k)
        if at == BROKEN or at > end:
            return BROKEN
        account[ACCOUNT_BALANCE], at = get(row, at)
        since, at = get(row, at)
        account[ACCOUNT_AT] = life[NEWEST] - since
    s.size[ACCOUNTS] = n
    s.size[FIVES], at = _get_tiles(row, at, end, s.five, life[NEWEST] // FIVE_MS)
    if at == BROKEN:
        return BROKEN
    s.size[HOURS], at = _get_tiles(row, at, end, s.hour, life[NEWEST] // HOUR_MS)
    if at == BROKEN:
        return BROKEN
    at = skim_days(s, row, at, end, start, life[NEWEST] // DAY_MS)
    if at == BROKEN or at - start > s.stored.shape[0] or not get_sections(s, row, at, end, known):
        return BROKEN
    copy_bytes(row, start, at, s.stored, 0)
    return at
