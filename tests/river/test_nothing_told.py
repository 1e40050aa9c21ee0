"""Nothing that a worker logs, prints or answers holds a secret, a customer, an account, an event or an amount.

The worker has a password and a key, reads what it can't use, loses Redis in several ways, and crashes at last.
"""

import time
from typing import NamedTuple

import orjson
import pytest
import redis

from commands.kafka import producer
from tests.live import START_SECONDS_MAX, Bank, OpenBank
from tests.river.test_metrics_day import answer, booked
from tests.river.test_outages import address_of_redis

CUSTOMER, ACCOUNT, EVENT, AMOUNT = "zq-customer-41", "zq-account-42", "zq-event-43", 7_700_777_044
PASSWORD, KEY = "zq-password-45", "zq-control-key-46"
NEVER = (CUSTOMER, ACCOUNT, EVENT, str(AMOUNT), PASSWORD, KEY, "zq-")


class Story(NamedTuple):
    """Everything that was said."""

    log: str
    pages: dict[str, str]
    """By moment and page."""
    cut_off: str
    """Log of a worker that could never reach anything."""


@pytest.fixture(scope="module")
def story(open_bank: OpenBank) -> Story:
    bank = open_bank(partitions=1, clock="stream", control_key=KEY)
    pages: dict[str, str] = {}
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:
        client.config_set("requirepass", PASSWORD)
        url = f"redis://:{PASSWORD}@{address_of_redis(bank.settings)}/0"
        with bank.worker(redis_url=url) as worker:
            worker.until_ready()

            def look(moment: str) -> None:
                for page in ("/metrics", "/healthz", "/readyz"):
                    pages[f"{moment} {page}"] = worker.get(page).text

            send(bank, *used(), *unusable())
            worker.until(lambda: worker.metric('tracker_dead_letters_total{reason="wrong_type"}') == 4)
            look("refused records")
            client.execute_command("FUNCTION", "FLUSH")
            client.hincrby("{0}:pos", "epoch", 1)
            send(bank, *used("again"))
            worker.until(lambda: worker.metric("tracker_recoveries_total") >= 1)
            client.config_set("requirepass", PASSWORD + "-other")
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            send(bank, *used("later"))
            worker.until(lambda: "Redis refuses" in worker.get("/healthz").text)
            look("another password")
            client.config_set("requirepass", PASSWORD)
            worker.until(lambda: worker.get("/healthz").status == 200)
            send(bank, *unusable() * 60)
            worker.until(lambda: "partition 0" in worker.get("/healthz").text)
            look("flood")
            log = worker.said()
        client.zadd("{0}:due", {CUSTOMER.encode() + b"\xff": 1})  # which no version of the program has written
        with bank.worker(redis_url=url, poison_share_max=1) as worker:
            assert worker.end(START_SECONDS_MAX) == 1
            log += worker.said()
    kafka = {"kafka_security_protocol": "sasl_plaintext", "kafka_sasl_username": "u", "kafka_sasl_password": PASSWORD}
    with bank.worker(redis_url=url, retry_seconds_max=2, **kafka) as worker:
        assert worker.end(START_SECONDS_MAX) == 1
        cut_off = worker.said()
    return Story(log, pages, cut_off)


def used(number: str = "") -> list[tuple[str, bytes, bytes]]:
    """Transactions that count."""
    fields = {"event_id": EVENT + number, "account_id": ACCOUNT, "amount_minor": AMOUNT}
    now = int(time.time() * 1_000)
    return [("transactions", CUSTOMER.encode(), orjson.dumps(booked(CUSTOMER, now, **fields)))]


def unusable() -> list[tuple[str, bytes, bytes]]:
    """Records that break rules, of each topic."""
    good = booked(CUSTOMER, 1, event_id=EVENT, account_id=ACCOUNT, amount_minor=AMOUNT)
    said = answer(CUSTOMER, "zq-liked", 1, {CUSTOMER: EVENT})
    event = {"event_id": EVENT, "customer_id": CUSTOMER, "occurred_at": 1, "kind": "zq-kind", "account_id": ACCOUNT}
    values = [
        ("transactions", orjson.dumps(good)[:-5]),
        ("transactions", orjson.dumps(good | {"amount_minor": str(AMOUNT)})),
        ("transactions", orjson.dumps(good | {"occurred_at": "zq-yesterday"})),
        ("transactions", orjson.dumps(good | {"currency": "ZQX"})),
        ("outcomes", orjson.dumps(said)),
        ("customer-events", orjson.dumps(event)),
    ]
    return [(topic, CUSTOMER.encode(), value) for topic, value in values]


def send(bank: Bank, *records: tuple[str, bytes, bytes]) -> None:
    names = bank.settings
    topics = {"transactions": names.topic_transactions, "outcomes": names.topic_outcomes}
    topics["customer-events"] = names.topic_customer_events
    sender = producer(names)
    for topic, key, value in records:
        sender.produce(topics[topic], value, key)
    assert sender.flush(30) == 0


def held(text: str) -> list[str]:
    """Lines that hold what must never be said."""
    return [line for line in text.splitlines() if any(word in line for word in NEVER)]


def test_no_line_of_the_log_holds_what_was_read_or_a_secret(story: Story) -> None:
    assert held(story.log) == []


def test_the_log_says_what_happened_all_the_same(story: Story) -> None:
    for words in (
        "claimed again",
        "Redis refuses",
        "stands still",
        "records were refused",
        "crashed: UnicodeDecodeError",
        "line ",
    ):
        assert words in story.log, words


def test_no_page_holds_it_whatever_the_trouble(story: Story) -> None:
    assert len(story.pages) == 9
    assert {name: held(page) for name, page in story.pages.items() if held(page)} == {}
    assert "redis: " in story.pages["another password /healthz"]


def test_a_worker_that_reaches_nothing_tells_no_password(story: Story) -> None:
    assert held(story.cut_off) == []
    assert "Kafka" in story.cut_off
