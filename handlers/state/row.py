"""A customer's row, opened: plain int64 arrays that the kernels fold into. codec.py writes it as bytes.

One OpenRow is used for one customer after another. Tiles are kept sparse, oldest first;
`size` says how many are in use.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, jit
from handlers.state.retention import DAY_KEPT, FIVE_KEPT, HOUR_KEPT
from schemas.transaction import CHANNELS, TYPES
from schemas.units import MINUTE_MS

FIVE_MS = 5 * MINUTE_MS

ACCOUNTS_MAX = 64
WATCHES_MAX = 8

# life: figures of the whole life. Times are epoch ms, 0 is none.
FIRST = 0  # earliest transaction
LAST = 1  # latest transaction
LAST_OWN = 2  # latest transaction that the customer made
NEWEST = 3  # latest moment ever touched, reversals included: tiles are kept relative to it
COUNT = 4
IN = 5
OUT = 6
CHANNELS_SEEN = 7  # bit by place in CHANNELS, and ACCOUNTS_LOST
LIFE_FIELDS = 8

ACCOUNTS_LOST = 1 << 12
"""In CHANNELS_SEEN: the customer has had more than ACCOUNTS_MAX accounts, and not all balances are known."""

# tiles: five and hour have the first four columns, day has all
TILE = 0  # time // tile length
TILE_COUNT = 1
TILE_IN = 2
TILE_OUT = 3
TILE_FIELDS = 4
DAY_OWN = 4  # transactions that the customer made
DAY_STATE = 5
DAY_START = 6  # where its bytes are in `stored`
DAY_END = 7
DAY_HEAD_FIELDS = 8  # those above are kept of a day that isn't opened
DAY_LARGEST = 8  # largest credit, 0 is none; see largest_credit
DAY_HAS_BALANCE = 9
DAY_LOW = 10
DAY_HIGH = 11
DAY_MIX = 12  # counts by channel, then by type
CHANNEL_COUNT = len(CHANNELS)
MIX_FIELDS = len(CHANNELS) + len(TYPES)
DAY_FIELDS = DAY_MIX + MIX_FIELDS

CHANGED, CLOSED, READ = 0, 1, 2
"""States of a day: to be written anew (as one that is made is), only skimmed, opened and the same as stored.

Of a day that is only skimmed TILE is known, and DAY_OWN by its sign, if not told: -1 then."""

# accounts: the id's words, then
ACCOUNT_BALANCE = ACCOUNT_WORDS
ACCOUNT_AT = ACCOUNT_WORDS + 1
ACCOUNT_FIELDS = ACCOUNT_WORDS + 2

# products that are watched: the account's words, then
WATCH_KIND = ACCOUNT_WORDS
WATCH_LEVEL = ACCOUNT_WORDS + 1  # balance at which a card is near its limit, a loan nearly repaid
WATCH_AT = ACCOUNT_WORDS + 2  # when to look at a deposit
WATCH_FIELDS = ACCOUNT_WORDS + 3

# numbers of beliefs' sections, by tag (belief/section.py)
SECTIONS_MAX = 16
SECTION_NUMBERS_MAX = 8

# places in size
FIVES = 0
HOURS = 1
DAYS = 2
ACCOUNTS = 3
WATCHES = 4
SIZES = 5

ROW_BYTES_MAX = 56_000
"""No row is longer, but for sections that are not opened: 12 + 168 tiles of at most 33 bytes, 180 days of at most 240,
64 accounts, 8 watches, 15 sections of 8 numbers."""

MINOR_LIMIT = 1 << 62
"""Sums stop here instead of overflowing."""


class OpenRow(NamedTuple):
    """One opened row."""

    life: I8
    five: I8
    hour: I8
    day: I8
    accounts: I8
    watches: I8
    sections: I8
    """(SECTIONS_MAX, SECTION_NUMBERS_MAX)."""
    size: I8
    stored: NDArray[np.uint8]
    """The row's bytes as they were read, for days that are not opened."""


def new_open_row() -> OpenRow:
    """An empty row."""
    spare = 2  # a tile is inserted before the oldest is dropped
    return OpenRow(
        np.zeros(LIFE_FIELDS, np.int64),
        np.zeros((FIVE_KEPT + spare, TILE_FIELDS), np.int64),
        np.zeros((HOUR_KEPT + spare, TILE_FIELDS), np.int64),
        np.zeros((DAY_KEPT + spare, DAY_FIELDS), np.int64),
        np.zeros((ACCOUNTS_MAX + 1, ACCOUNT_FIELDS), np.int64),
        np.zeros((WATCHES_MAX + 1, WATCH_FIELDS), np.int64),
        np.zeros((SECTIONS_MAX, SECTION_NUMBERS_MAX), np.int64),
        np.zeros(SIZES, np.int64),
        np.zeros(ROW_BYTES_MAX, np.uint8),
    )


@jit
def clear(s: OpenRow) -> None:
    """Makes the row empty."""
    s.life[:] = 0
    s.sections[:] = 0
    s.size[:] = 0


@jit
def copy(entries: I8, to: int, place: int) -> None:
    """Entry `to` becomes what the one at `place` is."""
    for field in range(entries.shape[1]):
        entries[to, field] = entries[place, field]


@jit
def add(a: int, b: int) -> int:
    """a + b, held within +-MINOR_LIMIT."""
    return min(max(a + b, -MINOR_LIMIT), MINOR_LIMIT)


@jit
def largest_credit(day: I8) -> int:
    """Of an open day, 0 is none: no more than what is left of its credits after reversals."""
    return int(min(day[DAY_LARGEST], day[TILE_IN]))


@jit
def forget(tiles: I8, size: I8, which: int, oldest: int) -> None:
    """Drops the tiles before `oldest`."""
    n = size[which]
    drop = 0
    while drop < n and tiles[drop, TILE] < oldest:
        drop += 1
    if drop > 0:
        for k in range(drop, n):
            closed = which == DAYS and tiles[k, DAY_STATE] == CLOSED
            for field in range(DAY_HEAD_FIELDS if closed else tiles.shape[1]):
                tiles[k - drop, field] = tiles[k, field]
        size[which] = n - drop


@jit
def tile_at(tiles: I8, size: I8, which: int, tile: int, oldest: int) -> int:
    """The place of `tile`, made if it isn't there; tiles before `oldest` are dropped first. `tile` >= `oldest`."""
    n = size[which]
    if n > 0 and tiles[n - 1, TILE] == tile:
        return int(n - 1)
    forget(tiles, size, which, oldest)
    n = size[which]
    place = n
    while place > 0 and tiles[place - 1, TILE] > tile:
        place -= 1
    if place > 0 and tiles[place - 1, TILE] == tile:
        return int(place - 1)
    for k in range(n, place, -1):
        copy(tiles, k, k - 1)
    tiles[place] = 0
    tiles[place, TILE] = tile
    size[which] = n + 1
    return int(place)
