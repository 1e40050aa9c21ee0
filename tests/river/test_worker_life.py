"""One worker's life: a silence that nobody's event ends, offers that arrive while it runs, leaving, and a crash."""

import signal
import time
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import psutil
import pytest
import redis
from confluent_kafka import Consumer, TopicPartition

from commands.kafka import ANSWER_SECONDS_MAX, admin, client, producer
from schemas.units import DAY_MS, rfc3339
from streams.broker.progress import OutboxProgress
from tests.faults.worker import CONTEXT
from tests.faults.worker import Worker as Forked
from tests.live import START_SECONDS_MAX, Answer, Bank, Json, OpenBank, Worker, until
from tests.river.feeds import written
from tests.river.hanging import hung

VISITS, DAYS_BETWEEN, SILENT_DAYS = 8, 3, 12
LEAVING_SECONDS_MAX = 10
"""Twice what is promised: the machine may be busy."""

BROKEN = 4_000
"""Records: enough that a worker is still at work when it is told to end."""

SLOW_SECONDS = 2.5

CATALOGUE = """
[[offer]]
offer_id = "savings"
product = "Savings account"
text = { en = "Put some of it aside?" }
value_minor = 1
when = ["salary"]
"""


class Story(NamedTuple):
    """What two workers, one after the other, did and left."""

    alerts_before: list[Json]
    niceness: int
    status: int
    seconds: float
    members_left: int
    silence: Json
    last_visit: int
    offer: Json
    unknown: tuple[float, float]
    crashed: Answer
    crash_status: int


def event(customer: str, number: int, at: int, **fields: object) -> Json:
    """A transaction of the customer."""
    known = {"type": "card_payment", "channel": "card", "currency": "EUR", "amount_minor": -500}
    ids = {"event_id": f"{customer}-{number}", "customer_id": customer, "account_id": f"{customer}-1"}
    return known | ids | {"occurred_at": at} | fields


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The first worker's time is the stream's; the second's is the wall's, and nothing is published while it waits."""
    feeds = tmp_path_factory.mktemp("feeds")
    bank: Bank = open_bank(partitions=2, clock="stream")
    now = int(time.time() * 1_000)
    visits = [now - (SILENT_DAYS + DAYS_BETWEEN * n) * DAY_MS for n in range(VISITS)][::-1]
    with bank.worker() as worker:
        bank.publish(written(feeds / "visits.jsonl", [event("silent", n, at) for n, at in enumerate(visits)]))
        worker.until(bank.at_rest)
        before = bank.alerts()
        niceness = psutil.Process(worker.pid).nice()
        started = monotonic()
        worker.signal(signal.SIGTERM)
        status, seconds = worker.end(), monotonic() - started
        members = members_of(bank)
    with bank.worker(clock="wall") as worker:
        worker.until(lambda: bool(bank.alerts()))
        (silence,) = bank.alerts()
        file = feeds / "offers.toml"
        file.write_text(CATALOGUE)
        bank.command("offers", "publish", file)
        offer = offered(bank, feeds, now)
        odd = event("odd", 1, now, type="barter", channel="pigeon")
        bank.publish(written(feeds / "odd.jsonl", [odd]))
        worker.until(bank.at_rest)
        unknown = worker.metric("tracker_unknown_types_total"), worker.metric("tracker_unknown_channels_total")
    spoil_due_times(bank)
    with bank.worker(clock="wall") as worker:
        worker.address()
        crash_status = worker.end(START_SECONDS_MAX)
        crashed = worker.get("/healthz")
    return Story(before, niceness, status, seconds, members, silence, visits[-1], offer, unknown, crashed, crash_status)


def decided(bank: Bank) -> list[int]:
    """By partition, how many entries the store has given to the outbox."""
    stands = map(bank.state.read, range(bank.settings.partitions))
    return [0 if position is None else position.sequence for position in stands]


def published(bank: Bank) -> list[int]:
    """By partition, how many of them are published as the group knows it. Waits for no transaction under way."""
    asking = {"group.id": bank.settings.group_id, "isolation.level": "read_uncommitted"}
    reader = Consumer(client(bank.settings, **asking))
    try:
        logs = [TopicPartition(bank.settings.topic_transactions, n) for n in range(bank.settings.partitions)]
        told = reader.committed(logs, timeout=ANSWER_SECONDS_MAX)
    finally:
        reader.close()
    return [(OutboxProgress.read(log.metadata) or OutboxProgress()).published for log in told]


def broken(bank: Bank, count: int) -> None:
    """Publishes records of which each makes one dead letter."""
    feed = producer(bank.settings)
    for number in range(count):
        feed.produce(bank.settings.topic_transactions, b"{", b"ann", partition=number % bank.settings.partitions)
    assert feed.flush(ANSWER_SECONDS_MAX) == 0


class Stopped(NamedTuple):
    """A worker that was told to end while its outbox held entries that were not published."""

    status: int
    seconds: float
    unread: int
    decided: list[int]
    published: list[int]
    left: int
    letters: int


@pytest.fixture(scope="module")
def stopped(open_bank: OpenBank) -> Stopped:
    """Frozen again and again until the store is ahead of what is published: in that moment it is told to end."""
    bank: Bank = open_bank(partitions=2, poll_records_max=10, poison_share_max=1)
    broken(bank, BROKEN)

    def told_to_end(worker: Worker) -> bool:
        worker.signal(signal.SIGSTOP)
        ahead = sum(decided(bank)) > sum(published(bank))
        if ahead:
            worker.signal(signal.SIGTERM)
        worker.signal(signal.SIGCONT)
        return ahead

    with bank.worker() as worker:
        worker.address()
        worker.until(lambda: told_to_end(worker))
        started = monotonic()
        status, seconds = worker.end(), monotonic() - started
    left = sum(bank.state.depths(number)[1] for number in range(bank.settings.partitions))
    letters = len(bank.command("dead-letters", "list", "--json").stdout.splitlines())
    return Stopped(status, seconds, BROKEN - bank.processed(), decided(bank), published(bank), left, letters)


def members_of(bank: Bank) -> int:
    """How many are in the loop's consumer group."""
    client = admin(bank.settings)  # held until it has answered
    group = bank.settings.group_id
    (answer,) = client.describe_consumer_groups([group], request_timeout=ANSWER_SECONDS_MAX).values()
    return len(answer.result(ANSWER_SECONDS_MAX).members)


