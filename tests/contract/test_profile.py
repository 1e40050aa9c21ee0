"""tracker_profile, as any Redis client calls it, says what handlers.aggregates.evaluate says, to the last bit."""

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.aggregates.features import FEATURES, Feature
from handlers.contact.history import CONTACT, ContactHistory
from handlers.engine.beliefs import BELIEFS, KNOWN
from handlers.profile.customer import profile
from handlers.state import codec
from handlers.state.retention import DAY_KEPT, FIVE_KEPT, HOUR_KEPT
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_MAX,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    LAST,
    LAST_OWN,
    LIFE_FIELDS,
    MIX_FIELDS,
    NEWEST,
    ROW_BYTES_MAX,
    SECTION_NUMBERS_MAX,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    WATCHES,
    WATCHES_MAX,
    OpenRow,
    new_open_row,
)
from handlers.state.sections import joined
from schemas.units import DAY_MS, HOUR_MS
from streams.store.port import Changes, Position
from streams.store.profile_library import EDITION, profile_library, supersedes
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import OneServer
from tests.bank import day
from tests.drawn_features import Declaration, answered, computed, declarations
from tests.unit.test_compatibility import ROW_1
from tests.unit.test_sections import ROW_2

START = 1_700_000_000_000
EXACT = 2**53
"""Beyond it Lua's doubles round; nothing drawn here sums up to more."""


@pytest.fixture
def store(server: str) -> Iterator[RedisStore]:
    with redis_client(server) as client:
        yield RedisStore(OneServer(client))


@pytest.fixture
def reader(server: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server, protocol=2, decode_responses=True) as client:
        yield client


