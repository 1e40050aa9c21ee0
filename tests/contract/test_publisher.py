"""The outbox on its way to Kafka, each entry once and in order: the publisher and its looking back, on both brokers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from prometheus_client import CollectorRegistry

from handlers.engine.rules import Rules
from schemas.units import DAY_MS, HOUR_MS, rfc3339
from streams.broker.messages import headers_of
from streams.broker.ownership import Ownership, take
from streams.broker.poller import consumer_config
from streams.broker.progress import OutboxProgress, Rewind
from streams.broker.published_scan import PublishedScan
from streams.broker.publisher import Publisher
from streams.broker.topics import topics_read
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.settings import Settings
from streams.partition.partition import Partition
from streams.partition.row_cache import RowCache
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Offsets, Outgoing, Position
from streams.worker.bootstrap import bootstrap
from tests.live import until
from tests.servers import Kafka, fresh_name

SECONDS_MAX = 30.0
NOW = 1_900_000_000_000
"""Later than any record of these tests."""
LONG_AGO = 1_700_000_000_000


class Bench:
    """One partition, 0, of topics of its own, with a store that its owners share."""

    def __init__(self, broker: Any) -> None:
        name = fresh_name("p")
        self.settings = Settings(
            kafka_bootstrap_servers=broker.bootstrap_servers,
            group_id=name,
            topic_transactions=name,
            topic_alerts=f"{name}-alerts",
            topic_dead_letters=f"{name}-dlq",
            topic_outcomes=f"{name}-outcomes",
            topic_customer_events=f"{name}-events",
        )
        for topic in (*topics_read(self.settings), self.settings.topic_alerts, self.settings.topic_dead_letters):
            broker.create_topic(topic, 1)
        self.store = MemoryStore()
        self.producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        self.log = TopicPartition(name, 0)
        self._arrived(6)
        until(self._has_coordinator, SECONDS_MAX)

    def _arrived(self, count: int) -> None:
        for _ in range(count):
            self.producer.produce(self.log.topic, b"{}", b"ann", partition=0)
        assert self.producer.flush(SECONDS_MAX) == 0

    def consumer(self, **changes: Any) -> Consumer:
        return Consumer(consumer_config(self.settings, lambda _: None) | changes)

    def member(self) -> Consumer:
        """A consumer that is in the group and owns the partition."""
        consumer = self.consumer()
        consumer.subscribe([self.log.topic])

        def owns() -> bool:
            consumer.poll(0.1)
            return bool(consumer.assignment())

        until(owns, SECONDS_MAX)
        return consumer

    def partition(self) -> Partition:
        return bootstrap(self.settings, Rules, store=self.store, cache=RowCache(1 << 20)).partition(0)

    def committed(self) -> TopicPartition:
        reader = self.consumer()
        try:
            return reader.committed([self.log], timeout=SECONDS_MAX)[0]
        finally:
            reader.close()

    def _has_coordinator(self) -> bool:
        try:
            self.committed()
        except KafkaException:  # a broker that has just started is still loading the group
            return False
        return True

    def forget(self) -> None:
        """What a reset of the group's offsets leaves."""
        reader = self.consumer()
        reader.commit(offsets=[TopicPartition(self.log.topic, 0, max(0, self.committed().offset))], asynchronous=False)
        reader.close()
        assert OutboxProgress.read(self.committed().metadata) is None

    def written(self, at: Position, offset: int, *entries: Outgoing, **more: Any) -> Position:
        return self.store.commit(0, at, offset, at.clock, Changes(outbox=list(entries), **more))

    def alert(self, name: str, customer: str = "ann", at: int = NOW, due: bool = False) -> Outgoing:
        told = f'"due_at":"{rfc3339(at)}"' if due else '"offset":1'
        value = f'{{"cause":{{"topic":"t","partition":0,{told}}}}}'.encode()
        headers = [("ce_id", name.encode()), ("ce_time", rfc3339(at).encode())]
        return Outgoing(self.settings.topic_alerts, customer.encode(), value, headers)

    def letter(self, offset: int, value: bytes) -> Outgoing:
        headers = [("dlq_rule", b"must be JSON"), ("dlq_topic", b"t"), ("dlq_partition", b"0")]
        headers += [("dlq_offset", b"%d" % offset), ("dlq_timestamp_ms", b"%d" % NOW)]
        return Outgoing(self.settings.topic_dead_letters, b"\xffkey", value, headers)

    def found(self, topic: str) -> list[Message]:
        """What a read_committed subscriber sees of the topic."""
        reader = self.consumer(**{"group.id": fresh_name("subscriber")})
        reader.assign([TopicPartition(topic, 0, 0)])
        found: list[Message] = []
        try:
            while (message := reader.poll(SECONDS_MAX)) is not None and message.error() is None:
                found.append(message)
        finally:
            reader.close()
        return found

    def ids(self) -> list[str]:
        return [dict(headers_of(message))["ce_id"].decode() for message in self.found(self.settings.topic_alerts)]

    @contextmanager
    def claimed(self, member: Consumer | None = None) -> Iterator[tuple[Ownership, Publisher]]:
        """An owner whose publisher runs, by default in no group. Leaving the context stops it, with everything
        published."""
        ignored: Callable[[Any], None] = lambda _: None  # noqa: E731
        consumer, published_scan = member or self.consumer(), PublishedScan(self.settings, ignored)
        crashes: list[BaseException] = []
        publisher = Publisher(
            self.settings,
            self.consumer(),
            self.store,
            published_scan,
            Health(),
            Metrics(CollectorRegistry()),
            ignored,
            crashes.append,
        )
        ownership = take(consumer, topics_read(self.settings), self.partition(), published_scan, SECONDS_MAX)
        publisher.serve(consumer)
        publisher.own(ownership)
        publisher.start()
        yield ownership, publisher
        assert publisher.stop(SECONDS_MAX, consumer)
        publisher.serve(consumer)
        consumer.close()
        assert crashes == []


