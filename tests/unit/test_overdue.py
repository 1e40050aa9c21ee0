"""More customers fall due at once than one commit takes: each is looked at once, and nothing of it is lost."""

import msgspec

from handlers.engine.rules import Rules
from schemas.policy import Policy
from schemas.units import HOUR_MS, parse_rfc3339
from streams.partition.partition import DUE_MAX
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Position
from tests.bank import booked, day, salary
from tests.fast import Fast
from tests.partitions import claimed
from tests.unit.test_partition import record

CROWD = DUE_MAX + 5
PRESENT = "c00002"
"""Is due among the first, and makes a transaction in the very batch."""


class Clocked(MemoryStore):
    """Remembers the stream time of each commit since the first, which is the crowd's."""

    def __init__(self) -> None:
        super().__init__()
        self.clocks: list[int] = []

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        if at.version > 0:
            self.clocks.append(clock)
        return super().commit(partition, at, offset, clock, changes)


def crowd(store: MemoryStore) -> int:
    """That many customers have been silent for as long, the later their number the later they are due. Returns the
    last due time."""
    run = Fast(offers=()).feed([booked(on, -5, "purchase") for on in range(0, 24, 3)])
    row, due = run.rows["ann"], run.due["ann"]
    names = [f"c{number:05}" for number in range(CROWD)]
    times = {name: due + number for number, name in enumerate(names)}
    store.commit(0, store.claim(0), 8, day(21), Changes(dict.fromkeys(names, row), times))
    return times[names[-1]]


def test_of_a_crowd_beyond_one_commit_each_is_told_of_once_in_the_order_of_due_times() -> None:
    store = MemoryStore()
    last = crowd(store)
    partition = claimed(store, Rules())
    done = partition.process([record(8, salary(50, PRESENT))], None)
    entries = store.outbox(0, 0, 2 * CROWD)
    raised = [msgspec.json.decode(entry.value or b"") for _, entry in entries]
    names = [alert["customer_id"] for alert in raised if alert["status"] == "raised"]
    assert sorted(names) == [f"c{number:05}" for number in range(CROWD)]
    absent = [name for name in names if name != PRESENT]
    assert absent == sorted(absent)
    assert [alert["customer_id"] for alert in raised if alert["status"] == "retracted"] == [PRESENT]
    assert [number for number, _ in entries] == list(range(1, CROWD + 2))
    assert done.outbox == entries
    assert [alert.alert_id for alert in done.alerts] == [alert["alert_id"] for alert in raised]
    assert {alert["raised_at"] for alert in raised if alert["status"] == "raised"} == {
        alert["cause"]["due_at"] for alert in raised if alert["status"] == "raised"
    }
    assert store.due(0, last, 2 * CROWD) == []
    assert (done.events, store.read(0)) == (1, partition.position)
    assert partition.process([], last).alerts == []


def test_what_is_kept_back_of_a_crowd_is_counted_for_each() -> None:
    store = MemoryStore()
    last = crowd(store)
    done = claimed(store, Rules((), Policy(dry_run=["churn_risk"]))).process([], last + HOUR_MS)
    assert (done.alerts, done.suppressed) == ([], {"dry_run": CROWD})
    assert done.position.clock == day(21), "time itself is left to the records"
    assert parse_rfc3339("2024-03-29T00:00:00Z") <= last < parse_rfc3339("2024-03-29T00:01:00Z")


def test_a_crowd_does_not_move_stream_time() -> None:
    """A crash between its commits must leave the others due, and what is read again at its time."""
    store = Clocked()
    crowd(store)
    partition = claimed(store, Rules())
    partition.process([record(8, salary(50, "somebody else"))], day(50))
    assert store.clocks == [day(21), day(50)]


def test_of_a_crowd_whoever_comes_before_they_are_due_is_not_silent() -> None:
    """In one batch: a visit on day 25, before the silence would be one, and somebody else's on day 50."""
    store = MemoryStore()
    crowd(store)
    came = [record(8, booked(25, -5, "purchase", customer=PRESENT)), record(9, salary(50, "somebody else"))]
    done = claimed(store, Rules()).process(came, None)
    theirs = [(alert.status, alert.raised_at) for alert in done.alerts if alert.customer_id == PRESENT]
    assert theirs == [("raised", "2024-04-02T00:00:00.000Z")]
    assert len(done.alerts) == CROWD