def amount(chance: random.Random) -> int:
    return chance.choice((0, 1, -1, chance.randint(-900, 900), chance.randint(-(10**12), 10**12), EXACT // 1_000))


def fill_tiles(chance: random.Random, s: OpenRow, which: int, newest: int, kept: int) -> None:
    tiles = (s.five, s.hour, s.day)[which]
    density = chance.choice((0, 0.05, 0.4, 1))
    chosen = [tile for tile in range(newest - kept + 1, newest + 1) if chance.random() < density]
    s.size[which] = len(chosen)
    for k, tile in enumerate(chosen):
        tiles[k] = 0
        tiles[k, TILE] = tile
        tiles[k, TILE_COUNT] = chance.choice((0, 1, 2, 300, -1))
        tiles[k, TILE_IN], tiles[k, TILE_OUT] = amount(chance), amount(chance)
        if which == DAYS:
            fill_day(chance, tiles[k])


def fill_day(chance: random.Random, day: np.ndarray) -> None:
    day[DAY_OWN] = chance.choice((day[TILE_COUNT], 0, 1, -1))
    day[DAY_LARGEST] = chance.choice((0, max(day[TILE_IN], 0), abs(amount(chance))))
    if chance.random() < 0.4:
        low = amount(chance)
        day[DAY_HAS_BALANCE], day[DAY_LOW], day[DAY_HIGH] = 1, low, low + chance.choice((0, 7, 10**12))
    for _ in range(chance.choice((0, 1, 1, 5))):
        day[DAY_MIX + chance.randrange(MIX_FIELDS)] = chance.choice((1, 1, 2, -1, 4_000))


def drawn(chance: random.Random) -> tuple[bytes, int]:
    """A row as bytes and its newest moment."""
    s = new_open_row()
    first = START + chance.randrange(400 * DAY_MS)
    last = first + chance.choice((0, 1, chance.randrange(900 * DAY_MS)))
    newest = last + chance.choice((0, chance.randrange(9 * DAY_MS)))
    s.life[COUNT:LIFE_FIELDS] = [amount(chance) for _ in range(COUNT, LIFE_FIELDS)]
    s.life[FIRST], s.life[LAST], s.life[NEWEST] = chance.choice(((first, last, newest), (0, 0, newest)))
    s.life[LAST_OWN] = chance.choice((0, s.life[LAST] - chance.randrange(90 * DAY_MS))) if s.life[LAST] else 0
    s.size[ACCOUNTS] = chance.choice((0, 1, 3, ACCOUNTS_MAX))
    for account in s.accounts[: s.size[ACCOUNTS]]:
        name = bytes(chance.choice(b"AZ09-/") for _ in range(chance.choice((1, 9, 40))))
        account[:ACCOUNT_BALANCE] = np.frombuffer(name.ljust(8 * ACCOUNT_BALANCE, b"\0"), np.int64)
        account[ACCOUNT_BALANCE] = amount(chance)
        account[ACCOUNT_AT] = newest - chance.randrange(400 * DAY_MS)
    s.size[WATCHES] = chance.choice((0, 1, WATCHES_MAX))
    for watch in s.watches[: s.size[WATCHES]]:
        name = bytes(chance.choice(b"AZ09-/") for _ in range(chance.choice((1, 9, 40))))
        watch[:ACCOUNT_BALANCE] = np.frombuffer(name.ljust(8 * ACCOUNT_BALANCE, b"\0"), np.int64)
        watch[ACCOUNT_BALANCE:] = chance.choice((-2, -3, -4)), amount(chance), newest + chance.randrange(DAY_MS)
    for belief in BELIEFS:
        s.sections[belief.section.tag] = [amount(chance) for _ in range(SECTION_NUMBERS_MAX)]
    fill_tiles(chance, s, FIVES, newest // FIVE_MS, FIVE_KEPT)
    fill_tiles(chance, s, HOURS, newest // HOUR_MS, HOUR_KEPT)
    fill_tiles(chance, s, DAYS, newest // DAY_MS, DAY_KEPT)
    buffer = np.zeros(ROW_BYTES_MAX, np.uint8)
    history = chance.choice((b"", ContactHistory(consents={1: newest}).encoded()))
    return buffer[: codec.encode(s, buffer, 0, KNOWN)].tobytes() + joined({CONTACT: history}), newest


def served(flat: list[str | None], features: Sequence[Feature] = FEATURES) -> dict[str, int | float | None]:
    exact = {feature.name: feature.exact for feature in features}
    values: dict[str, int | float | None] = {}
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        assert name is not None
        values[name] = None if text is None else int(text) if exact[name] else float(text)
    return values


def test_every_feature_of_every_row_is_what_the_handlers_compute(
    store: RedisStore, reader: redis.Redis, partition: int
) -> None:
    chance = random.Random(7)
    rows = {f"c{n}": drawn(chance) for n in range(150)}
    store.commit(partition, store.claim(partition), 1, 0, Changes({name: row for name, (row, _) in rows.items()}))
    for name, (row, newest) in rows.items():
        for later in (0, 1, 40 * 60_000, 5 * HOUR_MS, 3 * DAY_MS, 31 * DAY_MS, 100 * DAY_MS, 400 * DAY_MS):
            flat = reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:{name}", newest + later)
            assert served(flat) == profile(row, newest + later)
            assert flat[::2] == [feature.name for feature in FEATURES]
            assert "-0" not in flat


@pytest.mark.parametrize("row", [ROW_1, ROW_2], ids=["layout 1", "layout 2"])
def test_rows_of_layouts_before_are_read_as_the_handlers_read_them(
    store: RedisStore, reader: redis.Redis, partition: int, row: bytes
) -> None:
    store.commit(partition, store.claim(partition), 1, 0, Changes({"ann": row}))
    for later in (24, 41, 100):
        flat = reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:ann", day(later))
        assert served(flat) == profile(row, day(later))


@pytest.fixture
def of_drawn_features(reader: redis.Redis) -> Iterator[Callable[[Sequence[Feature]], str]]:
    """Loads the library with other features beside the worker's own; gives its function's name."""

    def load(features: Sequence[Feature]) -> str:
        text = profile_library(features).decode().replace("tracker_profile", "drawn_profile")
        reader.function_load(text, replace=True)
        return "drawn_profile"

    yield load
    reader.function_delete("drawn_profile")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(declarations, min_size=10, max_size=60), st.integers(0, 2**32), st.integers(0, 200 * DAY_MS))
def test_every_feature_that_can_be_declared_is_what_the_handlers_compute(
    reader: redis.Redis,
    of_drawn_features: Callable[[Sequence[Feature]], str],
    drawn_lines: list[Declaration],
    seed: int,
    later: int,
) -> None:
    features, (row, newest) = answered(drawn_lines), drawn(random.Random(seed))
    reader.set("drawn", row)
    flat = reader.fcall_ro(of_drawn_features(features), 1, "drawn", newest + later)
    assert served(flat, features) == computed(features, row, newest + later)


def test_whole_numbers_are_right_up_to_two_to_the_53rd(store: RedisStore, reader: redis.Redis, partition: int) -> None:
    rows = {}
    for name, value in {"top": EXACT, "bottom": -EXACT, "odd": EXACT - 1, "zero": 0}.items():
        s = new_open_row()
        s.life[COUNT + 1] = value
        s.size[ACCOUNTS] = 1
        s.accounts[0] = 1
        s.accounts[0, ACCOUNT_BALANCE] = value
        buffer = np.zeros(ROW_BYTES_MAX, np.uint8)
        rows[name] = buffer[: codec.encode(s, buffer, 0, KNOWN)].tobytes()
    store.commit(partition, store.claim(partition), 1, 0, Changes(rows))
    for name, row in rows.items():
        flat = reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:{name}", START, "balance", "in_life")
        assert served(flat) == {feature: profile(row, START)[feature] for feature in ("balance", "in_life")}


def test_named_features_come_in_the_order_asked(store: RedisStore, reader: redis.Redis, partition: int) -> None:
    row, newest = drawn(random.Random(3))
    store.commit(partition, store.claim(partition), 1, 0, Changes({"c": row}))
    asked = ["trend_in", "count_90d", "trend_in", "accounts"]
    flat = reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:c", newest, *asked)
    assert flat[::2] == asked
    assert served(flat) == {name: profile(row, newest)[name] for name in asked}


def test_a_customer_never_seen_has_no_profile(store: RedisStore, reader: redis.Redis, partition: int) -> None:
    store.claim(partition)
    assert reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:nobody", START) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "write FCALL_RO"),
        (["now"], "write FCALL_RO"),
        (["1.5"], "write FCALL_RO"),
        ([START, "count_2h"], "no such feature"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(
    store: RedisStore, reader: redis.Redis, partition: int, arguments: list[str | int], says: str
) -> None:
    store.claim(partition)
    with pytest.raises(redis.ResponseError, match=says):
        reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:c", *arguments)


def test_a_row_of_another_layout_is_refused(store: RedisStore, reader: redis.Redis, partition: int) -> None:
    row, newest = drawn(random.Random(3))
    other = bytes([codec.VERSION + 1]) + row[1:]
    store.commit(partition, store.claim(partition), 1, 0, Changes({"c": other}))
    with pytest.raises(redis.ResponseError, match="a later layout version"):
        reader.fcall_ro("tracker_profile", 1, f"{{{partition}}}:c:c", newest)


def test_an_older_library_gives_way_when_a_worker_starts(
    store: RedisStore, reader: redis.Redis, partition: int
) -> None:
    reader.function_flush()
    reader.function_load(
        "#!lua name=tracker_profile\n"
        "redis.register_function{function_name='tracker_profile_edition', flags={'no-writes'},"
        " callback=function() return '1:old' end}"
    )
    assert store.claim(partition) == Position(1, 0, 0, 0, 0, 0, 0)
    assert reader.fcall_ro("tracker_profile_edition", 0) == EDITION


def test_a_library_of_a_later_layout_stays() -> None:
    assert supersedes(f"{codec.VERSION}:other")
    assert not supersedes(EDITION)
    assert not supersedes(f"{codec.VERSION + 1}:other")
