"""The catalogue of offers and the policy, the same in every worker: a Faust GlobalTable fed by the topic of offers.

One worker reads the topic and writes what is good into the table; the others follow the table's changelog. An offer
that is not good is reported and ignored, so the last good one stays. Beside the offers the table holds how far the
topic has been read, so that every worker can tell when it has them all.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import faust
from aiokafka.errors import KafkaError as KafkaUnanswered
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from handlers.engine.rules import Rules
from handlers.offers.catalog import catalogue_of, record_mistake
from schemas.offer import OFFERS_MAX
from schemas.policy import POLICY_KEY
from streams.broker.clients import kafka_client
from streams.broker.topics import offers_changelog, reader_group
from streams.ops.health import Health
from streams.ops.retry import Retry
from streams.ops.settings import Settings
from streams.worker.bootstrap import with_catalogue

_READ_TO = b"\x00read-to"
"""The table's key for the offset of the last record read. No offer_id may hold this byte."""

_PAUSE_SECONDS = 0.05
_ANSWER_SECONDS_MAX = 10.0

_log = logging.getLogger("tracker.catalog")


class OfferTable:
    """Belongs to the event loop, but for `rules`, which any thread may call."""

    def __init__(self, app: faust.App, settings: Settings, health: Health, rules: Rules) -> None:
        """`rules` are those at the start; offers and policy are read from the topic."""
        self._settings = settings
        self._health = health
        self._rules = rules
        self._made_of: tuple[bytes | None, int] = None, 1
        """How far the topic was read, and over how many partitions budgets are divided, for the rules as they are."""
        self._partitions = 1
        plain: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "partitions": 1}
        raw: dict[str, Any] = plain | {"key_serializer": "raw", "value_serializer": "raw"}
        self._changelog = offers_changelog(settings)
        kept = app.topic(self._changelog, compacting=True, **raw)
        self._table = app.GlobalTable("offers", changelog_topic=kept, recovery_buffer_size=1, **plain)
        # Nothing is acknowledged: whoever is given the topic reads it from its start, and keeps what had not been kept.
        source = app.topic(settings.topic_offers, allow_empty=True, acks=False, **raw)
        app.agent(source, name="offers", concurrency=1)(self._follow)

    def rules(self) -> Rules:
        """Offers and policy as last refreshed."""
        return self._rules

    def refresh(self) -> None:
        """Takes over what the table holds by now."""
        made_of = self._table.get(_READ_TO), self._partitions
        if made_of != self._made_of:
            found = catalogue_of({key: value for key, value in self._table.items() if key != _READ_TO})
            self._rules = with_catalogue(self._rules, found, self._partitions)
            self._made_of = made_of
            _log.info("%d offers in the catalogue", len(found.offers))

    async def loaded(self) -> None:
        """Returns when every offer that was in the topic at the call is in the table. Raises KafkaException."""
        self._partitions = await asyncio.to_thread(_partitions, self._settings)
        last = await asyncio.to_thread(last_offset, self._settings, self._settings.topic_offers)
        since = time.monotonic()
        while self._read_to < last:
            if time.monotonic() - since > _ANSWER_SECONDS_MAX and not self._health.troubled("offer catalogue"):
                waits = f"{self._changelog} has been written up to offset {self._read_to} of {last}"
                self._health.trouble("offer catalogue", f"{waits}: another worker writes it, or none may")
            await asyncio.sleep(_PAUSE_SECONDS)
        self._health.fine("offer catalogue")
        self.refresh()
        self._health.met("offer catalogue")

    async def _follow(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            key, value = event.key, event.value
            mistake = record_mistake(key, value) or self._too_many(key)
            if mistake is not None:
                _log.error("offer at offset %d of %s ignored: %s", event.message.offset, event.message.topic, mistake)
            else:
                await self._keep(key, value or None)
            await self._keep(_READ_TO, b"%d" % max(event.message.offset, self._read_to))
            self.refresh()
            yield

    async def _keep(self, key: bytes, value: bytes | None) -> None:
        """Takes a value, None for none, into the table, once its changelog has it: what is only here is gone with this
        worker. Tries until it works; meanwhile the last good offers are used."""
        if self._table.get(key) == value:
            return
        retry = Retry("keeping the offers", math.inf)
        while True:
            sent = self._table.send_changelog(0, key, value, value_serializer="raw")
            try:
                await sent
            except KafkaUnanswered as error:
                wait = retry.failed(error)
                self._health.trouble("offer catalogue", f"{self._changelog} does not take it: {_text(error)}")
                _log.warning("%s does not take the offers, again in %.1f s: %s", self._changelog, wait, _text(error))
                await asyncio.sleep(wait)
            else:
                break
        self._health.fine("offer catalogue")
        if value is None:
            self._table.data.pop(key, None)
        else:
            self._table.data[key] = value

    @property
    def _read_to(self) -> int:
        """Offset of the last record of the topic that the table knows of, -1 if there is none."""
        return int(self._table.get(_READ_TO, b"-1"))

    def _too_many(self, key: bytes) -> str | None:
        offers = {other for other in self._table if other not in (_READ_TO, POLICY_KEY.encode())}
        if len((offers | {key}) - {POLICY_KEY.encode()}) > OFFERS_MAX:
            return f"the catalogue already holds {OFFERS_MAX} offers"
        return None


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _partitions(settings: Settings) -> int:
    """Of the transactions' topic, over which budgets are divided. Raises KafkaException."""
    reader = Consumer(kafka_client(settings, lambda _: None) | {"group.id": reader_group(settings)})
    try:
        topic = settings.topic_transactions
        return len(reader.list_topics(topic, timeout=_ANSWER_SECONDS_MAX).topics[topic].partitions) or 1
    finally:
        reader.close()


def last_offset(settings: Settings, topic: str) -> int:
    """Offset of the last record in partition 0 now, -1 if there is none. The log's end may lie further on, behind
    the mark of a transaction. Raises KafkaException."""
    reader = Consumer(
        kafka_client(settings, lambda _: None)
        | {
            "group.id": reader_group(settings),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,  # that the end is reached is told as an answer without records
        }
    )
    try:
        reader.list_topics(topic, timeout=_ANSWER_SECONDS_MAX)  # else half a second goes by until it knows whom to ask
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        last, deadline = -1, time.monotonic() + _ANSWER_SECONDS_MAX
        while True:
            messages = reader.consume(100, _PAUSE_SECONDS)
            if not messages and time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer about topic {topic}"))
            for message in messages:
                error = message.error()
                if error is None:
                    last = int(message.offset() or 0)
                elif error.code() == KafkaError._PARTITION_EOF:
                    return last
                elif not error.retriable():
                    raise KafkaException(error)
    finally:
        reader.close()
