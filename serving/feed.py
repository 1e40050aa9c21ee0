"""What people look at of the topics, followed in a thread of its own: alerts, outcomes, offers, dead letters.

It belongs to no consumer group and commits nothing: any number of servers see all of it, and no worker notices.
"""

import asyncio
import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from handlers.intake.inputs import OUTCOMES
from handlers.offers.catalog import Catalogue, catalogue_of, record_mistake
from serving.alert_log import AlertLog
from serving.letter_log import LetterLog
from streams.broker.clients import RECORD_BYTES_MAX, kafka_client
from streams.broker.messages import headers_of
from streams.broker.topics import reader_group
from streams.ops.settings import Settings

ANSWER_SECONDS_MAX = 10.0
_TELL_SECONDS = 0.1
"""Readers are told of news that often at most."""

_log = logging.getLogger("tracker.serving")


class FeedError(Exception):
    """The topics can't be read; the text says what to do."""


class Feed:
    """Follows the topics from `start` to `close`."""

    def __init__(self, settings: Settings) -> None:
        """Raises FeedError for a topic that does not exist, KafkaException if there is no broker."""
        self._settings = settings
        self.alerts = AlertLog(settings.serve_alerts_max)
        self.letters = LetterLog()
        self._offers: dict[bytes, bytes] = {}
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._left: set[tuple[str, int]] = set()
        self._stopping = Event()
        self.trouble: str | None = None
        """Why nothing comes at this moment."""
        self._consumer = Consumer(
            kafka_client(settings, self._on_error) | _TUNED | {"group.id": reader_group(settings)}
        )
        self._handlers: dict[str, Callable[[Message], None]] = {
            settings.topic_alerts: self._alert,
            settings.topic_of(OUTCOMES): self._outcome,
            settings.topic_offers: self._offer,
            settings.topic_dead_letters: self._letter,
        }
        self.partitions = 1
        """How many the topic of transactions has."""
        starts = self._starts()
        self._left = {(start.topic, start.partition) for start in starts}
        self._consumer.assign(starts)
        self._thread = Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at the start has been read."""
        return not self._left

    @property
    def catalogue(self) -> Catalogue:
        """Offers and policy as they stand; records that are not good are left out, as in the workers."""
        return catalogue_of(dict(self._offers))

    def waiter(self) -> asyncio.Event:
        """Set whenever something new has come, until `forget`."""
        event = asyncio.Event()
        self._waiting[event] = asyncio.get_running_loop()
        return event

    def forget(self, event: asyncio.Event) -> None:
        self._waiting.pop(event, None)

    def _starts(self) -> list[TopicPartition]:
        settings, starts = self._settings, []
        known = self._consumer.list_topics(timeout=ANSWER_SECONDS_MAX).topics
        missing = [topic for topic in (*self._handlers, settings.topic_transactions) if topic not in known]
        if missing:
            raise FeedError(f"There is no topic {', '.join(missing)}; `tracker topics create` makes it")
        self.partitions = len(known[settings.topic_transactions].partitions)
        for topic in self._handlers:
            numbers = sorted(known[topic].partitions)
            share = -(-settings.serve_alerts_max // len(numbers))
            for number in numbers:
                start = OFFSET_BEGINNING
                if topic != settings.topic_offers:
                    log = TopicPartition(topic, number)
                    low, high = self._consumer.get_watermark_offsets(log, timeout=ANSWER_SECONDS_MAX)
                    start = max(low, high - share)
                starts.append(TopicPartition(topic, number, start))
        return starts

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._consumer.consume(1_000, _TELL_SECONDS)
            except KafkaException as error:
                self.trouble = error.args[0].str()
                continue
            if messages:
                for message in messages:
                    self._take(message)
                self._tell()

    def _take(self, message: Message) -> None:
        error = message.error()
        topic, partition = str(message.topic()), int(message.partition() or 0)
        if error is None:
            self.trouble = None
            self._handlers[topic](message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self.trouble = None
            self._left.discard((topic, partition))
        else:
            self._on_error(error)

    def _tell(self) -> None:
        for event, loop in list(self._waiting.items()):
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # its loop has ended
                self._waiting.pop(event, None)

    def _alert(self, message: Message) -> None:
        self.alerts.add(int(message.partition() or 0), int(message.offset() or 0), message.value() or b"")

    def _outcome(self, message: Message) -> None:
        self.alerts.note_outcome(message.value() or b"")

    def _offer(self, message: Message) -> None:
        key, value = message.key(), message.value()
        if key is None or record_mistake(key, value) is not None:
            return
        if value:
            self._offers[key] = value
        else:
            self._offers.pop(key, None)

    def _letter(self, message: Message) -> None:
        self.letters.add(
            int(message.partition() or 0),
            int(message.offset() or 0),
            message.key(),
            message.value(),
            headers_of(message),
        )

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or not error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.trouble = error.str()
            _log.warning("Kafka: %s", error.str())


_TUNED: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "fetch.message.max.bytes": RECORD_BYTES_MAX,
    "fetch.wait.max.ms": 100,
}
