"""Laws of duplicates: an event_id inside the horizon counts once, however the stream is cut and whoever goes on."""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.intake import dedup as memory
from handlers.intake.booking import REPEATED, identity
from handlers.intake.dedup import Arrivals, DuplicateFilter, event_hashes
from handlers.intake.events import Record
from handlers.intake.hash_table import empty_list, enter, place_of, remove
from handlers.intake.stream_time import StreamTime
from handlers.kernel.customer_ids import ids_of
from handlers.kernel.jit import I8, NONE
from handlers.kernel.text import words_of
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes
from tests.fast import PUBLISHED_AT, Fast
from tests.partitions import opened
from tests.streams_of_events import Transaction, crowds

SEGMENT, MIN_SEGMENTS, MAX_SEGMENTS, HORIZON = 4, 2, 4, 10


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A horizon that a short stream gets over: the numbers of handlers/intake/dedup.py made small."""
    monkeypatch.setattr(memory, "BLOCK", SEGMENT)
    monkeypatch.setattr(memory, "EVENTS_MIN", MIN_SEGMENTS * SEGMENT)
    monkeypatch.setattr(memory, "EVENTS_MAX", MAX_SEGMENTS * SEGMENT)
    monkeypatch.setattr(memory, "HORIZON_MS", HORIZON)


Stream = list[tuple[int, int]]
streams = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 60)), max_size=120)
"""(hash, 0 for no event; moment)."""


def by_definition(stream: Stream) -> list[bool]:
    """Slow and plain: which records are duplicates."""
    full: list[tuple[list[int], int]] = []
    open_segment: list[int] = []
    clock, found = 0, []
    for hashed, moment in stream:
        if hashed and (hashed in open_segment or any(hashed in segment for segment, _ in full)):
            found.append(True)
            continue
        found.append(False)
        clock = max(clock, moment)
        if hashed:
            open_segment.append(hashed)
        if len(open_segment) == SEGMENT:
            full.append((open_segment, clock))
            open_segment = []
            while len(full) > MIN_SEGMENTS and (full[0][1] < clock - HORIZON or len(full) > MAX_SEGMENTS):
                full.pop(0)
    return found


def cut(stream: Stream, sizes: Sequence[int]) -> Iterator[Stream]:
    start = 0
    for size in chain(sizes, repeat(len(stream))):
        if start >= len(stream):
            return
        yield stream[start : start + size]
        start += size


def sifted(seen: DuplicateFilter, stream: Stream, time: StreamTime) -> list[bool]:
    hashes = np.array([hashed for hashed, _ in stream], np.int64)
    moments = np.array([moment for _, moment in stream], np.int64)
    _, verdicts, _ = seen.sift(Arrivals.simple(hashes, moments), time)
    return [verdict == REPEATED for verdict in verdicts.tolist()]


@pytest.mark.usefixtures("small")
@settings(max_examples=300)
@given(streams, st.lists(st.integers(1, 20), max_size=20))
def test_duplicates_are_those_of_the_definition_and_a_new_owner_knows_the_same(
    stream: Stream, sizes: list[int]
) -> None:
    stored: dict[int, bytearray] = {}
    seen, time, found, read = DuplicateFilter(), StreamTime(), [], 0
    for part in cut(stream, sizes):
        found += sifted(seen, part, time)
        read += len(part)
        moments = [moment for (_, moment), known in zip(stream[:read], found, strict=True) if not known]
        assert time.clock == max([0, *moments]), "a duplicate moves no time"
        changes = seen.take()
        for piece in changes.pieces:
            segment = stored.setdefault(piece.segment, bytearray())
            assert len(segment) == piece.start
            segment += piece.data
        for number in changes.forgotten:
            del stored[number]
        # the owner after this commit starts from what was stored
        seen = DuplicateFilter(seen.events, seen.oldest, {number: bytes(data) for number, data in stored.items()})
    assert found == by_definition(stream)
    assert seen.events == sum(bool(hashed) for hashed, _ in stream) - sum(found)


@settings(max_examples=50)
@given(crowds(), st.data())
def test_a_stream_that_comes_twice_and_with_repeats_changes_nothing(
    stream: list[Transaction], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(stream), max_size=20)) if stream else []
    once = Fast().feed(stream)
    twice = Fast().feed([*stream, *again, *stream], data.draw(st.lists(st.integers(1, 7), max_size=30)))
    assert (twice.rows, twice.due, twice.alerts) == (once.rows, once.due, once.alerts)


def test_a_batch_that_the_table_has_no_room_for_is_taken_whole() -> None:
    seen, hashes = DuplicateFilter(), np.arange(1, 3_001) * 0x9E3779B97F4A7C1
    moments = np.zeros(len(hashes), np.int64)
    found = [seen.sift(Arrivals.simple(hashes, moments), StreamTime())[1].sum() for _ in range(2)]
    assert found == [0, len(hashes)]


def test_the_last_million_events_are_known_and_a_day_more_but_never_beyond_the_bound() -> None:
    seen, ids = DuplicateFilter(), np.random.default_rng(1).permutation(np.arange(1, 5_000_001)) * 0x9E3779B97F4A7C1
    clocks, repeated, _ = seen.sift(Arrivals.simple(ids, np.zeros(len(ids), np.int64)), StreamTime())
    assert not repeated.any()
    assert clocks[-1] == 0
    # all within a day: the bound decides
    forgotten = seen.oldest * memory.BLOCK
    assert abs(len(ids) - memory.EVENTS_MAX - forgotten) <= memory.BLOCK
    _, known, _ = seen.sift(Arrivals.simple(ids[-memory.EVENTS_MAX :], np.full(memory.EVENTS_MAX, NONE)), StreamTime())
    assert known.all()


START = 1_709_164_800_000
PROMISED = 1_000_000
"""docs/guarantees.md."""


def test_a_million_events_are_known_at_any_moment_however_long_ago_they_were_and_their_stored_segments_are_enough() -> (
    None
):
    """With the real numbers. The last day has 86,400 events, so nothing is kept for being young."""
    total = PROMISED + 12 * 65_536 + 5
    ids = np.random.default_rng(3).permutation(np.arange(1, total + 1)) * 0x9E3779B97F4A7C1
    moments = START + np.arange(total) * 1_000
    store, seen, time = MemoryStore(), DuplicateFilter(), StreamTime()
    at = store.claim(0)
    checked = 0
    for start in range(0, total, 20_000):
        part = slice(start, start + 20_000)
        _, repeated, _ = seen.sift(Arrivals.simple(ids[part], moments[part]), time)
        assert not repeated.any()
        at = store.commit(0, at, at.offset + 1, time.clock, Changes(seen=seen.take()))
        done = min(start + 20_000, total)
        if done >= PROMISED and (done % 60_000 < 20_000 or done == total):
            # another owner, from what is stored, at a moment like any other
            held = store.seen(0, range(at.oldest, at.events // 65_536 + 1))
            for known in (seen, DuplicateFilter(at.events, at.oldest, held)):
                again = ids[done - PROMISED : done]
                assert known.sift(Arrivals.simple(again, np.full(PROMISED, NONE)), time)[1].all()
            checked += 1
    assert checked > 5
    assert at.oldest > 0, "something was forgotten, or this shows nothing"
    assert not store.seen(0, range(at.oldest)), "what is forgotten is not stored"


def test_a_claim_reads_a_million_event_ids_back_whole() -> None:
    """The oldest that is promised, the newest, and the first and last of each segment are duplicates to the next owner;
    one that never came is not."""
    total = PROMISED + 3 * 65_536 + 7
    names = [f"e{n}" for n in range(total)]
    store, seen = MemoryStore(), DuplicateFilter()
    seen.sift(Arrivals.simple(keys_of(names), START + np.arange(total) * 1_000), StreamTime())
    store.commit(0, store.claim(0), 1, 0, Changes(seen=seen.take()))
    partition = opened(store)
    position = partition.claim()
    assert position.oldest > 0
    edges = [n for first in range(0, total, 65_536) for n in (first, first + 65_535) if total - PROMISED <= n < total]
    asked = [total - PROMISED, *edges, total - 1]
    day = START + total * 1_000
    twice = [transaction(offset, names[n], day) for offset, n in enumerate(asked, 1)]
    assert partition.process(twice, None).events == 0
    assert partition.process([transaction(len(asked) + 1, "never", day)], None).events == 1


def keys_of(event_ids: list[str]) -> I8:
    """Of these events on account a of customer c."""
    customer, account = ids_of(["c"])[0], words_of(["a"], 5)[0]
    return np.array([identity(one, customer, account) for one in event_hashes(event_ids).tolist()], np.int64)


def transaction(offset: int, event_id: str, at: int) -> Record:
    told = {"event_id": event_id, "customer_id": "c", "account_id": "a", "occurred_at": at, "amount_minor": -5}
    told |= {"currency": "EUR", "type": "fee", "channel": "card"}
    return Record(offset, max(at, PUBLISHED_AT), b"c", msgspec.json.encode(told))


@pytest.mark.parametrize(
    ("segment", "sizes"), [(1 << 16, [97] * 1_500), (2_000, [50] * 79 + [200] * 20)], ids=["long", "forgetting"]
)
def test_nothing_is_lost_while_the_table_grows(monkeypatch: pytest.MonkeyPatch, segment: int, sizes: list[int]) -> None:
    monkeypatch.setattr(memory, "BLOCK", segment)
    monkeypatch.setattr(memory, "EVENTS_MIN", segment)
    random = np.random.default_rng(2)
    numbers = random.integers(1, 1 << 62, sum(sizes))
    again = random.integers(1, 3 * segment, len(numbers))
    repeats = np.flatnonzero(random.random(len(numbers)) < 0.2)
    numbers[repeats] = numbers[np.maximum(repeats - again[repeats], 0)]
    moments = np.arange(len(numbers)) * 2 * memory.HORIZON_MS  # so that only the last whole segment is remembered
    last, present = set[int](), set[int]()
    expected = []
    for number in numbers.tolist():
        expected.append(number in last or number in present)
        if not expected[-1]:
            present.add(number)
        if len(present) == segment:
            last, present = present, set()
    seen, time, found = DuplicateFilter(), StreamTime(), []
    for part in cut(list(zip(numbers.tolist(), moments.tolist(), strict=True)), sizes):
        found += sifted(seen, part, time)
    assert found == expected
    assert 0.05 < np.mean(expected) < 0.2


def test_hashes_differ_depend_on_every_character_and_are_the_same_in_every_process() -> None:
    ids = [f"e-{n}" for n in range(200_000)] + ["a" * 64, "a" * 63, "a" * 63 + "b", "b" + "a" * 63]
    hashes = event_hashes(ids)
    assert len(set(hashes.tolist())) == len(ids)
    assert event_hashes(["e-1", "a" * 64]).tolist() == [hashes[1], hashes[200_000]]
    assert event_hashes([]).tolist() == []
    # each bit is set in about half of them
    shares = [(hashes.view(np.uint64) >> np.uint64(bit) & np.uint64(1)).mean() for bit in range(64)]
    assert 0.49 < min(shares) <= max(shares) < 0.51


def test_hashes_are_those_that_are_stored_already() -> None:
    # another hash would make every event that a store remembers a new one
    known = {"e": -7235959857768813767, "tx-0000000001": -110635925507908233, "x" * 64: -7503785306315132885}
    assert event_hashes(list(known)).tolist() == list(known.values())


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64), max_size=4))
def test_a_hash_is_eight_rounds_of_multiply_and_shift(event_ids: list[str]) -> None:
    assert event_hashes(event_ids).tolist() == [_hash_by_definition(event_id) for event_id in event_ids]


def _hash_by_definition(event_id: str) -> int:
    """Over the eight words of eight bytes each, lowest first; 64 bits, the highest the sign."""
    bits, multiplier, text = (1 << 64) - 1, 0x9E3779B97F4A7C15, event_id.encode().ljust(64, b"\0")
    found = multiplier
    for k in range(0, 64, 8):
        found = (found ^ int.from_bytes(text[k : k + 8], "little")) * multiplier & bits
        found ^= found >> 29
    found = found * multiplier & bits
    found ^= found >> 32
    return found - (1 << 64) if found >> 63 else found


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_a_crowded_table_of_hashes_is_a_set(steps: list[tuple[bool, int]]) -> None:
    # 16 places, at most half of them taken; hashes by sixteens share a home
    table, known = empty_list(16), set[int]()
    for put, number in steps:
        one = 16 * number + number % 3
        pairs = np.array([[one, number]], np.int64)
        if put and len(known | {one}) <= 8:
            enter(table, pairs)
            known.add(one)
        elif not put:
            remove(table, pairs)
            known.discard(one)
        assert sorted(table[table[:, 0] != 0, 0].tolist()) == sorted(known)
        for other in range(1, 41):
            asked = 16 * other + other % 3
            assert (table[place_of(table, asked), 0] == asked) == (asked in known)
