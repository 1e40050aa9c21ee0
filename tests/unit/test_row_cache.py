"""The memory of rows against a dictionary, and its bound."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handlers.kernel.customer_ids import ids_of
from handlers.kernel.text import WORD
from handlers.state.row_arena import HEAD
from handlers.state.row_table import LEDGER, RowTable
from streams.partition.row_cache import RowCache

NAMES = ["a", "b", "C-0000000001", "x" * 64, "x" * 63, LEDGER]


def held(cache: RowCache, partition: int, names: list[str]) -> list[bytes | None]:
    rows, absent = cache.get(partition, ids_of(names))
    assert np.flatnonzero(cache.missing(partition, ids_of(names))).tolist() == absent
    return [None if place in absent else rows.row(place) for place in range(len(names))]


def test_a_row_that_was_put_is_held_by_partition_and_the_last_one_counts() -> None:
    cache = RowCache(1 << 20)
    cache.put(1, RowTable.of({"a": b"1", "b": b"2"}))
    cache.put(1, RowTable.of({"a": b"333"}))
    cache.put(2, RowTable.of({"a": b"4", "b": b""}))
    assert held(cache, 1, ["b", "c", "a"]) == [b"2", None, b"333"]
    assert held(cache, 2, ["a", "b"]) == [b"4", b""]
    records = [1, 1, 1, 1, 0]  # words of a, b, the longer a, the other a and the other b
    assert (len(cache), cache.size) == (4, WORD * (1_024 + sum(HEAD + words for words in records)))


def test_a_partition_that_is_dropped_leaves_nothing() -> None:
    cache = RowCache(1 << 20)
    cache.put(1, RowTable.of({"a": b"1"}))
    cache.put(2, RowTable.of({"a": b"2"}))
    cache.drop(1)
    assert held(cache, 1, ["a"]) == [None]
    assert held(cache, 2, ["a"]) == [b"2"]
    cache.put(1, RowTable.of({"a": b"3"}))
    assert held(cache, 1, ["a"]) == [b"3"]
    assert len(cache) == 2
    cache.drop(1)
    cache.drop(2)
    assert cache.size == 0


def test_memory_is_bounded_and_what_was_used_lately_stays() -> None:
    bound = 100 * (HEAD * WORD + 112) + 2 * 1_024 * WORD
    cache = RowCache(100 * (HEAD * WORD + 112))
    for number in range(1_000):
        cache.put(0, RowTable.of({f"c{number}": bytes(100)}))
        assert held(cache, 0, ["c0"]) != [None]
        assert cache.size <= bound
    assert held(cache, 0, ["c1"]) == [None]


@given(
    st.integers(0, 4_000),
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 1), st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=300))),
            st.tuples(st.integers(0, 1), st.none()),
            st.tuples(st.integers(0, 1), st.lists(st.sampled_from(NAMES), unique=True)),
        )
    ),
)
def test_what_is_held_is_always_the_row_that_was_put_last(
    bound: int, steps: list[tuple[int, dict[str, bytes] | list[str] | None]]
) -> None:
    """Rows are put (a dictionary), dropped (None) or read (a list), under any bound, also one that has no room at
    all."""
    cache, put = RowCache(bound), [dict[str, bytes](), dict[str, bytes]()]
    for partition, told in steps:
        if told is None:
            cache.drop(partition)
            put[partition] = {}
        elif isinstance(told, dict):
            cache.put(partition, RowTable.of(told))
            put[partition] |= told
        else:
            held(cache, partition, told)
        for number in range(2):
            rows = held(cache, number, NAMES)
            for name, row in zip(NAMES, rows, strict=True):
                assert row is None or row == put[number].get(name)


@given(st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=9), st.binary(max_size=40)))
def test_with_room_enough_every_row_is_held(rows: dict[str, bytes]) -> None:
    cache = RowCache(1 << 20)
    known = {name.rstrip("\0"): row for name, row in rows.items()}
    for _ in range(3):
        for name, row in known.items():
            cache.put(0, RowTable.of({name: row}))
        assert held(cache, 0, list(known)) == list(known.values())
        known = {name: row + b"grown" * 3 for name, row in known.items()}


def test_a_row_that_has_grown_too_long_is_not_held_as_it_was() -> None:
    cache = RowCache(2 * WORD * (HEAD + 4))
    cache.put(0, RowTable.of({"a": b"short"}))
    assert held(cache, 0, ["a"]) == [b"short"]
    cache.put(0, RowTable.of({"a": bytes(1_000)}))
    assert held(cache, 0, ["a"]) == [None]


def test_thousands_of_rows_are_found_while_they_grow() -> None:
    cache, rows = RowCache(1 << 26), {f"C-{number:010}": b"%d" % number for number in range(5_000)}
    for _ in range(4):
        rows = {name: row + row for name, row in rows.items()}
        cache.put(3, RowTable.of(rows))
    assert held(cache, 3, list(rows)) == list(rows.values())
    assert held(cache, 4, list(rows)[:9]) == [None] * 9
    assert len(cache) == 5_000
