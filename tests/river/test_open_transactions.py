"""Producers that publish in transactions: what they hold back is seen, and markers are no records that wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from commands.kafka import admin
from tests.bank import booked, outcome
from tests.live import ANSWER_SECONDS_MAX, Bank, OpenBank, Worker
from tests.servers import fresh_name

HELD = 200


class Seen(NamedTuple):
    """What the worker's metrics say of the partition."""

    lag: float
    lag_seconds: float
    held_seconds: float


class Story(NamedTuple):
    """What was seen on the way."""

    at_rest: Seen
    lags_at_rest: dict[str, int]
    open: Seen
    later: Seen
    healthy: bool
    after: Seen
    lags_after: dict[str, int]
    events: int


@pytest.fixture(scope="module")
def story(open_bank: OpenBank) -> Iterator[Story]:
    """A committed transaction; one that stays open with 200 records of its own, and is aborted; a committed one."""
    bank = open_bank(partitions=1, clock="stream")
    producer = Producer(
        {"bootstrap.servers": bank.settings.kafka_bootstrap_servers, "transactional.id": fresh_name("core-banking")}
    )
    producer.init_transactions(ANSWER_SECONDS_MAX)
    with bank.worker() as worker:
        with transaction(bank, producer, range(3)):
            answer = msgspec.json.encode(outcome("bought", 3, "savings"))
            producer.produce(bank.settings.topic_outcomes, answer, b"ann")
        worker.until_ready().until(lambda: not any(lags(bank).values()))
        at_rest, lags_at_rest = seen(worker), lags(bank)
        producer.begin_transaction()
        send(bank, producer, range(10, 10 + HELD))
        producer.flush()
        worker.until(lambda: seen(worker).held_seconds > 0)
        first = seen(worker)
        worker.until(lambda: seen(worker).held_seconds > first.held_seconds + 1)
        later, healthy = seen(worker), worker.get("/healthz").status == 200
        producer.abort_transaction()
        with transaction(bank, producer, range(300, 302)):
            pass
        worker.until(lambda: worker.metric("tracker_events_total") == 5 and not any(lags(bank).values()))
        worker.until(lambda: seen(worker).lag == 0)
        yield Story(at_rest, lags_at_rest, first, later, healthy, seen(worker), lags(bank), 5)


@contextmanager
def transaction(bank: Bank, producer: Producer, days: range) -> Iterator[None]:
    producer.begin_transaction()
    send(bank, producer, days)
    yield
    producer.commit_transaction()


def send(bank: Bank, producer: Producer, days: range) -> None:
    for day in days:
        producer.produce(bank.settings.topic_transactions, msgspec.json.encode(booked(day, -5, "card_payment")), b"ann")


def seen(worker: Worker) -> Seen:
    names = ("lag_events", "lag_seconds", "held_back_seconds")
    told = dict(line.rsplit(" ", 1) for line in worker.get("/metrics").text.splitlines())  # all of one moment
    return Seen(*[float(told.get(f'tracker_{name}{{partition="0"}}', 0)) for name in names])


def lags(bank: Bank) -> dict[str, int]:
    """What a tool for lag shows: how far the group's offset of each topic is from the end of the log."""
    client, settings = admin(bank.settings), bank.settings
    asked = [ConsumerGroupTopicPartitions(settings.group_id)]
    (answer,) = client.list_consumer_group_offsets(asked).values()
    told = {log.topic: log.offset for log in answer.result(ANSWER_SECONDS_MAX).topic_partitions}
    topics = [settings.topic_transactions, settings.topic_outcomes]
    ends = client.list_offsets({TopicPartition(topic, 0): OffsetSpec.latest() for topic in topics})
    return {log.topic: end.result(ANSWER_SECONDS_MAX).offset - told.get(log.topic, -1) for log, end in ends.items()}


def test_at_rest_a_lag_tool_shows_nothing_waiting_behind_a_transaction(story: Story) -> None:
    assert set(story.lags_at_rest.values()) == set(story.lags_after.values()) == {0}
    assert story.at_rest == story.after == Seen(0, 0, 0)


def test_what_an_open_transaction_holds_back_counts_as_lag_and_its_age_grows(story: Story) -> None:
    assert story.open.lag == story.later.lag == HELD
    assert story.later.held_seconds > story.open.held_seconds > 0
    assert story.later.lag_seconds == story.later.held_seconds


def test_an_open_transaction_of_core_banking_is_no_fault_of_the_worker(story: Story) -> None:
    assert story.healthy
