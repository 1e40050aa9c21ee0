"""The steps of a transaction at Kafka, each waited for no longer than told."""

import uuid
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams.broker.bounded import Bounded
from streams.broker.clients import RECORD_BYTES_MAX, kafka_client
from streams.ops.settings import Settings
from streams.store.port import Outgoing

ANSWER_SECONDS_MAX = 10.0
_TRANSACTION_SECONDS_MAX = 15

_RETRY_MS = 2
"""A transaction that begins while the broker still ends the one before is refused and asked for again after that long,
with the client's default after 100 ms. Doubles with each refusal."""


def producer_config(settings: Settings, on_error: Callable[[KafkaError], None]) -> dict[str, object]:
    """A transactional producer's.

    The id of a worker with a name is the same when it is started again: a transaction that it was killed in is ended at
    once, and not only when its time is out, for which whoever reads the group's offsets would have to wait. Without a
    name it is new for each process: two of them never fence each other by it, the consumer group's generation does
    that. It starts with the group's name so that an ACL can allow it.
    """
    return kafka_client(settings, on_error) | {
        "transactional.id": f"{settings.group_id}-{settings.instance_id or uuid.uuid4()}",
        "transaction.timeout.ms": _TRANSACTION_SECONDS_MAX * 1_000,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 1,
        "retry.backoff.ms": _RETRY_MS,
        "message.max.bytes": RECORD_BYTES_MAX,
    }


def send_offsets(
    bounded: Bounded,
    producer: Producer,
    offsets: list[TopicPartition],
    group: object,
    seconds_max: float = ANSWER_SECONDS_MAX,
) -> None:
    """Adds a group's offsets to the transaction. Raises KafkaException.

    librdkafka may wait for ever for a coordinator that it takes to be away (its issues 5456 and 5511): then the error
    is a fatal one. The producer must be given up; the next one of the same id fences it off, and aborts what it had
    begun.
    """
    try:
        bounded.call(lambda: producer.send_offsets_to_transaction(offsets, group, seconds_max), seconds_max + 1)
    except TimeoutError as error:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"offsets: {error}", fatal=True)) from error


def produce(producer: Producer, outgoing: Outgoing) -> None:
    """Puts a record into the transaction, when there is room."""
    headers: list[tuple[str, str | bytes | None]] = [*outgoing.headers]
    while True:
        try:
            producer.produce(outgoing.topic, outgoing.value, outgoing.key, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def until_answered(step: Callable[[float], None]) -> None:
    """A step of a transaction may time out on our side and be asked again. Raises KafkaException."""
    for attempt in range(3):
        try:
            return step(ANSWER_SECONDS_MAX)
        except KafkaException as error:
            if attempt == 2 or not error.args[0].retriable():
                raise
    return None
