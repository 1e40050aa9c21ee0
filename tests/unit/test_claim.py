"""What a claim knows of where its partition stands in Kafka."""

import pytest

from handlers.intake.events import Record
from streams.broker.ownership import Ownership
from streams.store.memory_store import MemoryStore
from streams.store.port import NONE_READ, Offsets
from tests.partitions import claimed


@pytest.fixture
def claim() -> Ownership:
    """Of a partition whose transactions start at offset 10, and of which nothing was read."""
    partition = claimed(MemoryStore())
    partition.start = Offsets(10, 0, 0)
    return Ownership(partition, partition.reached)


def commits(claim: Ownership, transactions: int, outcomes: int = 0) -> None:
    """The loop stands there, and the store has said that it has it."""
    sends(claim, transactions, outcomes)
    claim.working.committed = claim.partition.position.offsets


def sends(claim: Ownership, transactions: int, outcomes: int = 0) -> None:
    """The loop stands there, and what it has sent is on its way to the store."""
    position = claim.partition.position
    claim.partition.position = position._replace(offset=transactions, beside=(outcomes, *NONE_READ[1:]))


def record(offset: int, at_ms: int) -> Record:
    return Record(offset, at_ms, b"c", b"{}")


def told(claim: Ownership) -> Offsets:
    """What the group is told."""
    return claim.acknowledged(claim.partition.position.offsets)


def test_all_is_read_once_every_topic_was_read_to_its_end_and_that_is_worked_off(claim: Ownership) -> None:
    for topic in range(1, len(claim.reading.ends)):
        claim.reading.reached_end(topic, 0)
    assert not claim.read_all
    claim.reading.heard[0] = 15
    claim.reading.reached_end(0, 17)
    assert not claim.read_all, "it is read, and not yet worked off"
    commits(claim, 14)
    assert not claim.read_all
    commits(claim, 15)
    assert claim.read_all
    claim.reading.heard[0] = 90
    assert claim.read_all, "what comes later is another matter"


def test_the_group_is_told_the_readers_position_where_only_markers_come_after_the_last_record(claim: Ownership) -> None:
    assert told(claim) == Offsets(10, 0, 0), "never before the first record that Kafka holds"
    claim.reading.heard[:] = Offsets(15, 3, 0)
    claim.reading.reached_end(0, 17)
    claim.reading.reached_end(1, 4)
    claim.reading.reached_end(2, 1)
    commits(claim, 14, 2)
    assert told(claim) == Offsets(14, 2, 1)
    commits(claim, 15, 3)
    assert told(claim) == Offsets(17, 4, 1)
    commits(claim, 18, 3)
    assert told(claim) == Offsets(18, 4, 1)


def test_lag_counts_to_the_end_of_the_log_from_what_is_committed_and_ages_by_the_oldest_that_is_not(
    claim: Ownership,
) -> None:
    claim.reading.look_at_end(15, 0.0)
    assert claim.lag(50_000, 0.0) == (5, 0, 0), "nobody has seen yet how old they are"
    for first, at_ms in ((10, 20_000), (12, 30_000)):
        claim.reading.heard[0] = first + 2
        claim.reading.seen_ms = at_ms
        claim.reading.hand_on(
            [record(first, at_ms), record(first + 1, at_ms + 500)], claim.working.committed.transactions
        )
    assert claim.lag(50_000, 0.0) == (5, 30.0, 0)
    sends(claim, 14)
    assert claim.lag(50_000, 0.0) == (5, 30.0, 0), "the store may yet refuse it, or be away"
    commits(claim, 12)
    assert claim.lag(50_000, 0.0) == (3, 20.0, 0)
    commits(claim, 14)
    assert claim.lag(50_000, 0.0) == (1, 20.0, 0), "no older than the last that was read"
    claim.reading.hand_on([record(14, 49_000)], claim.working.committed.transactions)
    assert claim.lag(50_000, 0.0) == (1, 1.0, 0)
    commits(claim, 15)
    claim.reading.heard[0] = 15
    claim.reading.reached_end(0, 15)
    assert claim.lag(50_000, 0.0) == (0, 0, 0)
    assert len(claim.reading.waiting) == 1, "what is committed goes with the next batch"


def test_what_can_not_be_read_is_held_back_since_it_was_seen_at_the_same_place(claim: Ownership) -> None:
    claim.reading.reached_end(0, 10)
    claim.reading.look_at_end(10, 100.0)
    assert claim.lag(0, 101.0) == (0, 0, 0)
    claim.reading.look_at_end(210, 102.0)
    claim.reading.look_at_end(211, 104.0)
    assert claim.lag(0, 105.0) == (201, 3.0, 3.0)
    claim.reading.heard[0] = 12  # the transaction there has ended, a part of what it held is read
    claim.reading.look_at_end(211, 106.0)
    assert claim.lag(0, 106.0)[2] == 0
    commits(claim, 12)
    claim.reading.reached_end(0, 13)
    claim.reading.look_at_end(211, 107.0)
    assert claim.lag(0, 108.0) == (198, 1.0, 1.0)
    commits(claim, 211)
    assert claim.lag(0, 108.5) == (0, 0, 0), "before the end is looked at again"
    claim.reading.reached_end(0, 211)
    claim.reading.look_at_end(211, 109.0)
    assert claim.lag(0, 110.0) == (0, 0, 0)
