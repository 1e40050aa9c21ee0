"""One spell of owning one partition: from its claim in the store until it is taken away or refused."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from handlers.intake.events import Record
from handlers.state.codec import LayoutError
from streams.broker.progress import OutboxProgress
from streams.broker.published_scan import PublishedScan
from streams.broker.topics import Topics
from streams.partition.partition import Partition
from streams.partition.poison_breaker import PoisonFlood
from streams.store.port import Offsets

_log = logging.getLogger("tracker.claims")


class LostRecords(Exception):
    """Kafka no longer has, or never had, records between where the store stands and where the log can be read."""


class PartitionsChanged(Exception):
    """The topics have another number of partitions than the state was made with: customers are looked for in partitions
    where their rows, consents and alerts are not."""


STANDING_STILL = (LostRecords, PartitionsChanged, PoisonFlood, LayoutError)
"""After these the partition stays where it is until somebody has decided."""


@dataclass(slots=True, eq=False)
class Reading:
    """How far a partition has been read under an ownership. Written by the thread that polls, read by any."""

    read_to: Offsets
    """After the last records that were handed on to be worked on."""
    heard: list[int] = field(init=False)
    """By topic, after the last record that Kafka has given."""
    ends: list[tuple[int, int] | None] = field(init=False)
    """By topic, what had been heard when its end was reached, and that end, which is further on where markers of
    transactions, or records of aborted ones, come last. None if it was not reached yet."""
    waiting: tuple[tuple[int, int], ...] = ()
    """Of each batch of transactions that was handed on: its last offset, and the Kafka timestamp of its first."""
    held_since: tuple[int, float] | None = None
    """Where an open transaction keeps readers from what is behind it, and since when that is known (monotonic)."""
    caught_up: bool = False
    """Every transaction in the log has been read."""
    behind_since: float | None = None
    """Since when each poll that brought transactions brought as many as it may; None if the last one did not."""
    seen_ms: int = 0
    """Latest Kafka timestamp of a transaction that has been read."""
    on_hold: frozenset[str] = frozenset()
    """Topics of which so many records wait for transactions that no more are read."""
    high: int = 0
    """Offset after the last transaction that Kafka was lately known to hold."""

    def __post_init__(self) -> None:
        self.heard = list(self.read_to)
        self.ends = [None] * len(self.read_to)

    def reached_end(self, topic: int, end: int) -> None:
        """Kafka has nothing more to give of the topic (its place in Offsets) up to `end`."""
        self.ends[topic] = self.heard[topic], end

    @property
    def at_end(self) -> int | None:
        """The end of the transactions' log for readers, if all that comes before it has been heard."""
        end = self.ends[0]
        return end[1] if end is not None and end[0] == self.heard[0] else None

    def look_at_end(self, high: int, now: float) -> None:
        """Kafka holds transactions up to `high`: whether more than can be read (time.monotonic)."""
        self.high = max(self.high, high)
        end = self.at_end
        if end is None or self.high <= end:
            self.held_since = None
        elif self.held_since is None or self.held_since[0] != end:
            self.held_since = end, now

    def hand_on(self, records: Sequence[Record], committed: int) -> None:
        """A batch of transactions goes to be worked on; those before the offset `committed` have been."""
        waiting = [batch for batch in self.waiting if batch[0] >= committed]
        self.waiting = (*waiting, (records[-1].offset, records[0].timestamp_ms))

    def polled(self, full: bool, now: float) -> None:
        """A poll brought transactions, as many as one may bring, or fewer, or came to the end (time.monotonic)."""
        if not full:
            self.behind_since = None
        elif self.behind_since is None:
            self.behind_since = now

    def behind_seconds(self, now: float) -> float:
        """For how long more has been waiting in Kafka than a poll takes."""
        since = self.behind_since
        return 0.0 if since is None else now - since


@dataclass(slots=True, eq=False)
class Working:
    """How far a partition has been worked off under an ownership. Written by the loop's thread, read by any."""

    committed: Offsets
    """After the last records that the store has said it has; what is on its way there is not among them."""
    proved: bool = False
    """The store has done what was asked under this ownership."""
    next_due: int | None = None
    """When the next customer was lately known to be looked at, epoch ms; None if there is none, or an outage."""
    outage_ms: int = 0
    """For how long nothing had come when that was looked at lately, where that is not usual."""


@dataclass(slots=True, eq=False)
class Ownership:
    """A batch carries the ownership it was read under; once that is no longer alive, the batch is dropped."""

    partition: Partition
    start: Offsets
    """Of the first records to read."""
    reading: Reading = field(init=False)
    working: Working = field(init=False)
    alive: bool = True
    """Set to False once, by whoever ends it, under the loop's lock."""

    def __post_init__(self) -> None:
        self.reading, self.working = Reading(self.start), Working(self.start)

    @property
    def number(self) -> int:
        return self.partition.number

    @property
    def read_all(self) -> bool:
        """Every topic was read to its end at some time, and what came of it then is worked off."""
        reached = self.partition.reached
        return all(end is not None and end[0] <= at for end, at in zip(self.reading.ends, reached, strict=True))

    def acknowledged(self, offsets: Offsets) -> Offsets:
        """What to tell the group where the loop stands at `offsets`: the position of a reader, for whom markers of
        transactions are no records. From any thread."""
        told = zip(offsets, self.partition.start, self.reading.ends, strict=True)
        return Offsets(*[end[1] if end and end[0] == max(at, start) else max(at, start) for at, start, end in told])

    def lag(self, now_ms: float, now: float) -> tuple[int, float, float]:
        """Transactions in Kafka that are not committed yet; the age of the oldest, and for how long such have been held
        back by an open transaction, in seconds. `now` is time.monotonic. From any thread."""
        at, reading = self.acknowledged(self.working.committed).transactions, self.reading
        since = reading.held_since if self.alive else None  # else nothing is read, whoever has written it
        held = 0.0 if since is None else max(0.0, now - since[1])
        oldest = next((first for last, first in reading.waiting if last >= at), reading.seen_ms)
        behind = max(0, reading.high - at)
        if not behind:  # also where what was held back has been read, and the end not been looked at since
            return 0, 0.0, 0.0
        if (since is not None and at >= since[0]) or not oldest:
            return behind, held, held
        return behind, max(held, (now_ms - oldest) / 1_000), held


