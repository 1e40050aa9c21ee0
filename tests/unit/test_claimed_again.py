"""What a partition knows when it is claimed: what the store has, never what memory held before."""

from handlers.profile.customer import profile
from handlers.state.codec import VERSION
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes
from tests.bank import booked, day, salary
from tests.unit.test_compatibility import ROW_1
from tests.unit.test_partition import opened, record


def count(store: MemoryStore, customer: str = "ann") -> object:
    """Transactions ever, as the store has them."""
    (row,) = store.load(0, [customer])
    return profile(row or b"", day(100))["count_life"]


def test_rows_that_another_owner_has_written_meanwhile_are_read_anew() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    first.claim()
    first.process([record(0, salary(0))], None)
    second.claim()
    second.process([record(1, salary(20))], None)
    first.claim()
    first.process([record(2, salary(40))], None)
    assert count(store) == 3


def test_event_ids_that_another_owner_has_seen_are_known() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    first.claim()
    first.process([record(0, salary(0)), record(1, salary(20))], None)
    second.claim()
    done = second.process([record(2, salary(0)), record(3, salary(20)), record(4, salary(40))], None)
    assert (done.events, done.duplicates) == (1, 2)
    assert count(store) == 3


def test_whoever_was_due_under_the_owner_before_is_looked_at() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    first.claim()
    first.process([record(n, booked(3 * n, -5, "purchase")) for n in range(8)], None)
    second.claim()
    (alert,) = second.process([], day(50)).alerts
    assert (alert.kind, alert.customer_id, alert.raised_at) == ("churn_risk", "ann", "2024-03-29T00:00:00.000Z")


def test_the_wall_clock_leaves_stream_time_to_the_records() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    assert partition.process([record(0, salary(60))], day(70)).position.clock == day(60)
    assert partition.process([record(1, salary(61))], day(71)).position.clock == day(61)
    assert partition.process([record(2, salary(59))], day(80)).position.clock == day(61)


def test_of_a_tick_at_which_nothing_is_due_nothing_is_written() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    stands = partition.process([record(0, salary(0))], None).position
    done = partition.process([], day(1))
    assert not done.sent
    assert store.read(0) == stands == partition.position


def test_an_earlier_due_time_is_not_missed_for_a_later_one() -> None:
    """Ann falls due on day 29; then bob, whose first visits come late, on day 28."""
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    visits = [booked(3 * n, -5, "purchase") for n in range(8)]
    partition.process([record(n, visit) for n, visit in enumerate(visits)], None)
    late = [booked(3 * n - 1, -5, "purchase", customer="bob") for n in range(8)]
    partition.process([record(8 + n, visit) for n, visit in enumerate(late)], None)
    done = partition.process([], day(27.6))
    assert [(alert.customer_id, alert.raised_at[5:10]) for alert in done.alerts] == [("bob", "03-28")]
    done = partition.process([], day(50))
    assert [(alert.customer_id, alert.raised_at[5:10]) for alert in done.alerts] == [("ann", "03-29")]


def test_numbers_given_before_the_store_went_back_are_not_given_again() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    partition.sequence_min = 100
    done = partition.process([record(0, salary(0)), record(1, salary(20))], None)
    assert [number for number, _ in done.outbox] == [101, 102]
    assert [number for number, _ in store.outbox(0, 0, 9)] == [101, 102]
    assert partition.position.sequence == 102
    assert store.read(0) == partition.position


def test_a_row_of_an_older_layout_that_was_asked_for_ahead_is_upgraded() -> None:
    store = MemoryStore()
    store.commit(0, store.claim(0), 0, day(50), Changes({"ann": ROW_1}))
    partition = opened(store)
    partition.claim()
    records = [record(1, salary(60))]
    names = partition.ask_ahead(records)
    assert names == ["ann"]
    partition.tell_ahead(names, store.load(0, names))
    assert partition.process(records, None).events == 1
    (row,) = store.load(0, ["ann"])
    assert row is not None
    assert row[0] == VERSION
    assert count(store) == (profile(ROW_1, day(60))["count_life"] or 0) + 1
