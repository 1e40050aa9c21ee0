"""The loop's consumer group, for threads other than the one that polls.

confluent-kafka lets one thread at a time into a consumer, and a thread that polls without a pause keeps every other one
out, for as long as there is little to read. So only the polling thread touches the loop's consumer; here is what others
need of it, left by that thread at each turn.
"""

from collections.abc import Sequence
from threading import Event, Lock
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.clients import kafka_client
from streams.settings import Settings

ANSWER_SECONDS_MAX = 10.0


class Group:
    """`serve` is for the polling thread, everything else for any other one."""

    def __init__(self, settings: Settings, consumer: Consumer) -> None:
        self._consumer = consumer
        self._topic = settings.topic_transactions
        # Of the same group, but not a member: it only asks.
        self._asking = Consumer(kafka_client(settings, lambda _: None) | {"group.id": settings.group_id})
        self._metadata: object = None
        self._lock = Lock()
        self._commits: list[tuple[Sequence[TopicPartition], Event, list[KafkaException]]] = []

    def serve(self) -> None:
        """One turn of the polling thread."""
        self._metadata = self._consumer.consumer_group_metadata()
        while self._commits:
            with self._lock:
                offsets, done, failed = self._commits.pop(0)
            try:
                self._consumer.commit(offsets=list(offsets), asynchronous=False)
            except KafkaException as error:
                failed.append(error)
            done.set()

    @property
    def metadata(self) -> object:
        """Member and generation as of the last turn. Raises KafkaException before the first."""
        if self._metadata is None:
            raise _late("the group has not been joined yet")
        return self._metadata

    def committed(self, partition: int) -> Any:
        """The group's offset of a partition, with its metadata. Waits for transactions under way. Raises
        KafkaException."""
        (found,) = self._asking.committed([TopicPartition(self._topic, partition)], timeout=ANSWER_SECONDS_MAX)
        if found.error is not None:
            raise KafkaException(found.error)
        return found

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Commits as the member that the loop's consumer is. Raises KafkaException."""
        done, failed = Event(), list[KafkaException]()
        with self._lock:
            self._commits.append((offsets, done, failed))
        if not done.wait(ANSWER_SECONDS_MAX):
            raise _late("the polling thread has not committed")
        if failed:
            raise failed[0]


def _late(text: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, text))