def offered(bank: Bank, feeds: Path, now: int) -> Json:
    """Pays salaries, each to somebody new, until the running worker knows the catalogue and offers something."""
    for number in range(100):
        salary = event(f"paid-{number}", 1, now, type="salary", amount_minor=300_000)
        bank.publish(written(feeds / "salary.jsonl", [salary]))
        found = [alert for alert in bank.alerts() if alert["kind"] == "next_best_offer"]
        if found:
            return found[0]
    raise AssertionError("no offer was made")


def spoil_due_times(bank: Bank) -> None:
    """A name in the due set that no version of the program has written: nothing that a worker can handle."""
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:
        for partition in range(bank.settings.partitions):
            client.zadd(f"{{{partition}}}:due", {b"\xff": 1})


def test_while_the_stream_stands_still_nobody_is_silent(story: Story) -> None:
    assert story.alerts_before == []


def test_on_one_machine_it_gives_way_to_redis_and_the_broker(story: Story) -> None:
    assert story.niceness == psutil.Process().nice() + 3


def test_told_to_leave_it_leaves_the_group_at_once(story: Story) -> None:
    assert (story.status, story.members_left) == (0, 0)
    assert story.seconds < LEAVING_SECONDS_MAX


def test_told_to_leave_at_work_it_publishes_first_what_it_has_decided(stopped: Stopped) -> None:
    assert stopped.unread > 0, "it was to be told at work"
    assert stopped.status == 0
    assert stopped.seconds < LEAVING_SECONDS_MAX
    assert stopped.published == stopped.decided
    assert (stopped.letters, stopped.left) == (sum(stopped.decided), 0)


def test_told_to_leave_it_has_the_time_that_its_work_leaves_to_publish(open_bank: OpenBank, tmp_path: Path) -> None:
    """One transaction takes half of the five seconds that all may take."""
    bank: Bank = open_bank(partitions=1, poison_share_max=1)
    slow, log = tmp_path / "slow", tmp_path / "log"
    told = bank.environment(), "publisher", slow, log, SLOW_SECONDS
    process = CONTEXT.Process(target=hung, args=told)
    process.start()
    worker = Forked(process, log)
    try:
        until(worker.ready, START_SECONDS_MAX)
        slow.touch()
        broken(bank, 20)
        until(lambda: decided(bank) == [20])
        worker.signal(signal.SIGTERM)
        assert worker.wait(LEAVING_SECONDS_MAX) == 0
    finally:
        worker.kill()
    assert not slow.exists(), "it was slow"
    assert published(bank) == [20]


def test_a_silence_is_noticed_by_the_clock_alone_and_by_a_worker_that_never_saw_the_customer(story: Story) -> None:
    """Eight days of silence are one more than the seven that any customer may take."""
    due = (story.last_visit // DAY_MS + 8) * DAY_MS
    assert (story.silence["kind"], story.silence["status"]) == ("churn_risk", "raised")
    assert story.silence["customer_id"] == "silent"
    assert story.silence["raised_at"] == story.silence["cause"]["due_at"] == rfc3339(due)
    assert "offset" not in story.silence["cause"]


def test_offers_reach_a_running_worker(story: Story) -> None:
    assert story.offer["offer"]["offer_id"] == "savings"
    assert story.offer["customer_id"].startswith("paid-")


def test_what_it_does_not_know_is_counted(story: Story) -> None:
    assert story.unknown == (1, 1)


def test_a_crash_ends_the_process_and_is_not_healthy(story: Story) -> None:
    assert story.crash_status == 1
    assert story.crashed.status == 0, "nobody answers any more"
