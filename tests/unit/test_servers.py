"""The servers that tests share: the embedded and the real ones answer alike, and a missing real one is never silent."""

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from commands.embedded import EmbeddedBroker, EmbeddedRedis
from tests.servers import Kafka, fresh_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["embedded_broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> EmbeddedBroker | Kafka:
    server: EmbeddedBroker | Kafka = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["embedded_redis", pytest.param("redis_server", marks=pytest.mark.redis_server)])
def store(request: pytest.FixtureRequest) -> EmbeddedRedis:
    server: EmbeddedRedis = request.getfixturevalue(request.param)
    return server


def test_a_topic_has_the_partitions_that_it_was_created_with_and_returns_what_was_sent(
    broker: EmbeddedBroker | Kafka,
) -> None:
    topic = fresh_name("eight")
    broker.create_topic(topic, 8)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "message.max.bytes": 16_000_000})
    values = {partition: b"%d" % partition for partition in range(8)} | {3: bytes(2_000_000)}
    for partition, value in values.items():
        producer.produce(topic, value, b"key", partition, headers=[("h", b"v")])
    assert producer.flush(20) == 0
    assert len(producer.list_topics(topic, 10).topics[topic].partitions) == 8
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": fresh_name("group")})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(8)])
    got: dict[int | None, tuple[object, ...]] = {}
    deadline = monotonic() + 20
    while len(got) < 8 and monotonic() < deadline:
        for message in consumer.consume(8, 0.1):
            got[message.partition()] = (message.value(), message.key(), message.headers(), message.offset())
    consumer.close()
    assert got == {partition: (value, b"key", [("h", b"v")], 0) for partition, value in values.items()}


def test_the_real_kafka_takes_a_record_of_ten_megabytes(kafka: Kafka) -> None:
    topic = fresh_name("large")
    kafka.create_topic(topic, 1)
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.max.bytes": 16_000_000})
    producer.produce(topic, bytes(10_000_000), on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors == [None]


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_finds_redis_empty(store: EmbeddedRedis, turn: str) -> None:
    with redis.Redis.from_url(store.url, decode_responses=True) as client:
        assert client.dbsize() == 0
        client.set("left behind", turn)
        assert client.config_get("append*")["appendfsync"] == "everysec"


@pytest.mark.parametrize(
    ("ci", "status", "said"),
    [("", 0, "skipped"), ("true", 1, "in CI nothing may be left out")],
    ids=["elsewhere it is skipped with the reason", "in CI it fails"],
)
def test_where_a_real_server_is_missing(ci: str, status: int, said: str, tmp_path: Path) -> None:
    case = f"{ROOT}/tests/unit/test_servers.py::test_the_real_kafka_takes_a_record_of_ten_megabytes"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", case],
        cwd=ROOT,
        env=os.environ | {"PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout
    assert said in run.stdout
    assert "a real Kafka needs java and mvn and bash on PATH" in run.stdout
