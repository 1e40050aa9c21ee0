"""Kafka's side of the loop: one thread polls and hands whole batches on."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Semaphore, Thread
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from handlers.intake.events import Record
from handlers.intake.inputs import INPUTS, Effect
from schemas.units import HOUR_MS
from streams.broker.assignment import Assignment
from streams.broker.clients import HEARTBEAT_MS, RECORD_BYTES_MAX, LastWord, is_fatal, kafka_client
from streams.broker.membership import Membership, OutOfGroup
from streams.broker.messages import record_of
from streams.broker.ownership import LostRecords, Ownership, PolledBatch
from streams.broker.rights import explained
from streams.broker.side_topics import SideTopics
from streams.broker.topics import topics_read
from streams.broker.wall_clock import WallClock
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.retry import Retry
from streams.ops.settings import Settings

_Place = tuple[str | None, int | None]
"""Topic and partition."""
_NOWHERE: _Place = (None, None)

BATCHES_AHEAD = 2
"""One being worked on, one waiting."""

IDLE_SECONDS = 0.02
"""A poll that brings nothing ends after that: the topics beside are looked at, and whether to stop."""

TICK_SECONDS = 1.0
MEASURE_SECONDS = 5.0
FETCH_WAIT_MS = 5
PARTITION_FETCH_BYTES = 262_144
METADATA_MS_MAX = 10_000
"""A topic that is deleted is missed as soon as that; otherwise its consumers wait in silence."""

_PATIENCE_SECONDS = 1.0
"""The loop may take that long for a batch before the consumer is paused, so that rebalances are not held up."""


class Poller:
    """`deliver` takes a batch from the polling thread; whoever has worked it off says `done`. `crash` ends the
    worker."""

    def __init__(
        self,
        settings: Settings,
        membership: Membership,
        side_topics: SideTopics,
        ownerships: Assignment,
        health: Health,
        metrics: Metrics,
        deliver: Callable[[list[PolledBatch]], None],
        crash: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._topics = topics_read(settings)
        self._topic = self._topics.transactions
        self._waiting_topics = [
            topic for one, topic in zip(INPUTS, self._topics, strict=True) if one.effect is Effect.AFTER_EARLIER
        ]
        self._membership = membership
        self._side_topics = side_topics
        self._assignment = ownerships
        self._health = health
        self._metrics = metrics
        self._deliver = deliver
        self._crash = crash
        self._room = Semaphore(BATCHES_AHEAD)
        self._early: dict[Ownership, dict[str, list[Record]]] = {}
        """By topic what has come of a partition and was not handed on yet."""
        self._clock = WallClock()
        self._noticed: set[int] = set()
        """Partitions of which /healthz says that their feed has an outage."""
        self._kafka = Retry("reaching Kafka", settings.retry_seconds_max)
        self._next_tick = self._next_measure = self._next_probe = self._next_look = 0.0
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="river", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def done(self) -> None:
        """A batch is worked off: there is room for one more."""
        self._room.release()

    def stop(self, seconds_max: float) -> bool:
        """No batch is handed on after this. True if the polling thread ended and all batches were worked off."""
        deadline = time.monotonic() + seconds_max
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(seconds_max)
        self._health.rest("consumer")
        idle = [self._room.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in range(BATCHES_AHEAD)]
        return all(idle) and not self._thread.is_alive()

    def observe(self) -> None:
        """Sets the gauges that are read off at the moment of a scrape. From any thread."""
        self._metrics.consumer_stalled_seconds.set(self._health.silence("consumer"))
        owned = list(self._assignment)
        self._metrics.partitions_owned.set(len(owned))
        for ownership in [*owned, *self._assignment.ended]:  # what waits goes on waiting where nobody can work it off
            gauges = self._metrics.partition(ownership.number)
            behind, seconds, held = ownership.lag(time.time() * 1_000, time.monotonic())
            gauges.lag_events.set(behind)
            gauges.lag_seconds.set(seconds)
            gauges.held_back_seconds.set(held)
            gauges.feed_outage_seconds.set(ownership.working.outage_ms / 1_000)
            # By the stream's own clock nobody is ever late: it doesn't move while nothing is worked off.
            due = ownership.working.next_due if self._settings.clock == "wall" else None
            gauges.due_overdue_seconds.set(0.0 if due is None else max(0.0, time.time() - due / 1_000))

    @property
    def _consumer(self) -> Consumer:
        return self._membership.consumer

    def _run(self) -> None:
        try:
            self._assignment.subscribe()
            while not self._stopping.is_set():
                self._health.beat("consumer")
                try:
                    self._assignment.turn()
                    self._probe()
                    self._look_at_ends()
                    self._turn()
                except KafkaException as error:
                    if not is_fatal(error.args[0]):
                        raise
                    self._assignment.join_anew(error.args[0], self._stopping.wait)
                except OutOfGroup as error:
                    self._assignment.join_anew(error, self._stopping.wait)
        except BaseException as error:  # noqa: BLE001 - a thread's end must be seen, whatever ended it
            self._crash(error)

    def _turn(self) -> None:
        """One poll. A consumer that isn't polled takes no part in rebalances, so it's polled while there is no room
        too, but paused; what comes then all the same waits for the next batch."""
        if not self._room.acquire(timeout=_PATIENCE_SECONDS):
            self._assignment.pause(True)
            self._sort(self._consumer.consume(1, 0.1))
            return
        polled_batches: list[PolledBatch] = []
        try:
            self._assignment.pause(False)
            started = time.perf_counter()
            self._sort(self._poll())
            self._sort_beside()
            polled_batches = self._portions()
            if polled_batches:
                self._metrics.step_seconds["poll"].observe(time.perf_counter() - started)
                self._deliver(polled_batches)
        finally:
            if not polled_batches:
                self._room.release()

    def _sort_beside(self) -> None:
        try:
            self._sort(self._side_topics.poll(self._settings.poll_records_max))
        except KafkaException as error:  # it is in no group that it could join anew
            raise LastWord(f"the consumer of {' and '.join(self._topics[1:])} has been given up: {error}") from error

    def _poll(self) -> list[Message]:
        """As many as a batch may have, or what has come when the wait for company of the first is over: a fetch that
        answers with the records of one partition is often followed by those of the others."""
        messages = self._consumer.consume(1, IDLE_SECONDS)
        if messages:
            most = self._settings.poll_records_max - len(messages)
            messages += self._consumer.consume(most, self._settings.poll_wait_ms / 1_000)
        return messages

    def _sort(self, messages: Sequence[Message]) -> None:
        """Keeps the records by partition and topic: what is done for a whole stretch of them costs a third."""
        full = len(messages) >= self._settings.poll_records_max
        stretches: dict[_Place, list[Message]] = {}
        place, its = _NOWHERE, list[Message]()
        for message in messages:
            error = message.error()
            if error is None:
                if (message.topic(), message.partition()) != place:  # mostly it is where the one before was
                    place = message.topic(), message.partition()
                    its = stretches.setdefault(place, [])
                its.append(message)
            else:  # it speaks of where the records before it have come to
                self._keep(stretches, full)
                stretches, place = {}, _NOWHERE
                self._report(message, error)
        self._keep(stretches, full)

    def _keep(self, stretches: dict[_Place, list[Message]], full: bool) -> None:
        for (topic, number), messages in stretches.items():
            ownership = None if number is None else self._assignment.get(number)
            if ownership is None or topic is None:
                continue  # not ours now; when it is, it will be sought where the store stands
            records = list(map(record_of, messages))
            place = self._topics.index(topic)
            ownership.reading.heard[place] = max(ownership.reading.heard[place], records[-1].offset + 1)
            if topic == self._topic:
                ownership.reading.caught_up = False
                ownership.reading.polled(full, time.monotonic())
                ownership.reading.seen_ms = max(ownership.reading.seen_ms, *[record.timestamp_ms for record in records])
            else:  # some may have been fetched for an ownership before this one
                read_to = ownership.reading.read_to[place]
                records = [record for record in records if record.offset >= read_to]
            if records:
                self._early.setdefault(ownership, {}).setdefault(topic, []).extend(records)

    def _portions(self) -> list[PolledBatch]:
        """Once a second those that are caught up tick as well, and every few seconds all are measured."""
        at = time.monotonic()
        tick, measure = at >= self._next_tick, at >= self._next_measure
        if tick:
            self._next_tick = at + TICK_SECONDS
        if measure:
            self._next_measure = at + MEASURE_SECONDS
        wall = self._clock.now_ms() if self._settings.clock == "wall" else 0
        now = wall if tick and wall else None
        if measure:
            self.notice_outages()
        early, self._early = self._early, {}
        polled_batches = []
        for ownership in self._assignment:
            its, its_now = self.ripe(ownership, early.get(ownership, {})), now if ownership.reading.caught_up else None
            if tick or measure:
                log = TopicPartition(self._topic, ownership.number)
                ownership.reading.look_at_end(self._consumer.get_watermark_offsets(log, cached=True)[1], at)
            if its or its_now is not None or measure:
                records, *beside = [its.get(topic, []) for topic in self._topics]
                if records:
                    ownership.reading.hand_on(records, ownership.working.committed.transactions)
                polled_batches.append(
                    PolledBatch(ownership, records, beside, ownership.reading.read_to, its_now, wall, measure)
                )
                ownership.reading.read_to = ownership.reading.read_to.after(records, *beside)
        return polled_batches

    def notice_outages(self) -> None:
        """Says of which partitions the feed has an outage, and no longer of those that are not owned any more."""
        silent = {
            ownership.number: ownership.working.outage_ms
            for ownership in self._assignment
            if ownership.working.outage_ms
        }
        for number in self._noticed - silent.keys():
            self._health.notice(f"partition {number}", None)
        for number, outage_ms in silent.items():
            hours = f"{outage_ms / HOUR_MS:,.0f} h"
            text = f"nothing has come for {hours}, far longer than usual: no silence is judged until the feed is back"
            self._health.notice(f"partition {number}", text)
        self._noticed = set(silent)

    def ripe(self, ownership: Ownership, its: dict[str, list[Record]]) -> dict[str, list[Record]]:
        """Without the records that take effect after earlier transactions, where some of these may not have been read:
        an outcome's alert may still have to be decided, when a store that has lost much reads all again. They are
        kept."""
        for topic in self._waiting_topics:
            waiting = its.pop(topic, [])
            known = len(waiting)
            if not ownership.reading.caught_up:
                later = (n for n, record in enumerate(waiting) if record.timestamp_ms > ownership.reading.seen_ms)
                known = next(later, known)
            if waiting[:known]:
                its[topic] = waiting[:known]
            if waiting[known:]:
                self._early.setdefault(ownership, {})[topic] = waiting[known:]
            full = len(waiting) - known >= self._settings.poll_records_max
            if full != (topic in ownership.reading.on_hold):
                ownership.reading.on_hold ^= {topic}
                self._side_topics.hold(topic, ownership.number, full)
        return its

    def _report(self, message: Message, error: KafkaError) -> None:
        ownership, topic = self._assignment.get(_number(message)), message.topic()
        if error.code() == KafkaError._PARTITION_EOF:
            if ownership is not None and topic is not None:
                ownership.reading.reached_end(self._topics.index(topic), message.offset() or 0)
            if ownership is not None and topic == self._topic:
                ownership.reading.caught_up = True
                ownership.reading.polled(False, time.monotonic())
        elif error.code() == KafkaError._AUTO_OFFSET_RESET and ownership is not None:
            lost = f"{message.topic()}: the records after those that were processed are no longer in Kafka"
            self._assignment.lose(ownership.number, LostRecords(lost))
        elif is_fatal(error):
            raise KafkaException(error)
        elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            # librdkafka itself would try to join again at once, some hundred times a second.
            raise OutOfGroup(explained(self._settings, KafkaException(error)))
        else:
            self._health.trouble("kafka", error.str())

    def _look_at_ends(self) -> None:
        """Where nothing is fetched, nothing else tells what has come."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + TICK_SECONDS
        with suppress(KafkaException):  # what is away is told elsewhere
            for ownership in self._assignment.unread:
                log = TopicPartition(self._topic, ownership.number)
                ownership.reading.high = max(
                    ownership.reading.high, self._consumer.get_watermark_offsets(log, timeout=TICK_SECONDS)[1]
                )

    def _probe(self) -> None:
        """Once Kafka is in trouble an idle consumer would not notice that it is back. Raises GaveUp."""
        if not self._health.troubled("kafka") or time.monotonic() < self._next_probe:
            return
        try:
            found = self._consumer.list_topics(self._topic, timeout=TICK_SECONDS).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
        except KafkaException as error:
            self._next_probe = time.monotonic() + self._kafka.failed(error)
        else:
            self._kafka.worked()
            self._health.fine("kafka")


