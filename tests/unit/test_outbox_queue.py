"""What waits for Kafka: each entry once and in order, whatever the store and the commits bring in whatever overlap."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.broker.outbox_queue import OutboxQueue
from streams.broker.ownership import Ownership
from streams.broker.progress import OutboxProgress, Rewind
from streams.store.port import Offsets, Outgoing

STANDS = Offsets(9, 2, 1)
OVERHEAD = 200
"""Bytes that an entry is counted as beside its key and value."""


def entry(sequence: int, size: int = 0) -> tuple[int, Outgoing]:
    return sequence, Outgoing("alerts", b"ann", b"x" * size, [])


def backlog() -> OutboxQueue:
    partition = SimpleNamespace(number=4, published=None)
    return OutboxQueue(Ownership(cast(Any, partition), Offsets()))


def settled(*sequences: int, published: int = 0) -> OutboxQueue:
    found = backlog()
    found.settle(OutboxProgress(published), [entry(number) for number in sequences])
    return found


def waiting(queue: OutboxQueue) -> list[int]:
    return [sequence for sequence, _ in queue.head(1_000, 1 << 40)]


def test_what_commits_bring_waits_behind_what_the_store_held() -> None:
    queue = backlog()
    queue.add([entry(8), entry(9)], STANDS, 70)
    assert not queue.settled
    queue.settle(OutboxProgress(5), [entry(6), entry(7), entry(8)])
    assert queue.settled
    assert waiting(queue) == [6, 7, 8, 9]
    assert (queue.offsets, queue.clock) == (STANDS, 70)


def test_what_is_published_already_does_not_wait() -> None:
    assert waiting(settled(4, 5, 6, published=5)) == [6]


def test_an_entry_comes_once_although_it_is_brought_again() -> None:
    queue = settled(1, 2)
    queue.add([entry(2), entry(3)], STANDS, 0)
    queue.add([entry(3)], STANDS, 0)
    assert waiting(queue) == [1, 2, 3]


def test_what_was_added_before_an_empty_outbox_was_read_still_waits() -> None:
    queue = backlog()
    queue.add([entry(3)], STANDS, 0)
    queue.settle(OutboxProgress(2), [])
    assert waiting(queue) == [3]


def test_unsettled_it_holds_nothing_and_takes_the_same_entries_again() -> None:
    queue = settled(1, 2)
    queue.unsettle()
    assert (queue.settled, len(queue), queue.bytes) == (False, 0, 0)
    queue.settle(OutboxProgress(0), [entry(1), entry(2)])
    assert waiting(queue) == [1, 2]


@pytest.mark.parametrize(
    ("entries_max", "bytes_max", "expected"),
    [
        (2, 1 << 20, [1, 2]),
        (9, 2 * (OVERHEAD + 3 + 100), [1, 2]),
        (9, 2 * (OVERHEAD + 3 + 100) - 1, [1]),
        (9, 1, [1]),
    ],
)
def test_a_transaction_takes_the_first_within_both_limits_and_at_least_one(
    entries_max: int, bytes_max: int, expected: list[int]
) -> None:
    queue = backlog()
    queue.settle(OutboxProgress(0), [entry(number, 100) for number in (1, 2, 3)])
    assert [sequence for sequence, _ in queue.head(entries_max, bytes_max)] == expected


def test_bytes_are_those_of_what_waits() -> None:
    queue = backlog()
    queue.settle(OutboxProgress(0), [entry(1, 10), entry(2, 20)])
    assert queue.bytes == 2 * OVERHEAD + 3 + 10 + 3 + 20
    queue.published_up_to(OutboxProgress(1), STANDS)
    assert queue.bytes == OVERHEAD + 3 + 20


def test_that_the_store_went_back_is_forgotten_only_with_the_last_entry_that_was_to_be_published() -> None:
    queue = backlog()
    queue.settle(OutboxProgress(0, Rewind(5, Offsets(STANDS.transactions), 70)), [entry(1), entry(2)])
    queue.add([], STANDS, 70)
    part, whole = queue.mark_after([entry(1)]), queue.mark_after([entry(1), entry(2)])
    assert part == OutboxProgress(1, Rewind(5, Offsets(STANDS.transactions), 70))
    assert whole == OutboxProgress(2)


def test_what_is_published_leaves_and_the_partition_knows_it() -> None:
    queue = settled(1, 2, 3)
    queue.published_up_to(OutboxProgress(2), STANDS)
    assert waiting(queue) == [3]
    assert queue.acknowledged == STANDS
    assert queue.ownership.partition.published == 2


@given(st.lists(st.one_of(st.integers(0, 4), st.just("publish"), st.just("unsettle")), max_size=30), st.data())
def test_each_entry_is_published_once_and_in_order(steps: list[int | str], data: st.DataObject) -> None:
    """The store holds what commits wrote and nothing has trimmed; a publisher loses what it holds again and again."""
    queue, stored, published, last = backlog(), [], [], 0
    for step in steps:
        if isinstance(step, int):
            written = [entry(number) for number in range(last + 1, last + step + 1)]
            last += step
            stored += written
            queue.add(written, STANDS, 0)
        elif step == "unsettle":
            queue.unsettle()
        else:
            if not queue.settled:
                queue.settle(OutboxProgress(len(published)), stored[len(published) :])
            taken = queue.head(data.draw(st.integers(1, 3)), 1 << 20)
            published += [sequence for sequence, _ in taken]
            if taken:
                queue.published_up_to(queue.mark_after(taken), STANDS)
    if not queue.settled:
        queue.settle(OutboxProgress(len(published)), stored[len(published) :])
    assert published + waiting(queue) == list(range(1, last + 1))
