"""The gate before the worker, on the embedded broker."""

import asyncio
from typing import Any

import pytest
from confluent_kafka import Consumer

from commands.embedded import EmbeddedBroker
from commands.topics import wanted_topics
from streams.broker.poller import consumer_config
from streams.broker.preflight import Preflight
from streams.ops.health import Health
from streams.ops.retry import GaveUp
from streams.ops.settings import Settings
from tests.servers import fresh_name


def preflight(broker: EmbeddedBroker, outcomes: int) -> tuple[Preflight, Health]:
    """Before topics of which the one of outcomes has that many partitions, all the others 2."""
    name = fresh_name("preflight")
    topics = [setting for setting in Settings.model_fields if setting.startswith("topic_")]
    given: dict[str, Any] = {topic: f"{name}-{topic.removeprefix('topic_')}" for topic in topics}
    given |= {"kafka_bootstrap_servers": broker.bootstrap_servers, "group_id": name}
    settings = Settings(**given, partitions=2, retry_seconds_max=1)
    for topic in wanted_topics(settings):
        broker.create_topic(topic.name, outcomes if topic.name == settings.topic_outcomes else topic.partitions)
    health = Health()
    return Preflight(settings, Consumer(consumer_config(settings, lambda _: None)), health), health


def test_it_opens_where_a_customers_records_are_in_partitions_of_one_number(embedded_broker: EmbeddedBroker) -> None:
    opening, health = preflight(embedded_broker, 2)
    asyncio.run(opening.on_start())
    assert not health.troubled("kafka")


def test_it_stays_shut_where_they_are_not(embedded_broker: EmbeddedBroker) -> None:
    opening, _ = preflight(embedded_broker, 3)
    with pytest.raises(GaveUp) as raised:
        asyncio.run(opening.on_start())
    assert "outcomes 3" in str(raised.value.__cause__)
