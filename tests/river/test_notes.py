"""Outcomes and customer events on their way through a worker that is killed meanwhile: each counts once."""

import json
import signal
import time
from collections import Counter
from typing import NamedTuple

import pytest
import redis
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from commands.kafka import admin
from handlers.offers.counts import Ledger
from handlers.state.row_table import LEDGER
from schemas.units import DAY_MS
from tests.live import ANSWER_SECONDS_MAX, Bank, Json, OpenBank, Worker
from tests.river.feeds import BY_SMS, written

PURCHASES = 5
"""Of everybody, before they are paid: when all is read anew, it takes many batches to come to the first offer."""

CUSTOMERS = [f"c-{number}" for number in range(70)]
ACCEPTED, BOUGHT, UNWILLING, DECLINED, BROKEN = (
    CUSTOMERS[:20],
    CUSTOMERS[20:40],
    CUSTOMERS[40:50],
    CUSTOMERS[50:60],
    CUSTOMERS[60:],
)


class Story(NamedTuple):
    """What was seen on the way."""

    first: list[Json]
    second: list[Json]
    """Alerts after the answers, on the next payday."""
    suppressed: dict[str, float]
    letters: list[Json]
    taken: tuple[int, int]
    """How often the offer counts as taken, before and after the broken outcomes were repaired."""
    left: str
    metrics: dict[str, float]
    verified: Json
    again: tuple[float, Json]
    """Outcomes of no known alert, and what verify says, when all was read anew into an empty Redis."""
    lost: str
    """What /healthz says where the store stands after the end of the outcomes."""


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Everybody is offered the same; they answer; the worker is killed twice; everybody is paid again."""
    feeds = tmp_path_factory.mktemp("feeds")
    bank = open_bank(partitions=2, clock="stream", poll_records_max=5)
    (feeds / "offers.toml").write_text(BY_SMS)
    bank.command("offers", "publish", feeds / "offers.toml")
    payday = int(time.time() * 1_000) - 10 * DAY_MS
    with bank.worker() as worker:
        spent = [one | {"type": "card_payment"} for nth in range(PURCHASES) for one in paid(payday - nth - 1)]
        bank.publish(written(feeds / "first.jsonl", spent + paid(payday)))
        worker.until(bank.at_rest)
        first = bank.alerts()
        answers = written(feeds / "answers.jsonl", answers_to(first, payday + DAY_MS))
        bank.publish(answers)
        killed_at(bank, worker, 1)
    with bank.worker() as worker:
        killed_at(bank, worker, 30)
    with bank.worker() as worker:
        worker.until(bank.at_rest).until(lambda: nothing_open(bank))
        bank.publish(written(feeds / "second.jsonl", paid(payday + 2 * DAY_MS)))
        worker.until(bank.at_rest)
        rules = ("held", "consent", "declined")
        suppressed = {rule: worker.metric(f'tracker_alerts_suppressed_total{{rule="{rule}"}}') for rule in rules}
        second = without(bank.alerts(), first)
        letters = [json.loads(line) for line in bank.command("dead-letters", "list", "--json").stdout.splitlines()]
        taken = taken_of(bank)
        repaired = [line | {"value": line["value"].replace("liked", "accepted")} for line in letters]
        series = 'tracker_outcomes_total{outcome="accepted"}'
        accepted = worker.metric(series)
        bank.command("dead-letters", "replay", written(feeds / "repaired.jsonl", repaired))
        bank.publish(written(feeds / "strange.jsonl", [outcome("c-0", "declined", payday, "not-an-alert")]))
        worker.until(bank.at_rest)
        metrics = {
            "accepted": worker.metric(series) - accepted,
            "unmatched": worker.metric("tracker_outcomes_unmatched_total"),
        }
        left = bank.command("dead-letters", "list").stdout
        counts, verified = (taken, taken_of(bank)), bank.verified()
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:
        client.flushall()
        with bank.worker() as worker:
            worker.until(bank.at_rest)
            again = worker.metric("tracker_outcomes_unmatched_total"), bank.verified()
        client.hset("{0}:pos", "outcomes", 1_000_000)
    with bank.worker() as worker:
        worker.until(lambda: "partition 0" in worker.get("/healthz").text)
        lost = worker.get("/healthz").text
    return Story(first, second, suppressed, letters, counts, left, metrics, verified, again, lost)


def without(alerts: list[Json], known: list[Json]) -> list[Json]:
    """The alerts that are left when each that is known is taken away once."""
    left = list(alerts)
    for alert in known:
        left.remove(alert)
    return left


def paid(at: int) -> list[Json]:
    """A salary for everybody."""
    return [
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
        for customer in CUSTOMERS
    ]


def outcome(customer: str, what: str, at: int, alert_id: str | None = None) -> Json:
    told = {"record": "alert-outcomes", "customer_id": customer, "offer_id": "savings", "outcome": what}
    return told | {"occurred_at": at} | ({} if alert_id is None else {"alert_id": alert_id})


def answers_to(alerts: list[Json], at: int) -> list[Json]:
    """What everybody does; somebody who has never booked anything tells where they live."""
    alert = {alert["customer_id"]: alert["alert_id"] for alert in alerts}
    said = [outcome(customer, "accepted", at, alert[customer]) for customer in ACCEPTED]
    said += [outcome(customer, "bought", at) for customer in BOUGHT]
    said += [outcome(customer, "declined", at, alert[customer]) for customer in DECLINED]
    said += [outcome(customer, "liked", at, alert[customer]) for customer in BROKEN]
    events = [event(customer, "consent_withdrawn", at, channel="sms") for customer in UNWILLING]
    return [*said, *events, event("stranger", "time_zone", at, time_zone="Europe/Prague")]


def event(customer: str, kind: str, at: int, **fields: str) -> Json:
    told = {"record": "customer-events", "event_id": f"{customer}-{kind}", "customer_id": customer, "kind": kind}
    return told | {"occurred_at": at} | fields


def killed_at(bank: Bank, worker: Worker, outcomes: int) -> None:
    """Ends the worker as a power cut would, once it has worked off that many outcomes."""

    def reached() -> bool:
        stands = [bank.state.read(number) for number in range(bank.settings.partitions)]
        return sum(position.offsets[1] for position in stands if position is not None) >= outcomes

    worker.until(reached)
    worker.signal(signal.SIGKILL)
    worker.end()


def nothing_open(bank: Bank) -> bool:
    """No transaction of a killed worker keeps a read_committed reader from what came after it."""
    client, numbers = admin(bank.settings), range(bank.settings.partitions)
    topics = bank.settings.topic_alerts, bank.settings.topic_dead_letters
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(topic, number): latest for topic in topics for number in numbers}
    levels = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
    committed, all_written = [
        {
            log: answer.result(ANSWER_SECONDS_MAX).offset
            for log, answer in client.list_offsets(wanted, isolation_level=level).items()
        }
        for level in levels
    ]
    return committed == all_written


def taken_of(bank: Bank) -> int:
    """How often the offer has been taken, over all partitions."""
    rows = [bank.state.load(number, [LEDGER])[0] for number in range(bank.settings.partitions)]
    return sum(Ledger(row).of("savings").made[1] for row in rows)


def names(alerts: list[Json], status: str) -> list[str]:
    return sorted(alert["customer_id"] for alert in alerts if alert["status"] == status)


def test_everybody_is_offered_it_first(story: Story) -> None:
    assert names(story.first, "raised") == sorted(CUSTOMERS)


def test_each_offer_that_is_settled_is_retracted_once(story: Story) -> None:
    """Also where the worker was killed between the outcome and its retraction."""
    assert names(story.second, "retracted") == sorted(BOUGHT + UNWILLING)
    ids = {alert["customer_id"]: alert["alert_id"] for alert in story.first}
    for alert in story.second:
        if alert["status"] == "retracted":
            assert alert["supersedes"] == ids[alert["customer_id"]]


def test_a_retraction_names_the_record_that_caused_it(story: Story) -> None:
    topics = Counter(
        alert["cause"]["topic"].rpartition("-")[2] for alert in story.second if alert["status"] == "retracted"
    )
    assert topics == {"outcomes": len(BOUGHT), "events": len(UNWILLING)}


def test_who_has_it_declined_it_or_wants_no_contact_is_not_offered_it_again(story: Story) -> None:
    assert names(story.second, "raised") == sorted(ACCEPTED + BROKEN)
    assert story.suppressed == {"held": len(BOUGHT), "consent": len(UNWILLING), "declined": len(DECLINED)}


def test_each_broken_outcome_is_one_dead_letter_of_its_topic(story: Story) -> None:
    assert sorted(letter["key"] for letter in story.letters) == sorted(BROKEN)
    for letter in story.letters:
        assert (letter["reason"], letter["field"]) == ("wrong_type", "outcome")
        assert letter["from"]["topic"].endswith("-outcomes")


def test_no_outcome_counts_twice_and_a_repaired_one_counts(story: Story) -> None:
    before = len(ACCEPTED) + len(BOUGHT)
    assert story.taken == (before, before + len(BROKEN))
    assert story.left == ""


def test_the_metrics_count_outcomes_and_those_of_no_known_alert(story: Story) -> None:
    assert story.metrics == {"accepted": len(BROKEN), "unmatched": 1}


def test_verify_knows_who_is_known_by_events_alone(story: Story) -> None:
    assert story.verified["differences"] == 0
    assert story.verified["events"] == (PURCHASES + 2) * len(CUSTOMERS)
    assert story.verified["customers"] == len(CUSTOMERS) + 1


def test_where_all_is_read_anew_an_outcome_still_finds_its_alert(story: Story) -> None:
    """It waits for the transactions that were written before it. One alert was never there."""
    assert story.again[0] == 1
    assert story.again[1]["differences"] == 0


def test_a_topic_that_ends_before_what_was_processed_stops_its_partition(story: Story) -> None:
    assert "-outcomes: offsets" in story.lost
    assert "but Kafka ends before them" in story.lost
