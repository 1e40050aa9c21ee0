"""What is published already although the store or the consumer group no longer knows: found on the outbound topics.

Redis fails over to a replica that is behind, or loses its last moments. Then the loop reads again from the older offset
and comes to the same alerts, for an alert's id is a function of its cause. Or the group's offsets are reset, or Kafka
drops those of an idle group: then nobody knows how much of the store's outbox is published. Either way those alerts
that are on their topic already are found there by their ids, dead letters by the place of the record that they hold.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from handlers.intake.validation import AHEAD_MS_MAX
from schemas.units import HOUR_MS, parse_rfc3339
from streams.broker.clients import RECORD_BYTES_MAX, kafka_client
from streams.broker.messages import headers_of
from streams.broker.progress import Rewind
from streams.broker.topics import reader_group
from streams.ops.settings import Settings
from streams.store.port import Offsets, Outgoing, Position

CLOCKS_APART_MS_MAX = 2 * HOUR_MS
"""The broker itself refuses records that are more than an hour ahead of it; and a worker may be an hour behind."""

ANSWER_SECONDS_MAX = 10.0
FETCH_WAIT_MS = 10
"""At the end of a topic the broker waits that long before it says so, and nothing is published meanwhile. With the
client's 500 ms a partition took 2.7 s."""

OPEN_SECONDS_MAX = 40.0
"""A transaction of a producer that was killed stays open for its 15 s, and until the broker looks again."""

_RECORDS_BEFORE = 50
"""The last record before an offset is looked for that far back: marks of transactions lie between records."""

Name = bytes
"""What an outbound record is known by."""


class Said(NamedTuple):
    """What the outbound topics hold of one partition since some moment."""

    names: frozenset[Name] = frozenset()
    due: int = 0
    """The latest due time that caused an alert among them, epoch ms."""


class _Cause(msgspec.Struct):
    partition: int
    due_at: str | None = None


class _Caused(msgspec.Struct):
    cause: _Cause


_caused = msgspec.json.Decoder(_Caused)


class PublishedScan:
    """Uses clients of its own, made when needed. Raises KafkaException."""

    def __init__(self, settings: Settings, on_error: Callable[[KafkaError], None]) -> None:
        self._transactions = settings.topic_transactions
        self._alerts = settings.topic_alerts
        self._letters = settings.topic_dead_letters
        self._config = kafka_client(settings, on_error) | {
            "group.id": reader_group(settings),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": RECORD_BYTES_MAX,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
        }

    def rewind(
        self, partition: int, position: Position, was_at: Offsets, known: Rewind | None, oldest: Outgoing | None = None
    ) -> Rewind:
        """The store stands at `position`, the loop may have been at `was_at`; `known` is from a time before. `oldest`
        is the first entry of the outbox that may be published already, if any may."""
        since = self._moment_before(partition, position.offset)
        if oldest is not None:
            since = min(since, _moment_of(oldest))
        if known is not None:
            since, was_at = min(since, known.since), was_at.or_later(known.offsets)
        return Rewind(since, was_at, known.clock if known else 0)

    def has_any(self) -> bool:
        """Whether the outbound topics hold anything, of whichever partition."""
        reader = Consumer(self._config)
        try:
            for topic in (self._alerts, self._letters):
                for number in reader.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions:
                    low, high = reader.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_SECONDS_MAX)
                    if low < high:
                        return True
        finally:
            reader.close()
        return False

    def published(self, partition: int, since: int, beat: Callable[[], None]) -> Said:
        """What is on the outbound topics since then and came from the partition."""
        names, due = set(), 0
        reader = Consumer(self._config)
        try:
            for topic in (self._alerts, self._letters):
                for message in _since(reader, topic, since, beat):
                    headers = headers_of(message)
                    cause = self._cause(message, headers)
                    name = _name(headers)
                    if cause is None or cause.partition != partition or name is None:
                        continue
                    names.add(name)
                    if cause.due_at is not None:
                        due = max(due, parse_rfc3339(cause.due_at))
        finally:
            reader.close()
        return Said(frozenset(names), due)

    def name(self, outgoing: Outgoing) -> Name | None:
        """What a record to be published is known by; the same for the record once it is."""
        return _name(outgoing.headers)

    def _cause(self, message: Message, headers: Sequence[tuple[str, bytes]]) -> _Cause | None:
        """Where a record comes from; None if it says nothing of the kind."""
        if message.topic() == self._letters:
            number = dict(headers).get("dlq_partition", b"")
            return _Cause(int(number)) if number.isdigit() else None
        try:
            return _caused.decode(message.value() or b"").cause
        except msgspec.DecodeError:
            return None

    def _moment_before(self, partition: int, offset: int) -> int:
        """When the last record before the offset was written, less what clocks may be apart; 0 if that isn't known."""
        reader = Consumer(self._config)
        try:
            log = TopicPartition(self._transactions, partition, max(0, offset - _RECORDS_BEFORE))
            low, _ = reader.get_watermark_offsets(log, timeout=ANSWER_SECONDS_MAX)
            if offset <= low:
                return 0
            reader.assign([TopicPartition(self._transactions, partition, max(low, log.offset))])
            first = next(_messages(reader, 1, lambda: None), None)
            if first is None or (first.offset() or 0) >= offset:
                return 0
            return max(0, first.timestamp()[1] - CLOCKS_APART_MS_MAX)
        finally:
            reader.close()


