"""One owned partition, over the store in memory."""

from collections import deque
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.intake.events import Record
from handlers.intake.inputs import SIDE_INPUTS
from handlers.intake.transactions import TransactionIntake
from handlers.state.codec import VERSION, LayoutError
from streams.partition.partition import Partition
from streams.partition.poison_breaker import PoisonFlood
from streams.partition.row_cache import RowCache
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Offsets, Position, Store
from tests import partitions
from tests.bank import event, offer, outcome, salary
from tests.partitions import claimed

FUTURE = 4_102_444_800_000
"""Kafka timestamp of every record (2100-01-01)."""
BROKEN = Record(0, 0, b"k", b"not JSON")


class Overtaken(MemoryStore):
    """A store whose commits take so long that what they write is published before they return."""

    partition: Partition

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        stands = super().commit(partition, at, offset, clock, changes)
        self.partition.published = stands.sequence
        return stands


def test_what_is_published_during_a_commit_is_removed_at_rest() -> None:
    store = Overtaken()
    store.partition = claimed(store)
    store.partition.process([BROKEN], None)
    assert len(store.outbox(0, 0, 9)) == 1
    store.partition.process([], None)
    assert store.outbox(0, 0, 9) == []


RULES = Rules((offer("savings", channel="sms"),))


def opened(store: Store, number: int = 0, cache: RowCache | None = None, share_max: float = 1.0) -> Partition:
    """A partition that offers savings to whoever gets a salary."""
    return partitions.opened(store, RULES, number, cache=cache, poison_share_max=share_max)


def test_a_row_of_another_version_is_refused_and_nothing_written() -> None:
    store = MemoryStore()
    written = store.commit(0, store.claim(0), 0, 0, Changes({"ann": bytes([VERSION + 1, 0])}))
    partition = opened(store)
    partition.claim()
    with pytest.raises(LayoutError, match="version"):
        partition.process([record(0, salary(0))], None)
    assert store.read(0) == partition.position
    assert partition.position.version == written.version


def record(offset: int, told: dict[str, Any]) -> Record:
    return Record(offset, FUTURE, told["customer_id"].encode(), msgspec.json.encode(told))


def test_only_keys_that_may_be_a_customers_are_asked_for_ahead() -> None:
    keys = [b"ann", b"c" * 64, b"c" * 65, "zoë".encode(), b"", None, b"ann"]
    records = [Record(offset, 0, key, b"{}") for offset, key in enumerate(keys)]
    assert sorted(opened(MemoryStore()).ask_ahead(records)) == ["ann", "c" * 64]


def test_notes_are_committed_with_their_offsets_beside_transactions_and_alone() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    accepted, withdrawn = outcome("declined", 1, "savings"), event("consent_withdrawn", 1, channel="sms")
    first = partition.process([record(4, salary(0))], None, [], [record(2, withdrawn)])
    (raised, retracted) = first.alerts
    assert (raised.status, retracted.status, retracted.supersedes) == ("raised", "retracted", raised.alert_id)
    assert retracted.cause.topic == "customer-events"
    assert (first.taken, store.claim(0).offsets) == ({("customer_events", ""): 1}, Offsets(5, 0, 3))
    partition.claim()
    known = record(0, accepted | {"alert_id": raised.alert_id})
    second = partition.process([], None, [known, record(1, accepted | {"alert_id": "strange"})])
    assert second.taken == {("outcomes", "declined"): 2}
    assert (second.unmatched, second.position.offsets) == (1, Offsets(5, 2, 3))


def test_a_note_that_breaks_a_rule_is_a_letter_of_its_own_topic_and_does_not_stop_the_partition() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    for offset in range(0, 3_000, 1_000):
        broken = [record(offset + n, {"customer_id": "ann"}) for n in range(1_000)]
        done = partition.process([], None, broken)
    assert (done.events, len(done.dead_letters), done.position.offsets) == (0, 1_000, Offsets(0, 3_000, 0))
    letter = done.dead_letters[-1]
    assert (letter.topic, letter.partition, letter.offset) == ("alert-outcomes", 0, 2_999)
    assert len(store.outbox(0, 0, 5_000)) == 3_000


def test_a_first_claim_remembers_where_kafka_starts_also_in_topics_that_bring_nothing() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    partition.start = Offsets(100, 10, 20)
    assert partition.process([], None, [], [record(20, event("time_zone", 1, time_zone="UTC"))]).sent
    assert store.claim(0).offsets == Offsets(100, 10, 21)


