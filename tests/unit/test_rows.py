"""Rows and ids as arrays, and as arguments of a Redis command, against what they are by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.kernel.customer_ids import distinct, ids_of, names_of
from handlers.state.row_arena import RowArena
from handlers.state.row_table import DueTable, RowTable
from streams.store.resp import change

names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)


def bulk(parts: list[bytes]) -> bytes:
    """As RESP says, the line's end of each before it."""
    return b"".join(b"\r\n$%d\r\n%s" % (len(part), part) for part in parts)


@given(st.lists(names))
def test_ids_are_names_again(known: list[str]) -> None:
    assert names_of(ids_of(known)) == known


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 64 bytes"):
        ids_of(["x" * 65])


@given(st.lists(names | st.sampled_from(["a", "b", "c" * 8, "c" * 9])))
def test_distinct_ids_are_those_of_a_dictionary(known: list[str]) -> None:
    places, firsts = distinct(ids_of(known))
    once = list(dict.fromkeys(known))
    assert [known[place] for place in firsts.tolist()] == once
    assert [once[place] for place in places.tolist()] == known


def test_ids_that_differ_late_are_told_apart() -> None:
    known = [f"C-0000000000{number}" for number in range(2_000)]
    places, firsts = distinct(ids_of([*known, *known]))
    assert firsts.tolist() == list(range(2_000))
    assert places.tolist() == [*range(2_000), *range(2_000)]


@given(st.dictionaries(names, st.binary(max_size=200)), st.data())
def test_rows_are_the_mapping_that_they_were_made_of(rows: dict[str, bytes], data: st.DataObject) -> None:
    packed = RowTable.of(rows)
    assert packed == rows
    assert RowTable.of(packed) is packed
    known = list(rows)
    others = data.draw(st.dictionaries(st.sampled_from(known), st.binary(max_size=9)) if rows else st.just({}))
    changed = packed.replaced([known.index(name) for name in others], list(others.values()))
    assert changed == rows | others
    assert changed.with_ids(ids_of(["\0one more"])) == {**rows, **others, "\0one more": b""}


@given(
    st.binary(max_size=9),
    st.dictionaries(names, st.binary(max_size=200)),
    st.dictionaries(names, st.none() | st.integers(-(2**62), 2**62)),
    st.binary(max_size=9),
    st.binary(max_size=9),
)
def test_arguments_are_packed_as_redis_reads_them(
    prefix: bytes, rows: dict[str, bytes], due: dict[str, int | None], numbers: bytes, others: bytes
) -> None:
    times = DueTable.of(due)
    assert times == due
    keys = [prefix + name.encode() for name in rows]
    pairs = [part for name, at in due.items() if at is not None for part in (b"%d" % at, name.encode())]
    expected = bulk(keys) + numbers + bulk(list(rows.values())) + others + bulk(pairs)
    assert bytes(change(prefix, RowTable.of(rows), numbers, others, times)) == expected


@pytest.mark.parametrize(("customers", "length"), [(1, 40_000), (300, 0), (40, 1_000)])
def test_the_longest_arguments_have_room(customers: int, length: int) -> None:
    named = [f"{number:064}" for number in range(customers)]
    rows, due = dict.fromkeys(named, b"r" * length), dict.fromkeys(named, -(2**62))
    prefix, numbers, others = b"p" * 50, b"n" * 5_000, b"o" * 5_000
    expected = bulk([prefix + name.encode() for name in named]) + numbers + bulk([b"r" * length] * customers) + others
    expected += bulk([part for name in named for part in (b"%d" % -(2**62), name.encode())])
    assert bytes(change(prefix, RowTable.of(rows), numbers, others, DueTable.of(due))) == expected


def test_an_arena_that_grows_keeps_what_it_holds() -> None:
    arena, rows = RowArena(16), RowTable.of({f"c{number}": b"%d" % number * 9 for number in range(3_000)})
    put = arena.put(0, rows)
    while put < len(rows):
        arena.grow()
        put = arena.put(0, rows, put)
    assert arena.held(0) == rows
    assert len(arena.held(1)) == 0
    arena.forget(arena.find(0, rows.ids[:2]))
    assert arena.find(0, rows.ids).min() == -1
    assert (np.sort(arena.find(0, rows.ids))[:3] >= 0).tolist() == [False, False, True]
