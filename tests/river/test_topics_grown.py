"""A bank whose topics grow from one partition to two, beside one whose topics had two from the start."""

import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from commands.kafka import consumer, ends
from learning.simulator import simulate
from schemas.units import DAY_MS
from serving.partitioner import partition_of
from streams.broker.membership import Asking
from tests.live import ANSWER_SECONDS_MAX, Bank, Json, OpenBank, until
from tests.river.feeds import BY_SMS, written

UNWILLING = [f"c-{number}" for number in range(20)]
PAID = [f"c-{number}" for number in range(40)]


class Story(NamedTuple):
    """What was seen on the way."""

    refused: str
    """What the command says while a worker runs."""
    grown: Bank
    always: Bank
    left: int
    """Transactions that had not been worked off when the topics grew."""


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Some withdraw their consent. The worker is killed, more comes, the topics grow, everybody is paid: some
    of it is written before and some after. Then a second payday, when the state has been moved."""
    feeds = tmp_path_factory.mktemp("feeds")
    (feeds / "offers.toml").write_text(BY_SMS)
    day = (int(time.time() * 1_000) // DAY_MS - 100) * DAY_MS
    history = list(simulate(customers=20, days=40, seed=3))
    started = written(feeds / "history.jsonl", [*history, *paid(day)])
    unwilling = written(feeds / "unwilling.jsonl", (withdrawn(customer, day + 1_000) for customer in UNWILLING))
    left = written(feeds / "left.jsonl", paid(day + 5 * DAY_MS))
    unread = written(feeds / "unread.jsonl", paid(day + 8 * DAY_MS))
    after = written(feeds / "after.jsonl", paid(day + 40 * DAY_MS))

    grown = open_bank(partitions=1, clock="stream", session_timeout_ms=6_000)
    always = open_bank(partitions=2, clock="stream")
    for bank in (grown, always):
        bank.command("offers", "publish", feeds / "offers.toml")
        bank.publish(started)
        with bank.worker() as worker:
            worker.until(bank.at_rest)
            bank.publish(unwilling)
            worker.until(bank.at_rest)
            if bank is grown:
                worker.signal(signal.SIGKILL)
                worker.end()
            bank.publish(left)
    bank = grown
    stands = bank.state.read(0)
    assert stands is not None
    waiting = ends(consumer(bank.settings), bank.settings.topic_transactions, 0).high - stands.offset
    bank.grow(2)
    for each in (grown, always):
        each.publish(unread)
    with bank.worker() as worker:
        worker.until(lambda: members(bank) == 1 and "`tracker repartition`" in worker.get("/healthz").text)
        refused = bank.command("repartition", status=1).stderr
        worker.signal(signal.SIGTERM)
        worker.end()
    until(lambda: members(bank) == 0)
    bank.command("repartition")
    for each in (grown, always):
        with each.worker() as worker:
            worker.until(each.at_rest)
            each.publish(after)
            worker.until(each.at_rest)
    return Story(refused, grown, always, waiting)


def members(bank: Bank) -> int:
    """Of the workers' group."""
    return len(Asking(bank.settings)().result(ANSWER_SECONDS_MAX).members)


def paid(at: int) -> Iterable[Json]:
    return (
        {
            "event_id": f"{customer}-{at}",
            "customer_id": customer,
            "account_id": f"{customer}/1",
            "occurred_at": at,
            "amount_minor": 300_000,
            "currency": "EUR",
            "type": "salary",
            "channel": "online",
        }
        for customer in PAID
    )


def withdrawn(customer: str, at: int) -> Json:
    told = {"record": "customer-events", "event_id": f"{customer}-no", "customer_id": customer}
    return told | {"kind": "consent_withdrawn", "occurred_at": at, "channel": "sms"}


def known(alerts: list[Json]) -> list[tuple[str, ...]]:
    return sorted((alert["alert_id"], alert["customer_id"], alert["kind"], alert["status"]) for alert in alerts)


def test_while_a_worker_may_own_partitions_nothing_is_moved(story: Story) -> None:
    assert "1 workers are in the group" in story.refused
    assert "stop them all" in story.refused


def test_nobody_who_has_withdrawn_consent_is_offered_anything_afterwards(story: Story) -> None:
    offers = [a for a in story.grown.alerts() if a["kind"] == "next_best_offer" and a["status"] == "raised"]
    by_customer = {customer: sum(a["customer_id"] == customer for a in offers) for customer in PAID}
    assert {by_customer[customer] for customer in UNWILLING} == {1}
    assert {by_customer[customer] for customer in PAID if customer not in UNWILLING} == {4}


def test_alerts_are_those_of_a_bank_that_had_so_many_partitions_from_the_start(story: Story) -> None:
    assert known(story.grown.alerts()) == known(story.always.alerts())


def test_figures_are_those_of_a_bank_that_had_so_many_partitions_from_the_start(story: Story) -> None:
    for number in range(2):
        names = story.grown.state.customers(number)
        assert names
        assert sorted(names) == sorted(story.always.state.customers(number))
        assert {partition_of(name, 2) for name in names} == {number}
        assert story.grown.state.load(number, names) == story.always.state.load(number, names)
        assert list(story.grown.state.all_due(number)) == list(story.always.state.all_due(number))


def test_verify_recomputes_the_same_over_both_numbers_of_partitions(story: Story) -> None:
    summaries = [bank.verified() for bank in (story.grown, story.always)]
    assert summaries[0] == summaries[1]
    assert summaries[0]["differences"] == 0


def test_there_was_something_to_work_off(story: Story) -> None:
    assert story.left >= len(PAID)


def test_a_second_time_there_is_nothing_to_do(story: Story) -> None:
    assert "The state is that of 2 partitions" in story.grown.command("repartition").stdout