def test_an_outcome_takes_effect_after_the_transactions_that_were_written_before_it() -> None:
    """Both salaries come in one batch; the answer to the first was written between them."""
    alert = opened(MemoryStore())
    alert.claim()
    (raised,) = alert.process([record(0, salary(0))], None).alerts
    declined = outcome("declined", 1, "savings") | {"alert_id": raised.alert_id}
    for answered_at, offers in ((150, 1), (250, 2)):
        partition = opened(MemoryStore())
        partition.claim()
        paid = [
            msgspec.structs.replace(record(n, salary(5 * n)), timestamp_ms=FUTURE + at)
            for n, at in enumerate((100, 200))
        ]
        answer = msgspec.structs.replace(record(0, declined), timestamp_ms=FUTURE + answered_at)
        done = partition.process(paid, None, [answer])
        assert (len(done.alerts), done.unmatched) == (offers, 0)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 15), min_size=2, max_size=8), min_size=1, max_size=8),
    st.sampled_from([0, 500, 2_000, 1 << 20]),
)
def test_rows_that_are_asked_for_ahead_change_nothing_however_few_stay_in_memory(
    turns: list[list[int]], cache_bytes: int
) -> None:
    """As the loop does it, with two partitions that share the memory: each turn's rows are asked for just before what
    the turn before has come to is committed."""
    offsets = [0, 0]
    polled: list[tuple[list[Record], list[Record]]] = []
    for customers in turns:
        polled.append(([], []))
        for customer in customers:
            number = customer % 2
            told = salary(offsets[number]) | {"customer_id": f"c{customer}"}
            polled[-1][number].append(record(offsets[number], told))
            offsets[number] += 1
    plain, store = MemoryStore(), MemoryStore()
    cache = RowCache(cache_bytes)
    expected, owned = [opened(plain, number) for number in (0, 1)], [opened(store, n, cache) for n in (0, 1)]
    for one in (*expected, *owned):
        one.claim()
    intake, engine = TransactionIntake("transactions", "EUR", {}), Engine("transactions")
    asked: list[list[str]] = []
    for turn, upcoming in zip(polled, [*polled[1:], ([], [])], strict=True):
        tasks = []
        for number, rows in enumerate(store.ahead()):
            owned[number].tell_ahead(asked[number], rows)
        for one, partition, records in zip(expected, owned, turn, strict=True):
            one.process(records, None)
            (read,) = intake.batches([partition.unread(records)])
            tasks.append(partition.prepare(read, records, None, [[]] * len(SIDE_INPUTS)))
            assert cache_bytes < 1 << 20 or turn is polled[0] or not tasks[-1].missing
            partition.supply(tasks[-1], store.load(partition.number, tasks[-1].missing))
        asked = [partition.ask_ahead(records) for partition, records in zip(owned, upcoming, strict=True)]
        store.ask_ahead(list(enumerate(asked)))
        outcomes = engine.steps([task.part for task in tasks], RULES)
        for partition, task, outcome_of_it in zip(owned, tasks, outcomes, strict=True):
            if partition.send(task, outcome_of_it).sent:
                store.answered()
    for number in (0, 1):
        names = sorted(plain.customers(number))
        assert store.load(number, names) == plain.load(number, names)
        assert store.outbox(number, 0, 1_000) == plain.outbox(number, 0, 1_000)
        assert store.read(number) == plain.read(number)


@pytest.mark.parametrize("batch", [100, 700, 1_000, 4_000])
def test_a_flood_of_refused_records_drains_at_most_1000_however_large_the_batches(batch: int) -> None:
    store = MemoryStore()
    partition = opened(store, share_max=0.5)
    partition.claim()
    good = [record(offset, salary(offset)) for offset in range(2_000)]
    records = good + [msgspec.structs.replace(BROKEN, offset=offset) for offset in range(2_000, 10_000)]
    stretches = [records[start : start + batch] for start in range(0, len(records), batch)]
    with pytest.raises(PoisonFlood):
        deque((partition.process(stretch, None) for stretch in stretches), maxlen=0)
    drained = [entry for _, entry in store.outbox(0, 0, 20_000) if entry.topic == "letters"]
    assert len(drained) <= 1_000