class PolledBatch(NamedTuple):
    """What one poll brought for one partition. With `now`, epoch ms, it is a tick as well."""

    ownership: Ownership
    records: list[Record]
    """Transactions."""
    beside: list[list[Record]]
    """Of each of SIDE_INPUTS."""
    follows: Offsets
    """After the last records of the portion before: where the store must stand when this one is worked on."""
    now: int | None
    wall: int
    """The clock on the wall, epoch ms; 0 where it is not asked."""
    measure: bool
    """Look at the depths of the state, for the metrics."""

    @property
    def empty(self) -> bool:
        """No record came."""
        return not (self.records or any(self.beside))


def take(
    consumer: Consumer,
    topics: Topics,
    partition: Partition,
    published_scan: PublishedScan,
    seconds_max: float,
    *,
    any_count: bool = False,
) -> Ownership:
    """Claims the partition in the store and says where to read on: where the store stands, whatever Kafka thinks.

    Each answer of Kafka may take `seconds_max`. With `any_count` the topics may have another number of partitions than
    the state was made with.

    If more is published than the store knows of, it has gone back. Kafka is told before anything else is written, and
    numbers of outbox entries that were published once are not given again. The same is done where Kafka no longer says
    what is published (the group's offsets were reset, or it was idle for so long that Kafka forgot them): each entry of
    the outbox may be, and the store may have gone back as well, even to where it had nothing of the partition.

    Raises StoreUnavailable, KafkaException (no answer within `seconds_max`), and what is in STANDING_STILL.
    """
    position = partition.claim()
    if not any_count:
        _check_count(consumer, topics.transactions, partition, seconds_max)
    logs = [TopicPartition(topic, partition.number) for topic in topics]
    ends = [consumer.get_watermark_offsets(log, timeout=seconds_max, cached=False) for log in logs]
    told = consumer.committed(logs, timeout=seconds_max)
    for log in told:
        if log.error is not None:
            raise KafkaException(log.error)
    progress = OutboxProgress.read(told[0].metadata)
    has_records = any(high > low for low, high in ends)
    if progress is None and (position.version > 0 or (has_records and published_scan.has_any())):
        oldest = partition.oldest_entry()
        # What is no longer in the outbox was published; beyond where the topics end the loop has never been.
        published = position.sequence if oldest is None else oldest[0] - 1
        entry, was_at = None if oldest is None else oldest[1], Offsets(*[high for _, high in ends])
        progress = OutboxProgress(published, published_scan.rewind(partition.number, position, was_at, None, entry))
        _note(consumer, logs[0], position.offset, progress)
        _log.warning("partition %d: the group no longer says what is published: it is read back", partition.number)
    elif progress is not None and progress.published > position.sequence:
        was_at = Offsets(*[max(0, log.offset) for log in told])
        progress = replace(progress, rewind=published_scan.rewind(partition.number, position, was_at, progress.rewind))
        _note(consumer, logs[0], was_at.transactions, progress)
        partition.sequence_min = progress.published
        _log.warning("partition %d: the store has gone back to offset %d", partition.number, position.offset)
    if position.version == 0:
        partition.start = Offsets(*[low for low, _ in ends])
    start = partition.reached
    for topic, at, (low, high) in zip(topics, start, ends, strict=True):
        if at < low:
            raise LostRecords(f"{topic}: offsets {at} to {low - 1} have gone from Kafka before they were processed")
        if at > high:
            raise LostRecords(f"{topic}: offsets {high} to {at - 1} were processed, but Kafka ends before them")
    return Ownership(partition, start)


def _check_count(consumer: Consumer, topic: str, partition: Partition, seconds_max: float) -> None:
    """Raises PartitionsChanged, KafkaException, StoreUnavailable."""
    found = consumer.list_topics(topic, timeout=seconds_max).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    partition.partitions = len(found.partitions)
    made_with = partition.made_with()
    if made_with not in (0, partition.partitions):
        raise PartitionsChanged(
            f"{topic} has {partition.partitions} partitions, but the state in Redis was made with {made_with}, so that"
            " customers would be looked for where they are not: stop all workers and run `tracker repartition`"
        )


def _note(consumer: Consumer, log: TopicPartition, offset: int, progress: OutboxProgress) -> None:
    """Tells the group before anything is written or published. Raises KafkaException."""
    consumer.commit(offsets=[TopicPartition(log.topic, log.partition, offset, str(progress))], asynchronous=False)