@pytest.fixture(params=["embedded_broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.getfixturevalue(request.param))


@pytest.fixture
def real(kafka: Kafka) -> Bench:
    """The embedded broker's transactions hide nothing and keep no offsets."""
    return Bench(kafka)


def test_entries_leave_in_the_order_of_their_sequence_with_key_value_and_headers(bench: Bench) -> None:
    names = [f"a{number}" for number in range(30)]
    entries = [bench.alert(name, f"customer {number % 3}") for number, name in enumerate(names)]
    with bench.claimed() as (ownership, publisher):
        at = bench.written(ownership.partition.position, 3, *entries[:20])
        publisher.add(ownership, list(enumerate(entries[:20], 1)), at.offsets, 0)
        at = bench.written(at, 5, *entries[20:])
        publisher.add(ownership, list(enumerate(entries[20:], 21)), at.offsets, 0)
    found = bench.found(bench.settings.topic_alerts)
    assert [(m.key(), m.value(), headers_of(m)) for m in found] == [(e.key, e.value, e.headers) for e in entries]


def test_a_dead_letter_comes_whole(bench: Bench) -> None:
    letter = bench.letter(7, bytes(range(256)) * 4_000)
    with bench.claimed() as (ownership, publisher):
        at = bench.written(ownership.partition.position, 1, letter)
        publisher.add(ownership, [(1, letter)], at.offsets, 0)
    (found,) = bench.found(bench.settings.topic_dead_letters)
    assert (found.key(), found.value(), headers_of(found)) == (letter.key, letter.value, letter.headers)


def test_what_was_left_in_the_store_is_published_by_the_next_owner_and_by_no_other(real: Bench) -> None:
    real.written(real.store.claim(0), 6, real.alert("a"), real.alert("b"))
    for _ in range(2):
        with real.claimed():
            pass
        assert real.ids() == ["a", "b"]
    assert OutboxProgress.read(real.committed().metadata) == OutboxProgress(2)


def test_a_worker_that_stops_in_a_rebalance_publishes_all_the_same(real: Bench) -> None:
    """Nobody polls its consumer any more, which alone knows the group's new generation."""
    with real.claimed(real.member()) as (ownership, publisher):
        publisher.rebalanced()
        at = real.written(ownership.partition.position, 3, real.alert("a"))
        publisher.add(ownership, [(1, real.alert("a"))], at.offsets, 0)
    assert real.ids() == ["a"]
    assert real.committed().offset >= 3


@pytest.mark.parametrize("left", [["a", "b", "c", "d"], ["c", "d"], []])
def test_without_the_group_s_word_nothing_is_published_again(real: Bench, left: list[str]) -> None:
    """`a` to `c` are published; the store still has some of them, and `d` if any."""
    with real.claimed() as (ownership, publisher):
        entries = [real.alert(name) for name in "abc"]
        at = real.written(ownership.partition.position, 4, *entries)
        publisher.add(ownership, list(enumerate(entries, 1)), at.offsets, 0)
    published = {4: 0, 2: 2, 0: 4}[len(left)]
    at = real.written(at, 6, *([real.alert("d")] if left else []), published=published)
    assert [dict(entry.headers)["ce_id"].decode() for _, entry in real.store.outbox(0, 0, 9)] == left
    real.forget()
    with real.claimed():
        pass
    assert real.ids() == (["a", "b", "c", "d"] if left else ["a", "b", "c"])
    assert OutboxProgress.read(real.committed().metadata) == OutboxProgress(at.sequence)
    real.forget()
    with real.claimed():
        pass
    assert real.ids() == (["a", "b", "c", "d"] if left else ["a", "b", "c"])


def test_a_partition_of_which_nothing_was_ever_committed_is_not_read_back(real: Bench) -> None:
    ownership = take(
        real.consumer(),
        topics_read(real.settings),
        real.partition(),
        PublishedScan(real.settings, lambda _: None),
        SECONDS_MAX,
    )
    assert ownership.start == Offsets()
    assert real.committed().metadata in (None, "")


def test_a_store_that_went_back_to_nothing_and_a_group_that_forgot_make_nothing_be_published_twice(real: Bench) -> None:
    entries = [(1, real.alert("a")), (2, real.letter(1, b"x"))]
    with real.claimed() as (ownership, publisher):
        at = real.written(ownership.partition.position, 4, *[entry for _, entry in entries])
        publisher.add(ownership, entries, at.offsets, NOW)
    real.forget()
    real.store = MemoryStore()
    with real.claimed() as (ownership, publisher):
        at = real.written(ownership.partition.position, 5, *[entry for _, entry in entries], real.alert("b"))
        publisher.add(ownership, [*entries, (3, real.alert("b"))], at.offsets, NOW)
    assert real.ids() == ["a", "b"]
    assert len(real.found(real.settings.topic_dead_letters)) == 1


def test_the_read_back_begins_before_the_oldest_entry_that_is_left(real: Bench) -> None:
    real.written(real.store.claim(0), 2, real.alert("old", at=LONG_AGO), real.alert("new"))
    take(
        real.consumer(),
        topics_read(real.settings),
        real.partition(),
        PublishedScan(real.settings, lambda _: None),
        SECONDS_MAX,
    )
    mark = OutboxProgress.read(real.committed().metadata)
    assert mark == OutboxProgress(0, Rewind(LONG_AGO - DAY_MS - 2 * HOUR_MS, Offsets(6), 0))


def test_after_the_store_has_gone_back_numbers_are_not_given_twice_and_nothing_is_published_twice(real: Bench) -> None:
    first = [(1, real.alert("a")), (2, real.alert("b")), (3, real.alert("c", due=True))]
    with real.claimed() as (ownership, publisher):
        at = real.written(ownership.partition.position, 4, *[entry for _, entry in first])
        publisher.add(ownership, first, at.offsets, NOW)
    for given in (3, 4):  # the second time it goes back while the first is being healed
        real.store = MemoryStore()
        real.written(real.store.claim(0), 2, real.alert("a"))
        with real.claimed() as (ownership, publisher):
            assert ownership.partition.sequence_min == given
            at = real.written(ownership.partition.position, 3, real.alert("b"), sequence_min=given)
            assert [number for number, _ in real.store.outbox(0, 1, 9)] == [given + 1]
            publisher.add(ownership, [(given + 1, real.alert("b"))], at.offsets, NOW - 1)
        mark = OutboxProgress.read(real.committed().metadata)
        assert mark is not None
        assert mark.rewind is not None
        assert (mark.published, mark.rewind.offsets.transactions, mark.rewind.clock) == (given + 1, 4, NOW)
        assert real.ids() == ["a", "b", "c"]
    last = [(6, real.alert("c", due=True)), (7, real.alert("d"))]
    with real.claimed() as (ownership, publisher):
        at = real.written(ownership.partition.position, 5, *[entry for _, entry in last])
        publisher.add(ownership, last, at.offsets, NOW)
    assert real.ids() == ["a", "b", "c", "d"]
    assert OutboxProgress.read(real.committed().metadata) == OutboxProgress(7)


def test_a_transaction_of_another_producer_hides_nothing_that_is_published(real: Bench) -> None:
    """It began before: until it ends a read_committed consumer is told that the topic ends there."""
    settings = {"bootstrap.servers": real.settings.kafka_bootstrap_servers, "transactional.id": fresh_name("other")}
    other = Producer({**settings, "log_level": 0})
    other.init_transactions(SECONDS_MAX)
    other.begin_transaction()
    other.produce(real.settings.topic_alerts, b"{}")
    other.flush(SECONDS_MAX)
    with real.claimed() as (ownership, publisher):
        at = real.written(ownership.partition.position, 1, real.alert("a"))
        publisher.add(ownership, [(1, real.alert("a"))], at.offsets, 0)
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 10:
            other.abort_transaction(SECONDS_MAX)

    said = PublishedScan(real.settings, lambda _: None).published(0, 0, beat)
    assert said.names == {b"a"}
