"""What the server may change, each a record of a topic: outcomes, switches, and the audit trail of who did what."""

import asyncio
import time
from threading import Event, Thread
from typing import NamedTuple

import msgspec
import orjson
from confluent_kafka import KafkaError, KafkaException, Producer

from handlers.intake.inputs import OUTCOMES
from schemas.audit import Action, AuditRecord
from schemas.outcome import AlertOutcome
from schemas.policy import POLICY_KEY, Policy
from schemas.units import rfc3339
from streams.broker.clients import kafka_client
from streams.ops.settings import Settings

DELIVERY_SECONDS_MAX = 10


class NotTaken(Exception):
    """Kafka has not taken the record; the text says why."""


class Publisher:
    """A producer. Keys fall on the partitions that Java's clients choose."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(kafka_client(settings, lambda _: None) | _TUNED)
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="deliveries", daemon=True)
        self._thread.start()

    async def outcome(self, outcome: AlertOutcome) -> None:
        """Returns when Kafka has it. Raises NotTaken."""
        value = orjson.dumps(msgspec.to_builtins(outcome))
        await self._deliver(_Record(self._settings.topic_of(OUTCOMES), outcome.customer_id.encode(), value))

    async def policy(self, policy: Policy) -> None:
        """Makes it the policy of every worker. Returns when Kafka has it. Raises NotTaken."""
        value = orjson.dumps(msgspec.to_builtins(policy))
        await self._deliver(_Record(self._settings.topic_offers, POLICY_KEY.encode(), value))

    async def audit(self, who: str, action: Action, subject: str | None = None, detail: str | None = None) -> None:
        """Writes down that somebody does something, before it is done. Raises NotTaken: then it must not be done."""
        record = AuditRecord(
            at=rfc3339(int(time.time() * 1000)), who=who, action=action, subject=subject, detail=detail
        )
        value = orjson.dumps(msgspec.to_builtins(record))
        await self._deliver(_Record(self._settings.topic_audit, who.encode(), value))

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._producer.flush(DELIVERY_SECONDS_MAX)

    async def _deliver(self, record: "_Record") -> None:
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[str | None] = loop.create_future()

        def on_delivery(error: KafkaError | None, _: object) -> None:
            text = None if error is None else error.str()
            loop.call_soon_threadsafe(_settle, delivered, text)

        try:
            self._producer.produce(record.topic, key=record.key, value=record.value, on_delivery=on_delivery)
        except (KafkaException, BufferError) as error:
            raise NotTaken("Kafka takes no records at this moment") from error
        if (text := await delivered) is not None:
            raise NotTaken(text)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)


def _settle(delivered: asyncio.Future[str | None], text: str | None) -> None:
    if not delivered.done():
        delivered.set_result(text)


class _Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes


_TUNED: dict[str, object] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "linger.ms": 2,
    "message.timeout.ms": DELIVERY_SECONDS_MAX * 1000,
}
