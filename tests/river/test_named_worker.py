"""A worker that has a name in the group: started again under it, it goes on at once."""

import json
import signal
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from commands.offers import SHIPPED
from streams.broker.bounded import Bounded
from streams.broker.topics import topics_read
from streams.broker.transactions import producer_config, send_offsets
from tests.live import ANSWER_SECONDS_MAX, START_SECONDS_MAX, Bank, OpenBank, tracker

SESSION_MS = 4 * START_SECONDS_MAX * 1_000
"""So long that a test which waits for it has failed."""


LONG_MS = 600_000
"""Of a transaction that nobody ends."""


def test_a_killed_worker_has_its_partitions_back_before_its_session_ends(open_bank: OpenBank, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    tracker("simulate", "-o", feed, "--customers", 50, "--days", 60, "--seed", 3)
    lines = sorted(feed.read_bytes().splitlines(keepends=True), key=lambda line: json.loads(line)["occurred_at"])
    halves = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for half, its in zip(halves, (lines[: len(lines) // 2], lines[len(lines) // 2 :]), strict=True):
        half.write_bytes(b"".join(its))
    bank = open_bank(partitions=4, clock="stream", instance_id="tracker-0", session_timeout_ms=SESSION_MS)
    bank.command("offers", "publish", SHIPPED)
    bank.publish(halves[0])
    with bank.worker() as killed:
        killed.until(bank.at_rest)
        killed.signal(signal.SIGKILL)
        killed.end()
    leave_open(bank)
    bank.publish(halves[1])
    with bank.worker() as again:
        again.until_ready().until(bank.at_rest)
    ids = [alert["alert_id"] for alert in bank.alerts()]
    assert len(ids) == len(set(ids)) > 0
    assert bank.verified()["differences"] == 0


def leave_open(bank: Bank) -> None:
    """A transaction as the killed worker may have left it, with the group's offsets in it."""
    settings, bounded = bank.settings, Bounded("offsets")
    reader = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": settings.group_id})
    producer = Producer(producer_config(settings, lambda _: None) | {"transaction.timeout.ms": LONG_MS})
    producer.init_transactions(ANSWER_SECONDS_MAX)
    producer.begin_transaction()
    producer.produce(settings.topic_alerts, b"never to be seen")
    producer.flush(ANSWER_SECONDS_MAX)
    logs = [TopicPartition(topics_read(settings).transactions, number, 1) for number in range(settings.partitions)]
    send_offsets(bounded, producer, logs, reader.consumer_group_metadata())
    bounded.close()
    reader.close()