def _since(reader: Consumer, topic: str, since: int, beat: Callable[[], None]) -> Iterator[Message]:
    """Every committed record of the topic since that moment, to where it ends now."""
    numbers = reader.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions
    logs = [TopicPartition(topic, number, since) for number in numbers]
    if since:
        logs = reader.offsets_for_times(logs, timeout=ANSWER_SECONDS_MAX)
    else:
        logs = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
    reader.assign(logs)
    return _messages(reader, len(logs), beat)


def _messages(reader: Consumer, partitions: int, beat: Callable[[], None]) -> Iterator[Message]:
    """Every committed record up to where each partition's log ends when that is first met.

    A transaction of anybody that is open hides what was committed after it had begun: its end is waited for.
    """
    ends: dict[tuple[str | None, int | None], int] = {}
    reached: set[tuple[str | None, int | None]] = set()
    heard = time.monotonic()
    while len(reached) < partitions:
        beat()
        messages: Sequence[Message] = reader.consume(1_000, 0.1)
        for message in messages:
            heard = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                place = message.topic(), message.partition()
                if place not in ends:
                    log = TopicPartition(str(message.topic()), message.partition() or 0)
                    _, ends[place] = reader.get_watermark_offsets(log, cached=True)
                if (message.offset() or 0) >= ends[place]:
                    reached.add(place)
            elif not error.retriable():
                raise KafkaException(error)
        hidden = len(ends) > len(reached)
        if time.monotonic() - heard > (OPEN_SECONDS_MAX if hidden else ANSWER_SECONDS_MAX):
            what = "a transaction stays open on" if hidden else "no answer from"
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{what} a topic that is read back"))


def _moment_of(outgoing: Outgoing) -> int:
    """A moment before which the record was not published, epoch ms; 0 if it tells none."""
    told = dict(outgoing.headers)
    if (raised_at := told.get("ce_time")) is not None:  # of the cause, which may be as far ahead of its record
        return max(0, parse_rfc3339(raised_at.decode()) - AHEAD_MS_MAX - CLOCKS_APART_MS_MAX)
    return max(0, int(told.get("dlq_timestamp_ms", b"0")) - CLOCKS_APART_MS_MAX)


def _name(headers: Sequence[tuple[str, bytes]]) -> Name | None:
    """An alert's id, or the topic's partition and offset that a dead letter was read at."""
    found = dict(headers)
    if (alert_id := found.get("ce_id")) is not None:
        return alert_id
    offset = found.get("dlq_offset")
    return None if offset is None else b"/".join((found.get("dlq_topic", b""), found.get("dlq_partition", b""), offset))
