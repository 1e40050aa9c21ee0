"""What an ownership knows of where its partition stands in Kafka."""

import pytest

from handlers.intake.events import Record
from streams.broker.ownership import Ownership
from streams.store.memory_store import MemoryStore
from streams.store.port import NONE_READ, Offsets
from tests.partitions import claimed


@pytest.fixture
def ownership() -> Ownership:
    """Of a partition whose transactions start at offset 10, and of which nothing was read."""
    partition = claimed(MemoryStore())
    partition.start = Offsets(10, 0, 0)
    return Ownership(partition, partition.reached)


def commits(ownership: Ownership, transactions: int, outcomes: int = 0) -> None:
    """The loop stands there, and the store has said that it has it."""
    sends(ownership, transactions, outcomes)
    ownership.working.committed = ownership.partition.position.offsets


def sends(ownership: Ownership, transactions: int, outcomes: int = 0) -> None:
    """The loop stands there, and what it has sent is on its way to the store."""
    position = ownership.partition.position
    ownership.partition.position = position._replace(offset=transactions, beside=(outcomes, *NONE_READ[1:]))


def record(offset: int, at_ms: int) -> Record:
    return Record(offset, at_ms, b"c", b"{}")


def told(ownership: Ownership) -> Offsets:
    """What the group is told."""
    return ownership.acknowledged(ownership.partition.position.offsets)


def test_all_is_read_once_every_topic_was_read_to_its_end_and_that_is_worked_off(ownership: Ownership) -> None:
    for topic in range(1, len(ownership.reading.ends)):
        ownership.reading.reached_end(topic, 0)
    assert not ownership.read_all
    ownership.reading.heard[0] = 15
    ownership.reading.reached_end(0, 17)
    assert not ownership.read_all, "it is read, and not yet worked off"
    commits(ownership, 14)
    assert not ownership.read_all
    commits(ownership, 15)
    assert ownership.read_all
    ownership.reading.heard[0] = 90
    assert ownership.read_all, "what comes later is another matter"


def test_the_group_is_told_the_readers_position_where_only_markers_come_after_the_last_record(
    ownership: Ownership,
) -> None:
    assert told(ownership) == Offsets(10, 0, 0), "never before the first record that Kafka holds"
    ownership.reading.heard[:] = Offsets(15, 3, 0)
    ownership.reading.reached_end(0, 17)
    ownership.reading.reached_end(1, 4)
    ownership.reading.reached_end(2, 1)
    commits(ownership, 14, 2)
    assert told(ownership) == Offsets(14, 2, 1)
    commits(ownership, 15, 3)
    assert told(ownership) == Offsets(17, 4, 1)
    commits(ownership, 18, 3)
    assert told(ownership) == Offsets(18, 4, 1)


def test_lag_counts_to_the_end_of_the_log_from_what_is_committed_and_ages_by_the_oldest_that_is_not(
    ownership: Ownership,
) -> None:
    ownership.reading.look_at_end(15, 0.0)
    assert ownership.lag(50_000, 0.0) == (5, 0, 0), "nobody has seen yet how old they are"
    for first, at_ms in ((10, 20_000), (12, 30_000)):
        ownership.reading.heard[0] = first + 2
        ownership.reading.seen_ms = at_ms
        ownership.reading.hand_on(
            [record(first, at_ms), record(first + 1, at_ms + 500)], ownership.working.committed.transactions
        )
    assert ownership.lag(50_000, 0.0) == (5, 30.0, 0)
    sends(ownership, 14)
    assert ownership.lag(50_000, 0.0) == (5, 30.0, 0), "the store may yet refuse it, or be away"
    commits(ownership, 12)
    assert ownership.lag(50_000, 0.0) == (3, 20.0, 0)
    commits(ownership, 14)
    assert ownership.lag(50_000, 0.0) == (1, 20.0, 0), "no older than the last that was read"
    ownership.reading.hand_on([record(14, 49_000)], ownership.working.committed.transactions)
    assert ownership.lag(50_000, 0.0) == (1, 1.0, 0)
    commits(ownership, 15)
    ownership.reading.heard[0] = 15
    ownership.reading.reached_end(0, 15)
    assert ownership.lag(50_000, 0.0) == (0, 0, 0)
    assert len(ownership.reading.waiting) == 1, "what is committed goes with the next batch"


def test_what_can_not_be_read_is_held_back_since_it_was_seen_at_the_same_place(ownership: Ownership) -> None:
    ownership.reading.reached_end(0, 10)
    ownership.reading.look_at_end(10, 100.0)
    assert ownership.lag(0, 101.0) == (0, 0, 0)
    ownership.reading.look_at_end(210, 102.0)
    ownership.reading.look_at_end(211, 104.0)
    assert ownership.lag(0, 105.0) == (201, 3.0, 3.0)
    ownership.reading.heard[0] = 12  # the transaction there has ended, a part of what it held is read
    ownership.reading.look_at_end(211, 106.0)
    assert ownership.lag(0, 106.0)[2] == 0
    commits(ownership, 12)
    ownership.reading.reached_end(0, 13)
    ownership.reading.look_at_end(211, 107.0)
    assert ownership.lag(0, 108.0) == (198, 1.0, 1.0)
    commits(ownership, 211)
    assert ownership.lag(0, 108.5) == (0, 0, 0), "before the end is looked at again"
    ownership.reading.reached_end(0, 211)
    ownership.reading.look_at_end(211, 109.0)
    assert ownership.lag(0, 110.0) == (0, 0, 0)
