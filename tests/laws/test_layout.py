"""A row survives being written and read, whatever is in it, and written again it is the same bytes."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.beliefs import BELIEFS, KNOWN
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.state.codec import decode, encode
from handlers.state.day_codec import open_day
from handlers.state.day_list import open_days
from handlers.state.retention import DAY_KEPT, FIVE_KEPT, HOUR_KEPT
from handlers.state.row import (
    ACCOUNTS,
    ACCOUNTS_MAX,
    CHANGED,
    COUNT,
    DAY_END,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAY_START,
    DAY_STATE,
    DAYS,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    LAST,
    LAST_OWN,
    LIFE_FIELDS,
    MINOR_LIMIT,
    MIX_FIELDS,
    NEWEST,
    ROW_BYTES_MAX,
    SECTION_NUMBERS_MAX,
    TILE,
    TILE_COUNT,
    TILE_FIELDS,
    TILE_IN,
    TILE_OUT,
    WATCHES,
    WATCHES_MAX,
    OpenRow,
    new_open_row,
)
from schemas.transaction import AMOUNT_LIMIT
from schemas.units import DAY_MS, HOUR_MS

MIX_AND_LARGEST_DAYS = 90
BALANCE_DAYS = 30


class Tile(NamedTuple):
    """Of any length; `age` in tiles before the newest. What a short tile doesn't have is left unused."""

    age: int
    entries: int
    money_in: int
    money_out: int
    own: int
    largest: int | None
    """None: the same as money in."""
    balances: tuple[int, int] | None
    mix: dict[int, int]


moments = st.integers(1, 4_102_444_800_000)
counts = st.one_of(st.integers(-3, 3), st.integers(-(10**6), 10**6))
sums = st.one_of(st.just(0), st.integers(-MINOR_LIMIT, MINOR_LIMIT), st.integers(-200, 200))
kept = st.one_of(st.just(0), moments, sums)
"""Of a section: as many as a newer program may have."""
balances = st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT)
ranges = st.tuples(balances, balances).map(lambda pair: (min(pair), max(pair)))
mixes = st.dictionaries(st.integers(0, MIX_FIELDS - 1), counts.filter(bool))
single = st.tuples(st.integers(0, 7), st.integers(8, MIX_FIELDS - 1)).map(lambda pair: dict.fromkeys(pair, 1))


def tiles(kept: int, most: int) -> st.SearchStrategy[list[Tile]]:
    """Tiles of different ages, oldest first."""
    tile = st.builds(
        Tile,
        st.integers(0, kept - 1),
        counts,
        sums,
        sums,
        counts,
        st.one_of(st.none(), st.just(0), st.integers(0, AMOUNT_LIMIT)),
        st.one_of(st.none(), ranges),
        st.one_of(mixes, single),
    )
    return st.lists(tile, max_size=most, unique_by=lambda t: t.age).map(lambda found: sorted(found, reverse=True))


