"""From the outbox to Kafka, each entry once for a read_committed subscriber.

A transaction holds entries of several partitions and, as the loop's consumer group's offsets of each, where the loop
stands (for lag tools), with the last published sequence as the metadata of the transactions' offset. So records and
sequence are committed together or not at all, and whoever owns the partition next goes on after that sequence. The
group's metadata is taken before the entries: a worker that has been thrown out of the group in between is refused by
the coordinator, with all its records.

The embedded broker forgets offsets committed in a transaction. Where that is seen, the offsets are committed once
more, after the transaction: a crash just between the two publishes these entries twice, with the same ids.

confluent-kafka lets one thread at a time use a consumer, without fairness: while the loop's is polled in a tight circle
another thread may wait for ever. So what only that consumer can do is done by the polling thread, in `serve`, and the
group's offsets are read with a client of the publisher's own that never joins the group.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, repeat
from queue import SimpleQueue
from threading import Condition, Event, Thread

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.broker.bounded import Bounded
from streams.broker.clients import is_fatal
from streams.broker.outbox_queue import Entry, OutboxQueue
from streams.broker.ownership import Ownership
from streams.broker.progress import OutboxProgress
from streams.broker.published_scan import PublishedScan
from streams.broker.rights import explained
from streams.broker.topics import topics_read
from streams.broker.transactions import ANSWER_SECONDS_MAX, produce, producer_config, send_offsets, until_answered
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.retry import Retry
from streams.ops.settings import Settings
from streams.store.port import Offsets, Store, StoreUnavailable

ENTRIES_MAX = 2_000
BYTES_MAX = 16 * 1024 * 1024
"""Of one transaction."""

QUEUED_ENTRIES_MAX = 20_000
QUEUED_BYTES_MAX = 64 * 1024 * 1024
"""With more than that waiting, the loop waits too."""

IDLE_SECONDS = 1.0
"""Between acknowledgements when there is nothing to publish."""

_SERVE_SECONDS = 0.05
"""Between looks at whether the publisher, which is stopping, needs the loop's consumer."""

REST_SECONDS_MAX = 0.004
"""Between transactions: one that took long for once does not keep alerts waiting after it as well."""

BACKLOG_SECONDS = 1.0
BACKLOG_REST_SECONDS = 0.08
"""Between transactions of partitions that have had more waiting than a poll takes for longer than that: no single alert
is waited for there, and a transaction costs the broker as much as the commits of a thousand events."""

_REGISTERED_SECONDS = 0.00105
"""librdkafka tells the coordinator of a transaction's partitions a millisecond after the first record, and begins that
millisecond anew with each answer that it gets meanwhile; a call that comes just after it is up lets it go on."""

_TROUBLE_SECONDS = 3.0
"""Failing for less than that is nothing to worry about: a rebalance refuses a transaction too."""

_log = logging.getLogger("tracker.publisher")

Picked = list[tuple[OutboxQueue, list[Entry], Offsets, OutboxProgress]]
"""Queue, its entries of this transaction, the offsets to acknowledge, and what to note beside the first."""