def consumer_config(settings: Settings, on_error: Callable[[KafkaError], None]) -> dict[str, Any]:
    """The loop's consumer, and that of the topics beside."""
    named = {} if settings.instance_id is None else {"group.instance.id": settings.instance_id}
    return (
        kafka_client(settings, on_error)
        | named
        | {
            "group.id": settings.group_id,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": True,
            "session.timeout.ms": settings.session_timeout_ms,
            "heartbeat.interval.ms": min(HEARTBEAT_MS, settings.session_timeout_ms // 3),
            "topic.metadata.refresh.interval.ms": METADATA_MS_MAX,
            "max.poll.interval.ms": max(300_000, settings.session_timeout_ms),
            # A broker asked for less answers each record by itself: that costs it, and us, more than the wait.
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "fetch.min.bytes": 2_048,
            # A larger record still comes, by itself. What is fetched of one partition waits before what others get.
            "fetch.message.max.bytes": PARTITION_FETCH_BYTES,
            "queued.min.messages": settings.poll_records_max,
            "fetch.queue.backoff.ms": FETCH_WAIT_MS,
            "fetch.max.bytes": 4 * RECORD_BYTES_MAX,
            "receive.message.max.bytes": 5 * RECORD_BYTES_MAX,
            "queued.max.messages.kbytes": settings.fetch_queue_kib_max,
        }
    )


def _number(message: Message) -> int:
    """The partition; an error that is about none has a number that none has."""
    number = message.partition()
    return -1 if number is None else number
