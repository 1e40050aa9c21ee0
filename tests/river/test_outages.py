"""A worker that cannot reach Kafka or Redis says so, is unhealthy, and goes on when they are back; nothing is lost."""

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from learning.simulator import simulate
from streams.ops.settings import Settings
from streams.store.redis_store import redis_client
from tests.live import START_SECONDS_MAX, Answer, Bank, Json, OpenBank, Worker
from tests.river.feeds import written
from tests.river.gateway import Gateway


class Story(NamedTuple):
    """What one worker said on its way through three outages."""

    without_kafka: Answer
    not_ready: Answer
    without_redis: Answer
    well: Answer
    ready: Answer
    redis_cut: Answer
    redis_up: tuple[float, float]
    """The metric, while cut and afterwards."""
    well_again: Answer
    events: int
    verified: Json


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Neither server is there when the worker starts; Kafka comes, then Redis; Redis goes again and comes back."""
    feeds = tmp_path_factory.mktemp("feeds")
    events = list(simulate(customers=30, days=90, seed=11))
    halves = [
        written(feeds / "1.jsonl", events[: len(events) // 2]),
        written(feeds / "2.jsonl", events[len(events) // 2 :]),
    ]
    bank: Bank = open_bank(partitions=2, clock="stream")
    with ExitStack() as stack:
        kafka = stack.enter_context(Gateway(address_of_kafka(bank.settings)))
        redis = stack.enter_context(Gateway(address_of_redis(bank.settings)))
        ways = {"kafka_bootstrap_servers": kafka.address, "redis_url": f"redis://{redis.address}/0"}
        worker = stack.enter_context(bank.worker(**ways, retry_seconds_max=120))
        without_kafka, not_ready = said_of(worker, "kafka"), worker.get("/readyz")
        kafka.open()
        without_redis = said_of(worker, "redis")
        redis.open()
        worker.until_ready().until(lambda: worker.get("/healthz").status == 200)
        well, ready = worker.get("/healthz"), worker.get("/readyz")
        bank.publish(halves[0])
        worker.until(bank.at_rest)
        redis.shut()
        bank.publish(halves[1])
        redis_cut, down = said_of(worker, "redis"), worker.metric("tracker_store_up")
        redis.open()
        worker.until(lambda: worker.get("/healthz").status == 200).until(bank.at_rest)
        up = worker.metric("tracker_store_up")
        return Story(
            without_kafka, not_ready, without_redis, well, ready, redis_cut, (down, up), worker.get("/healthz"),
            len(events), bank.verified(),
        )  # fmt: skip


def address_of_kafka(settings: Settings) -> str:
    assert settings.kafka_bootstrap_servers is not None
    return settings.kafka_bootstrap_servers


def address_of_redis(settings: Settings) -> str:
    assert settings.redis_url is not None
    (server,) = settings.redis_url.hosts()
    return f"{server['host']}:{server['port']}"


def said_of(worker: Worker, what: str) -> Answer:
    """What /healthz says once it tells of trouble with that."""
    worker.until(lambda: any(text.startswith(f"{what}: ") for text in worker.get("/healthz").said["problems"]))
    return worker.get("/healthz")


def test_without_kafka_it_is_unhealthy_and_not_ready(story: Story) -> None:
    assert story.without_kafka.status == 503
    assert story.not_ready.status == 503
    assert story.not_ready.text == ('{"status":"not ready","waiting_for":["offer catalogue","partitions","caught up"]}')


def test_without_redis_it_is_unhealthy(story: Story) -> None:
    assert story.without_redis.status == 503
    assert "Redis cannot be reached" in story.without_redis.text


def test_with_both_it_is_well(story: Story) -> None:
    assert (story.well.status, story.well.text) == (200, '{"status":"ok","problems":[],"notices":[]}')
    assert (story.ready.status, story.ready.text) == (200, '{"status":"ready","waiting_for":[]}')


def test_an_outage_of_redis_is_told_and_ends(story: Story) -> None:
    assert story.redis_cut.status == 503
    assert story.redis_up == (0, 1)
    assert (story.well_again.status, story.well_again.said["problems"]) == (200, [])


def test_nothing_is_lost_in_it(story: Story) -> None:
    assert (story.verified["differences"], story.verified["events"]) == (0, story.events)


def test_a_redis_that_loses_the_functions_under_a_worker_gets_them_again(open_bank: OpenBank, tmp_path: Path) -> None:
    events = list(simulate(customers=30, days=90, seed=12))
    middle = len(events) // 2
    bank: Bank = open_bank(partitions=2, clock="stream")
    with bank.worker() as worker:
        worker.until_ready()
        bank.publish(written(tmp_path / "1.jsonl", events[:middle]))
        worker.until(bank.at_rest)
        with redis_client(str(bank.settings.redis_url)) as client:
            client.function_flush()
        bank.publish(written(tmp_path / "2.jsonl", events[middle:]))
        worker.until(bank.at_rest)
        assert worker.metric('tracker_commits_refused_total{reason="unavailable"}') > 0
    verified = bank.verified()
    assert (verified["differences"], verified["events"]) == (0, len(events))


def test_an_outage_longer_than_the_setting_ends_a_worker_with_1_and_what_it_had_decided_is_kept(
    open_bank: OpenBank, tmp_path: Path
) -> None:
    events = list(simulate(customers=30, days=90, seed=13))
    bank: Bank = open_bank(partitions=2, clock="stream")
    with Gateway(address_of_redis(bank.settings)) as redis:
        redis.open()
        with bank.worker(redis_url=f"redis://{redis.address}/0", retry_seconds_max=START_SECONDS_MAX // 3) as worker:
            worker.until_ready()
            redis.shut()
            bank.publish(written(tmp_path / "1.jsonl", events))
            assert worker.end(60) == 1
            assert "cannot go on: " in worker.said()
    with bank.worker() as worker:
        worker.until(bank.at_rest)
    assert (bank.verified()["differences"], bank.verified()["events"]) == (0, len(events))


def test_a_worker_that_kafka_does_not_answer_at_its_start_gives_up_and_ends_with_1(open_bank: OpenBank) -> None:
    bank: Bank = open_bank(partitions=1)
    with Gateway(address_of_kafka(bank.settings)) as kafka:  # shut
        with bank.worker(kafka_bootstrap_servers=kafka.address, retry_seconds_max=1) as worker:
            assert worker.end(60) == 1
        assert "cannot go on: the start has not come to its end within 1 s" in worker.said()