class Publisher:
    """A thread of its own. `offsets` is a consumer of the loop's group that never subscribes; it and `store` are used
    by this thread only."""

    def __init__(
        self,
        settings: Settings,
        offsets: Consumer,
        store: Store,
        published_scan: PublishedScan,
        health: Health,
        metrics: Metrics,
        on_error: Callable[[KafkaError], None],
        crash: Callable[[BaseException], None],
    ) -> None:
        self._settings, self._topics = settings, topics_read(settings)
        self._offsets = offsets
        self._store = store
        self._published_scan = published_scan
        self._health = health
        self._metrics = metrics
        self._crash = crash
        self._config = producer_config(settings, on_error)
        self._producer: Producer | None = None
        self._retry = Retry("publishing to Kafka", settings.retry_seconds_max)
        self._changed = Condition()
        self._backlogs: dict[Ownership, OutboxQueue] = {}
        self._sending: frozenset[Ownership] = frozenset()
        self._stopping = Event()
        self._lasted = 0.0
        self._behind = False
        self._acknowledge_at = 0.0
        self._offsets_kept: bool | None = None
        self._unkept: SimpleQueue[list[TopicPartition]] = SimpleQueue()
        self._group: object = None
        self._group_old = True
        self._bounded = Bounded("publisher's offsets")
        self._thread = Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def serve(self, consumer: Consumer) -> None:
        """What only the loop's consumer can do; its polling thread calls this between polls."""
        if self._group_old:  # asking holds up every thread for a good part of a millisecond
            self._renew_group(consumer)
        while not self._unkept.empty():
            # Not waited for: there is no limit to how long an answer may take, and the next one says it again.
            consumer.commit(offsets=self._unkept.get(), asynchronous=True)

    def _renew_group(self, consumer: Consumer) -> None:
        self._group_old = False
        group = consumer.consumer_group_metadata()
        with self._changed:
            self._group = group
            self._changed.notify_all()

    def rebalanced(self) -> None:
        """The group has a new generation: the coordinator would refuse what is known of the one before."""
        with self._changed:
            self._group, self._group_old = None, True

    def own(self, ownership: Ownership) -> None:
        """From now on publishes this partition's entries, first those that were left in the store."""
        with self._changed:
            self._backlogs[ownership] = OutboxQueue(ownership)
            self._changed.notify_all()

    def add(self, ownership: Ownership, entries: Sequence[Entry], offsets: Offsets, clock: int) -> None:
        """Takes what a commit has written; the loop then stands at `offsets`, and nobody is due up to `clock`."""
        with self._changed:
            queue = self._backlogs.get(ownership)
            if queue is not None:
                queue.add(entries, offsets, clock)
                if entries:  # what is only to be acknowledged has time
                    self._changed.notify_all()

    def drop(self, ownerships: Sequence[Ownership]) -> None:
        """Forgets these partitions. Returns when no transaction holds entries of them any more, or after
        ANSWER_SECONDS_MAX: the coordinator refuses a transaction that is still under way then."""
        with self._changed:
            for ownership in ownerships:
                self._backlogs.pop(ownership, None)
            self._changed.wait_for(lambda: self._sending.isdisjoint(ownerships), ANSWER_SECONDS_MAX)

    def wait_for_room(self) -> None:
        """Returns when few enough entries are waiting, or when the publisher is stopping."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._has_room())

    def stop(self, seconds_max: float, consumer: Consumer | None) -> bool:
        """Publishes what is there, acknowledges, ends the thread. False if that took too long.

        `consumer` is the loop's, which nobody polls any more: the group may have a new generation all the same, as when
        another worker leaves it. None if it can't be asked.
        """
        deadline = time.monotonic() + seconds_max
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        while self._thread.is_alive() and (left := deadline - time.monotonic()) > 0:
            # Not once it is out of its group: Kafka takes a transaction of nobody's without looking who owns what.
            if self._group_old and consumer is not None and consumer.memberid():
                self._renew_group(consumer)
            self._thread.join(min(left, _SERVE_SECONDS))
        self._health.rest("publisher")
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not (self._stopping.is_set() and self._done()):
                self._health.beat("publisher")
                self._once()
        except BaseException as error:  # noqa: BLE001 - a thread's end must be seen, whatever ended it
            self._crash(error)
        finally:
            self._bounded.close()

    def _once(self) -> None:
        try:
            self._ready_producer()  # before the group's offsets are read: it ends what a killed one has left open
            self._settle()
            while self._publish():
                self._health.beat("publisher")
                self._rest()
        except (KafkaException, StoreUnavailable) as error:
            wait = self._failed(error)
            with self._changed:
                self._changed.wait(wait)
            return
        self._retry.worked()
        self._health.fine("publishing")
        with self._changed:
            self._changed.wait_for(lambda: self._urgent() or self._can_end(), IDLE_SECONDS)

    def _rest(self) -> None:
        """A quarter of what the last transaction took: what comes meanwhile goes with the next, Kafka does fewer."""
        # Not waited for by the condition: whatever is added would wake this thread, and take the interpreter to it.
        self._stopping.wait(BACKLOG_REST_SECONDS if self._behind else min(self._lasted / 4, REST_SECONDS_MAX))

    def _settle(self) -> None:
        """Finds out where partitions new to this publisher were left off."""
        with self._changed:
            unsettled = [queue for queue in self._backlogs.values() if not queue.settled]
        for queue in unsettled:
            progress = self._committed(queue.ownership)
            if progress.rewind is not None:
                if queue.said is None:
                    queue.said = self._published_scan.published(
                        queue.ownership.number, progress.rewind.since, self._beat
                    )
                clock = max(progress.rewind.clock, queue.said.due)
                progress = replace(progress, rewind=progress.rewind._replace(clock=clock))
            published = progress.published
            stored: list[Entry] = []
            while page := self._store.outbox(
                queue.ownership.number, stored[-1][0] if stored else published, ENTRIES_MAX
            ):
                stored += page
            with self._changed:
                queue.settle(progress, stored)
                queue.ownership.partition.published = published

    def _beat(self) -> None:
        self._health.beat("publisher")

    def _committed(self, ownership: Ownership) -> OutboxProgress:
        """What is published, as the consumer group knows it: whoever claims a partition that is not new makes sure that
        it does. Waits for transactions under way."""
        log = TopicPartition(self._topics.transactions, ownership.number)
        (found,) = self._offsets.committed([log], timeout=ANSWER_SECONDS_MAX)
        if found.error is not None:
            raise KafkaException(found.error)
        return OutboxProgress.read(found.metadata) or OutboxProgress()

    def _publish(self) -> bool:
        """One transaction. False if there was nothing to say."""
        producer = self._ready_producer()
        group = self._group
        with self._changed:
            picked = self._pick() if group is not None else []
            self._sending = frozenset(queue.ownership for queue, *_ in picked)
        if not picked:
            return False
        started = time.monotonic()
        self._behind = all(queue.ownership.reading.behind_seconds(started) > BACKLOG_SECONDS for queue, *_ in picked)
        try:
            self._send(producer, group, picked)
            self._lasted = time.monotonic() - started
            self._metrics.step_seconds["publish"].observe(self._lasted)
            with self._changed:
                for queue, _, offsets, progress in picked:
                    queue.published_up_to(progress, offsets)
        except KafkaException as error:
            self._undo(producer, error, picked)
            raise
        finally:
            with self._changed:
                self._sending = frozenset()
                self._changed.notify_all()
        self._metrics.publish_transactions.inc()
        self._metrics.published_records.inc(sum(len(entries) for _, entries, *_ in picked))
        return True

    def _pick(self) -> Picked:
        picked: Picked = []
        acknowledge = self._stopping.is_set() or time.monotonic() >= self._acknowledge_at
        if acknowledge:
            self._acknowledge_at = time.monotonic() + IDLE_SECONDS
        entries_max, bytes_max = ENTRIES_MAX, BYTES_MAX
        for queue in self._backlogs.values():
            if not queue.settled:
                continue
            entries = queue.head(entries_max, bytes_max) if entries_max and (bytes_max > 0 or not picked) else []
            entries_max -= len(entries)
            bytes_max -= sum(len(outgoing.value or b"") for _, outgoing in entries)
            progress = queue.mark_after(entries)
            if entries or (acknowledge and (queue.offsets, progress) != (queue.acknowledged, queue.progress)):
                picked.append((queue, entries, queue.offsets, progress))
        return picked

    def _send(self, producer: Producer, group: object, picked: Picked) -> None:
        registered = time.monotonic() + _REGISTERED_SECONDS
        producer.begin_transaction()
        for queue, entries, *_ in picked:
            for _, outgoing in entries:
                if queue.said is None or self._published_scan.name(outgoing) not in queue.said.names:
                    produce(producer, outgoing)
        offsets = [
            log
            for queue, _, offsets, progress in picked
            for log in self._logs(queue.ownership.number, offsets, progress)
        ]
        send_offsets(self._bounded, producer, offsets, group)
        time.sleep(max(0.0, registered - time.monotonic()))
        until_answered(producer.commit_transaction)
        if self._offsets_kept is None:
            number = offsets[0].partition
            log = TopicPartition(self._topics.transactions, number)
            (found,) = self._offsets.committed([log], timeout=ANSWER_SECONDS_MAX)
            self._offsets_kept = bool(found.metadata)
            if not self._offsets_kept:
                _log.warning("this broker forgets offsets committed in a transaction: they are committed after it")
        if not self._offsets_kept:
            self._unkept.put(offsets)

    def _logs(self, number: int, offsets: Offsets, progress: OutboxProgress) -> list[TopicPartition]:
        """What the group is told: the outbox progress beside the offset; of topics not yet read nothing."""
        told = chain([str(progress)], repeat(""))
        logs = zip(self._topics, offsets, told, strict=False)
        return [TopicPartition(topic, number, at, text) for topic, at, text in logs if at or text]

    def _undo(self, producer: Producer, error: KafkaException, picked: Picked) -> None:
        """After any failure the committed sequence is read again: only Kafka knows what came of the transaction."""
        self._group_old = True
        fatal = is_fatal(error.args[0])
        if not fatal:
            try:
                until_answered(producer.abort_transaction)
            except KafkaException:
                fatal = True
        if fatal:
            self._producer = None
        with self._changed:
            for queue in self._backlogs.values() if fatal else [queue for queue, *_ in picked]:
                queue.unsettle()

    def _ready_producer(self) -> Producer:
        if self._producer is None:
            producer = Producer(self._config)
            until_answered(producer.init_transactions)
            self._producer = producer
        return self._producer

    def _failed(self, error: KafkaException | StoreUnavailable) -> float:
        wait, words = self._retry.failed(error), explained(self._settings, error)
        _log.warning("publishing failed, trying again: %s", words)
        if self._retry.failing_seconds > _TROUBLE_SECONDS:
            self._health.trouble("publishing", words)
        return wait

    def _urgent(self) -> bool:
        backlogs = self._backlogs.values()
        return any(not queue.settled or (len(queue) and self._group is not None) for queue in backlogs)

    def _can_end(self) -> bool:
        return self._stopping.is_set() and (self._group is not None or self._done())

    def _has_room(self) -> bool:
        backlogs = self._backlogs.values()
        return (
            sum(len(queue) for queue in backlogs) < QUEUED_ENTRIES_MAX
            and sum(queue.bytes for queue in backlogs) < QUEUED_BYTES_MAX
        )

    def _done(self) -> bool:
        return not any(len(queue) or queue.offsets != queue.acknowledged for queue in self._backlogs.values())
