"""After the store has gone back: since when the outbound topics may hold what it has forgotten, and what that is.

Redis fails over to a replica that is behind, or loses its last moments. Then the loop reads again from the older offset
and comes to the same alerts, for an alert's id is a function of its cause. Those that are on their topic already are
found there by their ids, dead letters by the place of the record that they hold.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.units import HOUR_MS
from streams.clients import RECORD_BYTES_MAX, kafka_client
from streams.mark import Back
from streams.records import headers_of
from streams.settings import Settings
from streams.store import Offsets, Outgoing, Position
from streams.topics import reader_group

CLOCKS_APART_MS_MAX = 2 * HOUR_MS
"""The broker itself refuses records that are more than an hour ahead of it; and a worker may be an hour behind."""

ANSWER_SECONDS_MAX = 10.0
_RECORDS_BEFORE = 50
"""The last record before an offset is looked for that far back: marks of transactions lie between records."""

Name = bytes
"""What an outbound record is known by."""


class _Cause(msgspec.Struct):
    partition: int


class _Caused(msgspec.Struct):
    cause: _Cause


_caused = msgspec.json.Decoder(_Caused)


class Lookback:
    """Uses clients of its own, made when needed. Raises KafkaException."""

    def __init__(self, settings: Settings, on_error: Callable[[KafkaError], None]) -> None:
        self._transactions = settings.topic_transactions
        self._alerts = settings.topic_alerts
        self._letters = settings.topic_dead_letters
        self._ticks = settings.clock == "wall"
        self._config = kafka_client(settings, on_error) | {
            "group.id": reader_group(settings),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": RECORD_BYTES_MAX,
        }

    def back(self, partition: int, position: Position, was_at: Offsets, known: Back | None) -> Back:
        """The store stands at `position` only, the loop was at `was_at`; `known` is from a time before."""
        since = self._moment_before(partition, position.offset)
        if known is not None:
            since, was_at = min(since, known.since), Offsets(*map(max, was_at, known.offsets))
        offset, *beside = was_at
        return Back(since, offset, int(time.time() * 1_000) if self._ticks else 0, *beside)

    def published(self, partition: int, since: int, beat: Callable[[], None]) -> frozenset[Name]:
        """Names of what is on the outbound topics since then and came from the partition."""
        found = set()
        reader = Consumer(self._config)
        try:
            for topic in (self._alerts, self._letters):
                for message in _since(reader, topic, since, beat):
                    name = self._name_if_from(partition, message)
                    if name is not None:
                        found.add(name)
        finally:
            reader.close()
        return frozenset(found)

    def name(self, outgoing: Outgoing) -> Name | None:
        """What a record to be published is known by; the same for the record once it is."""
        return _name(outgoing.headers)

    def _name_if_from(self, partition: int, message: Message) -> Name | None:
        headers = headers_of(message)
        if message.topic() == self._letters:
            return _name(headers) if ("dlq_partition", b"%d" % partition) in headers else None
        try:
            cause = _caused.decode(message.value() or b"")
        except msgspec.DecodeError:
            return None
        return _name(headers) if cause.cause.partition == partition else None

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
    left = partitions
    heard = time.monotonic()
    while left:
        beat()
        messages: Sequence[Message] = reader.consume(1_000, 0.1)
        for message in messages:
            heard = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= 1
            elif not error.retriable():
                raise KafkaException(error)
        if time.monotonic() - heard > ANSWER_SECONDS_MAX:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer while reading back what is published"))


def _name(headers: Sequence[tuple[str, bytes]]) -> Name | None:
    """An alert's id, or the topic's partition and offset that a dead letter was read at."""
    found = dict(headers)
    if (alert_id := found.get("ce_id")) is not None:
        return alert_id
    offset = found.get("dlq_offset")
    return None if offset is None else b"/".join((found.get("dlq_topic", b""), found.get("dlq_partition", b""), offset))