@st.composite
def opened_rows(draw: st.DrawFn) -> OpenRow:
    """A row with anything that a row may hold."""
    s = new_open_row()
    s.life[FIRST], s.life[LAST], s.life[NEWEST] = sorted(draw(st.tuples(moments, moments, moments)))
    s.life[LAST_OWN] = draw(st.one_of(st.just(0), moments))
    s.life[COUNT:] = draw(st.lists(sums, min_size=LIFE_FIELDS - COUNT, max_size=LIFE_FIELDS - COUNT))
    for belief in BELIEFS:
        s.sections[belief.section.tag] = draw(
            st.lists(kept, min_size=SECTION_NUMBERS_MAX, max_size=SECTION_NUMBERS_MAX)
        )
    words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8 * ACCOUNT_WORDS)
    for place, name in enumerate(draw(st.lists(words, max_size=ACCOUNTS_MAX, unique=True))):
        account = np.frombuffer(name.encode().ljust(8 * ACCOUNT_WORDS, b"\0"), np.int64)
        s.accounts[place] = [*account, draw(balances), draw(moments)]
        s.size[ACCOUNTS] = place + 1
    watched = st.tuples(words, st.integers(-5, -2), balances, moments)
    for place, (name, *figures) in enumerate(draw(st.lists(watched, max_size=WATCHES_MAX))):
        s.watches[place] = [*np.frombuffer(name.encode().ljust(8 * ACCOUNT_WORDS, b"\0"), np.int64), *figures]
        s.size[WATCHES] = place + 1
    _put_short(s, FIVES, s.five, draw(tiles(FIVE_KEPT, FIVE_KEPT)), s.life[NEWEST] // FIVE_MS)
    _put_short(s, HOURS, s.hour, draw(tiles(HOUR_KEPT, 12)), s.life[NEWEST] // HOUR_MS)
    days = draw(tiles(DAY_KEPT, 20))
    _put_short(s, DAYS, s.day, days, s.life[NEWEST] // DAY_MS)
    for place, tile in enumerate(days):
        day = s.day[place]
        day[DAY_OWN] = tile.own
        if tile.age < MIX_AND_LARGEST_DAYS:
            day[DAY_LARGEST] = max(tile.money_in, 0) if tile.largest is None else tile.largest
            for part, count in tile.mix.items():
                day[DAY_MIX + part] = count
        if tile.balances is not None and tile.age < BALANCE_DAYS:
            day[DAY_HAS_BALANCE] = 1
            day[DAY_LOW], day[DAY_HIGH] = tile.balances
    return s


def _put_short(s: OpenRow, which: int, to: np.ndarray, found: list[Tile], newest: int) -> None:
    for place, tile in enumerate(found):
        to[place, [TILE, TILE_COUNT, TILE_IN, TILE_OUT]] = newest - tile.age, *tile[1:4]
    s.size[which] = len(found)


_TILES = ((FIVES, "five", FIVE_KEPT, FIVE_MS), (HOURS, "hour", HOUR_KEPT, HOUR_MS), (DAYS, "day", DAY_KEPT, DAY_MS))


def _written(s: OpenRow) -> bytes:
    buffer = np.zeros(ROW_BYTES_MAX, np.uint8)
    return buffer[: encode(s, buffer, 0, KNOWN)].tobytes()


def _opened(row: bytes) -> OpenRow:
    s = new_open_row()
    for field in s:
        field[:] = 77  # what another customer's row left behind
    assert decode(s, np.frombuffer(row, np.uint8), 0, len(row), KNOWN) > 0
    return s


def _contents(s: OpenRow) -> list[list[object]]:
    """All that is in an opened row, but where its days stood."""
    days = np.delete(s.day[: s.size[DAYS]], [DAY_STATE, DAY_START, DAY_END], axis=1)
    short = (s.five[: s.size[FIVES], :TILE_FIELDS], s.hour[: s.size[HOURS], :TILE_FIELDS])
    accounts, watches = s.accounts[: s.size[ACCOUNTS]], s.watches[: s.size[WATCHES]]
    return [part.tolist() for part in (s.life, s.sections, s.size, accounts, watches, *short, days)]


@settings(max_examples=80)
@given(opened_rows())
def test_a_row_is_read_as_it_was_written(s: OpenRow) -> None:
    found = _opened(_written(s))
    open_days(found)
    assert _contents(found) == _contents(s)


@settings(max_examples=40)
@given(opened_rows(), st.one_of(st.just(0), st.integers(0, 40), st.integers(0, 200)), st.sets(st.integers(0, 19)))
def test_the_bytes_do_not_tell_which_days_were_opened(s: OpenRow, days_later: int, changed: set[int]) -> None:
    row = _written(s)
    closed, some, every = (_opened(row) for _ in range(3))
    assert _written(closed) == row
    open_days(every)
    for place in changed & set(range(some.size[DAYS])):
        open_day(some, place)
        some.day[place, DAY_STATE] = CHANGED
    every.day[:, DAY_STATE] = CHANGED
    for one in (closed, some, every):
        one.life[NEWEST] += days_later * DAY_MS
    row = _written(every)
    assert _written(closed) == _written(some) == row
    found = _opened(row)
    for which, tiles_, kept, length in _TILES:
        known = getattr(s, tiles_)[: s.size[which], TILE]
        newest = every.life[NEWEST] // length
        assert getattr(found, tiles_)[: found.size[which], TILE].tolist() == known[known > newest - kept].tolist()


def test_the_fullest_row_has_room() -> None:
    s = new_open_row()
    for field in s:
        field[:] = -MINOR_LIMIT if field.dtype == np.int64 else 0
    s.life[NEWEST] = 4_102_444_800_000
    s.accounts[:, :ACCOUNT_WORDS] = int.from_bytes(b"zzzzzzzz", "little")
    s.watches[:, :ACCOUNT_WORDS] = int.from_bytes(b"zzzzzzzz", "little")
    for tiles_, kept, length in ((s.five, FIVE_KEPT, FIVE_MS), (s.hour, HOUR_KEPT, HOUR_MS), (s.day, DAY_KEPT, DAY_MS)):
        tiles_[:kept, TILE] = s.life[NEWEST] // length - np.arange(kept)[::-1]
        tiles_[:, TILE_COUNT] = 10**9
    s.day[:, DAY_STATE], s.day[:, [DAY_START, DAY_END]] = CHANGED, 0
    s.day[:, DAY_OWN] = 10**9 - 1
    s.day[:, DAY_LARGEST] = s.day[:, DAY_HIGH] = AMOUNT_LIMIT
    s.day[:, DAY_HAS_BALANCE], s.day[:, DAY_LOW] = 1, -AMOUNT_LIMIT
    s.day[:, DAY_MIX:] = 10**9
    s.size[:] = FIVE_KEPT, HOUR_KEPT, DAY_KEPT, ACCOUNTS_MAX, WATCHES_MAX
    buffer = np.zeros(10 * ROW_BYTES_MAX, np.uint8)
    assert 20_000 < encode(s, buffer, 0, KNOWN) <= ROW_BYTES_MAX
