"""Alerts that an endpoint did not take: kept in a topic of their own, to be sent again."""

from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.units import rfc3339
from streams.broker.clients import kafka_client
from streams.broker.messages import headers_of
from streams.ops.settings import Settings

DELIVERY_SECONDS_MAX = 10
ENDPOINT, WHY, SINCE = "webhook-endpoint", "webhook-why", "webhook-since"
"""Headers beside those of the alert: whose letter it is, the last answer, and since when it has been tried."""


class Tried(NamedTuple):
    """How an alert fared at an endpoint."""

    endpoint: str
    why: str
    since_ms: int


class Letters:
    """Writes them. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic_webhook_letters
        self._producer = Producer(kafka_client(settings, lambda _: None) | _TUNED)

    def write(self, message: Message, tried: Tried) -> None:
        """Returns when Kafka has it, with key, value and headers of the alert. Raises KafkaException."""
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        headers: list[tuple[str, str | bytes | None]] = [*headers_of(message)]
        headers += [(ENDPOINT, tried.endpoint), (WHY, tried.why), (SINCE, rfc3339(tried.since_ms))]
        self._producer.produce(
            self._topic, key=message.key(), value=message.value(), headers=headers, on_delivery=on_delivery
        )
        if self._producer.flush(DELIVERY_SECONDS_MAX) or failed:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))


def endpoint_of(message: Message) -> str:
    """Whose letter it is; empty where it is none."""
    return dict(headers_of(message)).get(ENDPOINT, b"").decode("utf-8", "replace")


_TUNED: dict[str, object] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "linger.ms": 0,
    "message.timeout.ms": DELIVERY_SECONDS_MAX * 1000,
}
