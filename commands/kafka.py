"""Kafka as the commands use it: clients from the settings, and a topic read from its start to its present end."""

from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from commands.console import Failure
from streams.broker.clients import RECORD_BYTES_MAX, kafka_client
from streams.broker.topics import reader_group
from streams.ops.retry import Retry
from streams.ops.settings import Settings

ANSWER_SECONDS_MAX = 10.0
SILENCE_SECONDS_MAX = 30.0
DELIVERY_SECONDS_MAX = 60

_NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
)
"""What a topic that was made a moment ago may answer."""


class Ends(NamedTuple):
    """Where a partition starts and ends: the first offset still held, and the next one to be written."""

    low: int
    high: int


def client(settings: Settings, **more: object) -> dict[str, Any]:
    """librdkafka's configuration for any client. Raises SettingsError if there is no address."""
    return kafka_client(settings, lambda _: None) | more


def admin(settings: Settings) -> AdminClient:
    """A client that makes and describes topics."""
    return AdminClient(client(settings))


def producer(settings: Settings, **more: object) -> Producer:
    """A producer whose keys fall on the same partitions as those of Java's clients, and which loses nothing."""
    tuned = {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 20,
        "message.max.bytes": RECORD_BYTES_MAX,
        "message.timeout.ms": DELIVERY_SECONDS_MAX * 1000,
        "delivery.report.only.error": True,
    }
    return Producer(client(settings, **(tuned | more)))


def consumer(settings: Settings, group: str | None = None) -> Consumer:
    """A consumer of committed records that joins no group; `group` only names where positions are kept."""
    tuned = {
        "group.id": group or reader_group(settings),
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "fetch.message.max.bytes": RECORD_BYTES_MAX,
        "fetch.wait.max.ms": 10,  # at the end of a topic the broker waits that long before it says so
    }
    return Consumer(client(settings, **tuned))


def partitions(of: Consumer | Producer | AdminClient, topic: str) -> list[int]:
    """The topic's partitions. Raises Failure if there is no such topic, KafkaException if there is no broker."""
    topics = of.list_topics(timeout=ANSWER_SECONDS_MAX).topics
    if topic not in topics:
        raise Failure(f"There is no topic {topic}; `tracker topics create` makes it")
    return sorted(topics[topic].partitions)


def ends(reader: Consumer, topic: str, partition: int) -> Ends:
    """Where the partition starts and ends now. Raises KafkaException."""
    retry = Retry("looking where a partition ends", ANSWER_SECONDS_MAX)
    while True:
        try:
            return Ends(*reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS_MAX))
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER_YET:
                raise
            retry.pause(error)


def acknowledged(reader: Consumer, topic: str) -> dict[int, int]:
    """By partition, the first record that the reader's group has not committed and Kafka still has."""
    numbers = partitions(reader, topic)
    committed = reader.committed([TopicPartition(topic, number) for number in numbers], timeout=ANSWER_SECONDS_MAX)
    return {start.partition: max(start.offset, ends(reader, topic, start.partition).low) for start in committed}


def to_the_end(reader: Consumer, topic: str, starts: Mapping[int, int], *, follow: bool = False) -> Iterator[Message]:
    """Every record of the partitions, in the order of each, from the given offsets to where each ends now.

    With `follow` it goes on as records come. Raises KafkaException.
    """
    reader.assign([TopicPartition(topic, number, start) for number, start in starts.items()])
    left = set(starts)
    heard = monotonic()
    while left or follow:
        for message in reader.consume(1_000, timeout=0.2):
            heard = monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        if not follow and monotonic() - heard > SILENCE_SECONDS_MAX:
            raise Failure(f"Kafka has sent nothing of {topic} for {SILENCE_SECONDS_MAX:.0f} s; is it up?")


def from_the_start(numbers: Iterable[int]) -> dict[int, int]:
    """The start of each partition."""
    return dict.fromkeys(numbers, OFFSET_BEGINNING)
