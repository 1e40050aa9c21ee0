"""What a worker says of itself while one of its threads hangs."""

from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from commands.embedded import EmbeddedBroker, EmbeddedRedis
from handlers.churn.model import dumps
from streams.broker.topics import needed_topics
from tests.bank import booked
from tests.faults.worker import CONTEXT
from tests.faults.worker import Worker as Forked
from tests.live import START_SECONDS_MAX, Bank, until
from tests.models import by_hand
from tests.river.hanging import SEAMS, hung

NOTICED_SECONDS_MAX = 45
"""Ten times as long as a thread may be silent here: the machine may be busy."""


def bank_on(broker: EmbeddedBroker, redis_url: str, logs: Path, **settings: object) -> Bank:
    """With topics of one partition."""
    bank = Bank(broker.bootstrap_servers, redis_url, logs, partitions=1, clock="stream", **settings)
    for topic in needed_topics(bank.settings):
        broker.create_topic(topic, 1)
    return bank


def flood(bank: Bank, customers: range) -> None:
    """For each customer a transaction and a record that is refused: half of all goes to the dead letters."""
    producer = Producer({"bootstrap.servers": bank.settings.kafka_bootstrap_servers, "linger.ms": 20})
    for number in customers:
        name = f"c-{number}"
        for value in (msgspec.json.encode(booked(1, -5, "card_payment", customer=name)), b"{}"):
            producer.produce(bank.settings.topic_transactions, value, name.encode())
    assert producer.flush(60) == 0


@pytest.mark.parametrize("part", SEAMS)
def test_a_thread_that_hangs_makes_the_worker_unhealthy(
    part: str, embedded_broker: EmbeddedBroker, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    (tmp_path / "model.json").write_bytes(dumps(by_hand(-9.0, 4.0)))
    model = tmp_path / "model.json"
    bank = bank_on(embedded_broker, embedded_redis.url, tmp_path, churn_model=model, poison_share_max=1)
    log = tmp_path / "log"
    process = CONTEXT.Process(target=hung, args=(bank.environment(), part, tmp_path / "now", log))
    process.start()
    worker = Forked(process, log)
    try:
        until(lambda: worker.count("tracker_partitions_owned") == 1, START_SECONDS_MAX)
        flood(bank, range(20))
        until(lambda: worker.count("tracker_published_records_total") == 20)
        assert worker.problems() == []
        (tmp_path / "now").touch()
        flood(bank, range(20, 40))
        until(lambda: any(problem.startswith(f"{part}: ") for problem in worker.problems()), NOTICED_SECONDS_MAX)
    finally:
        worker.kill()
