"""A worker's day, and every series of /metrics after it: each is what happened, by the topics, by Redis, or by count.

What can't happen in a day, or only by chance, is in ELSEWHERE, with the test that looks at its value.
"""

import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple, get_args

import orjson
import pytest
from confluent_kafka import Message
from prometheus_client import CollectorRegistry

from commands.kafka import consumer, ends, from_the_start, partitions, producer, to_the_end
from schemas.units import DAY_MS
from streams.broker.messages import headers_of
from streams.ops.metrics import Metrics, Step
from tests.live import ANSWER_SECONDS_MAX, WORK_SECONDS_MAX, Bank, Json, OpenBank, Worker, held_up, until
from tests.river.feeds import written

ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "tracker_churn_drift": "tests/unit/test_drift.py",
    "tracker_churn_looks": "tests/unit/test_metrics_counted.py",
    "tracker_due_overdue_seconds": "tests/unit/test_poller.py",
    "tracker_feed_outage_seconds": "tests/unit/test_poller.py",
    "tracker_early_reversals": "tests/unit/test_metrics_counted.py",
    "tracker_untimely_events": "tests/unit/test_metrics_counted.py",
}
"""Drift is looked at every ten minutes, of 500 customers; looks need two models; by the stream's clock none is late
and no feed has an outage."""

CATALOGUE = """
[[offer]]
offer_id = "savings"
product = "Savings account"
text = { en = "Put some of it aside?" }
value_minor = 1
when = ["salary"]
suitability = [{ feature = "count_30d", operator = "at_most", value = 4 }]
channel = "sms"
cooldown_days = 1
"""

SILENT = [f"silent-{number}" for number in (0, 1, 3, 5)]
"""The first comes back. Two in each partition: of three that all fall silent it would be said that the feed has."""
PAID = ["shows", "accepts", "declines", "ignores", "buys", "unwilling"]
BUSY = 300


class Story(NamedTuple):
    """What the worker said, and what is so."""

    quiet: dict[str, float]
    """Every series, when all was done."""
    shared: tuple[dict[str, float], dict[str, float]]
    """Once another worker had one of the two partitions, of both workers."""
    alerts: Counter[tuple[str, str]]
    """In the topic, by kind and status."""
    letters: Counter[str]
    records: int
    """In the topic of transactions."""
    transactions: int
    """Of Kafka's, ended."""
    versions: int
    """Commits that Redis has taken."""
    last: dict[int, float]
    """Kafka's timestamp of the last record of each partition, Unix time."""
    due: int
    rebalances: tuple[int, int]
    """Told in the log, until the quiet time and after another worker had come."""
    others: int
    """Of Kafka's transactions, those before."""


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Silences, offers, answers, broken records; the store is claimed by a stranger; a second worker comes."""
    feeds = tmp_path_factory.mktemp("feeds")
    bank = open_bank(partitions=2, clock="stream", poll_records_max=20)
    (feeds / "offers.toml").write_text(CATALOGUE)
    bank.command("offers", "publish", feeds / "offers.toml")
    payday = int(time.time() * 1_000) - 10 * DAY_MS

    def published(name: str, *events: Json) -> None:
        bank.publish(written(feeds / f"{name}.jsonl", events))
        worker.until(bank.at_rest)

    others = transactions_of(bank)
    with bank.worker() as worker:
        visits = [booked(name, payday - (80 - 3 * nth) * DAY_MS) for name in SILENT for nth in range(8)]
        published("visits", *visits, *(booked(name, payday, type="salary", amount_minor=10) for name in PAID))
        ids = {alert["customer_id"]: alert["alert_id"] for alert in bank.alerts() if alert["kind"] != "churn_risk"}
        broken(bank, payday)
        published("answers", *answers(ids, payday + DAY_MS))
        odd = [booked("odd", payday + n, type="barter") for n in range(3)]
        odd += [booked("odd", payday + 10 + n, channel="pigeon") for n in range(2)]
        unfit = [booked("often", payday + n) for n in range(5)]
        unfit += [booked("often", payday + n, type="salary", amount_minor=10) for n in (10, 11)]
        late = [booked(name, payday - 300 * DAY_MS) for name in PAID[:2]]
        published("odd", *odd, *late, *unfit, *odd[:4])
        again = [booked(name, payday + 2 * DAY_MS, type="salary", amount_minor=10) for name in PAID]
        published("again", booked(SILENT[0], payday + 2 * DAY_MS), *again)
        claimed_by_a_stranger(bank, worker)
        published("busy", *(booked("busy", payday + n) for n in range(BUSY)))
        worker.until(lambda: measured_since(worker, bank))
        quiet, rebalances = series(worker), told(worker, "given partitions", "taken away")
        before = facts(bank)
        with bank.worker() as other:
            other.until_ready().until(lambda: series(other)["tracker_partitions_owned"] == 1)
            worker.until(lambda: series(worker)["tracker_partitions_owned"] == 1)
            shared = series(worker), series(other)
            rebalances = rebalances, told(worker, "given partitions", "taken away")
            other.signal(signal.SIGTERM)
            other.end()
    return Story(quiet, shared, *before, rebalances, others)


def booked(customer: str, at: int, **fields: object) -> Json:
    """A transaction of the customer."""
    known = {"type": "card_payment", "channel": "card", "currency": "EUR", "amount_minor": -500}
    ids = {"event_id": f"{customer}-{at}", "customer_id": customer, "account_id": f"{customer}/1"}
    return known | ids | {"occurred_at": at} | fields


def answers(ids: dict[str, str], at: int) -> list[Json]:
    """Of everybody, and one of an alert that never was."""
    said = [answer("shows", "shown", at, ids), answer("accepts", "accepted", at, ids)]
    said += [answer("declines", "declined", at, ids), answer("ignores", "ignored", at, ids)]
    said += [answer("buys", "bought", at, {}), answer("nobody", "shown", at, {"nobody": "never-was"})]
    told = {"record": "customer-events", "event_id": "1", "occurred_at": at}
    withdrawn = told | {"customer_id": "unwilling", "kind": "consent_withdrawn", "channel": "sms"}
    return [*said, withdrawn, told | {"customer_id": "shows", "kind": "time_zone", "time_zone": "Europe/Prague"}]


def answer(customer: str, outcome: str, at: int, ids: dict[str, str]) -> Json:
    fields = {"record": "alert-outcomes", "customer_id": customer, "offer_id": "savings", "outcome": outcome}
    return fields | {"occurred_at": at} | ({"alert_id": ids[customer]} if customer in ids else {})


def broken(bank: Bank, at: int) -> None:
    """Records that can't be used: of transactions one for each reason, of the other topics some."""
    names, good = bank.settings, booked("bad", at)
    values: list[tuple[str, bytes, bytes | None]] = [
        (names.topic_transactions, b"bad", b"{"),
        (names.topic_transactions, b"bad", orjson.dumps({"event_id": "1"})),
        (names.topic_transactions, b"bad", orjson.dumps(good | {"amount_minor": "5"})),
        (names.topic_transactions, b"bad", orjson.dumps(good | {"amount_minor": 10**17})),
        (names.topic_transactions, b"good", orjson.dumps(good)),
        (names.topic_transactions, b"bad", orjson.dumps(good | {"currency": "JPY"})),
        (names.topic_transactions, b"bad", orjson.dumps(good | {"occurred_at": at + 99 * DAY_MS})),
        (names.topic_transactions, b"bad", b" " * 1_048_577),
        (names.topic_transactions, b"bad", None),
        (names.topic_outcomes, b"bad", orjson.dumps(answer("bad", "liked", at, {}))),
        (names.topic_outcomes, b"bad", b"["),
        (names.topic_customer_events, b"bad", b"{}"),
    ]
    sender = producer(bank.settings)
    for topic, key, value in values:
        sender.produce(topic, value, key)
    assert sender.flush(30) == 0


def claimed_by_a_stranger(bank: Bank, worker: Worker) -> None:
    """Both partitions, so that both are claimed again."""
    for number in range(2):
        bank.state.claim(number)
    worker.until(lambda: worker.metric("tracker_recoveries_total") == 2)


def measured_since(worker: Worker, bank: Bank) -> bool:
    """The gauges of depths are those of now: they are set every five seconds."""
    found = series(worker)
    return all(
        (found[f'tracker_due_customers{{partition="{n}"}}'], found[f'tracker_outbox_entries{{partition="{n}"}}'])
        == bank.state.depths(n)
        for n in range(2)
    )


def series(worker: Worker) -> dict[str, float]:
    """All of the tracker's own."""
    lines = [line.rpartition(" ") for line in worker.get("/metrics").text.splitlines() if line.startswith("tracker_")]
    return {name: float(value) for name, _, value in lines}


def told(worker: Worker, *words: str) -> int:
    """Lines of the log with one of these."""
    return sum(any(word in line for word in words) for line in worker.said().splitlines())


def facts(bank: Bank) -> tuple[Counter[tuple[str, str]], Counter[str], int, int, int, dict[int, float], int]:
    """What the topics and Redis hold, in the order of Story."""
    sent = everything_in(bank, bank.settings.topic_transactions)
    letters = everything_in(bank, bank.settings.topic_dead_letters)
    stands = [position for number in range(2) if (position := bank.state.read(number)) is not None]
    return (
        Counter((alert["kind"], alert["status"]) for alert in bank.alerts()),
        Counter(dict(headers_of(letter))["dlq_reason"].decode() for letter in letters),
        len(sent),
        transactions_of(bank),
        sum(position.version for position in stands),
        {message.partition() or 0: message.timestamp()[1] / 1_000 for message in sent},
        sum(bank.state.depths(number)[0] for number in range(2)),
    )


def everything_in(bank: Bank, topic: str) -> list[Message]:
    """In the order of each partition."""
    reader = consumer(bank.settings)
    try:
        return list(to_the_end(reader, topic, from_the_start(partitions(reader, topic))))
    finally:
        reader.close()


def transactions_of(bank: Bank) -> int:
    """Transactions in which groups of the bank's partition of offsets were written, its own among them: each has left a
    mark behind its records, which no consumer is given."""
    topic, reader = "__consumer_offsets", consumer(bank.settings)
    try:
        held = reader.list_topics(timeout=ANSWER_SECONDS_MAX).topics
        if topic not in held or not held[topic].partitions:  # Kafka makes it for the first group
            return 0
        number = java_hash(bank.settings.group_id) % len(held[topic].partitions)
        until(lambda: not held_up(bank.settings, topic, [number]))  # by a worker that another test has killed
        low, high = ends(reader, topic, number)
        return high - low - sum(1 for _ in to_the_end(reader, topic, {number: low}))
    finally:
        reader.close()


def java_hash(text: str) -> int:
    """As Kafka finds the partition of a group: Java's hash of the text, without its sign."""
    value = 0
    for character in text:
        value = (value * 31 + ord(character)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def known(story: Story) -> dict[str, float]:
    """Every series that has one right value; those that are not here are 0."""
    events = 8 * len(SILENT) + 2 * len(PAID) + 3 + 2 + 2 + 7 + 1 + BUSY
    partitions = [f'{{partition="{number}"}}' for number in range(2)]
    return {
        "tracker_events_total": events,
        "tracker_duplicate_events_total": 4,
        "tracker_late_events_total": 2,
        "tracker_unknown_types_total": 3,
        "tracker_unknown_channels_total": 2,
        "tracker_batch_events_sum": story.records,
        'tracker_batch_events_bucket{le="+Inf"}': story.quiet["tracker_batch_events_count"],
        'tracker_alerts_total{kind="churn_risk",status="raised"}': 4,
        'tracker_alerts_total{kind="churn_risk",status="retracted"}': 1,
        'tracker_alerts_total{kind="next_best_offer",status="raised"}': 6 + 3,
        'tracker_alerts_total{kind="next_best_offer",status="retracted"}': 2,
        "tracker_offers_none_fitting_total": 2,
        'tracker_alerts_suppressed_total{rule="held"}': 1,
        'tracker_alerts_suppressed_total{rule="declined"}': 1,
        'tracker_alerts_suppressed_total{rule="consent"}': 1,
        'tracker_outcomes_total{outcome="shown"}': 2,
        'tracker_outcomes_total{outcome="accepted"}': 1,
        'tracker_outcomes_total{outcome="declined"}': 1,
        'tracker_outcomes_total{outcome="ignored"}': 1,
        'tracker_outcomes_total{outcome="bought"}': 1,
        "tracker_outcomes_unmatched_total": 1,
        "tracker_customer_events_total": 2,
        'tracker_dead_letters_total{reason="not_json"}': 2,
        'tracker_dead_letters_total{reason="missing_field"}': 2,
        'tracker_dead_letters_total{reason="wrong_type"}': 2,
        'tracker_dead_letters_total{reason="out_of_bounds"}': 1,
        'tracker_dead_letters_total{reason="wrong_key"}': 1,
        'tracker_dead_letters_total{reason="no_rate"}': 1,
        'tracker_dead_letters_total{reason="in_the_future"}': 1,
        'tracker_dead_letters_total{reason="too_large"}': 1,
        'tracker_dead_letters_total{reason="empty"}': 1,
        "tracker_publish_transactions_total": story.transactions - story.others,
        "tracker_published_records_total": story.alerts.total() + story.letters.total(),
        'tracker_step_seconds_count{step="publish"}': story.transactions - story.others,
        "tracker_agent_up": 1,
        "tracker_store_up": 1,
        "tracker_kafka_up": 1,
        "tracker_partitions_owned": 2,
        "tracker_in_group": 1,
        "tracker_rejoins_total": 0,
        "tracker_rebalances_total": story.rebalances[0],
        "tracker_recoveries_total": 2,
        "tracker_customers_in_memory": 1,  # whoever came after the partitions had been claimed again
        **dict.fromkeys([f"tracker_lag_events{one}" for one in partitions], 0),
        **dict.fromkeys([f"tracker_lag_seconds{one}" for one in partitions], 0),
        **dict.fromkeys([f"tracker_held_back_seconds{one}" for one in partitions], 0),
        **dict.fromkeys([f"tracker_outbox_entries{one}" for one in partitions], 0),
        **{f"tracker_committed_timestamp_seconds{one}": story.last[n] for n, one in enumerate(partitions)},
    }


def bounded(story: Story) -> dict[str, tuple[float, float]]:
    """From and to: what batches, and how long they took, is the machine's business."""
    records, quiet = story.records, story.quiet
    bounds: dict[str, tuple[float, float]] = {
        "tracker_batch_events_count": (records / 20, records),
        "tracker_commits_total": (quiet["tracker_batch_events_count"], story.versions),
        "tracker_consumer_stalled_seconds": (0, 2),
        "tracker_cache_bytes": (1_000, 100_000),
    }
    turns = quiet['tracker_step_seconds_count{step="commit"}']
    for step in ("decode", "load", "decide", "commit"):
        bounds[f'tracker_step_seconds_count{{step="{step}"}}'] = (turns, turns)
    bounds['tracker_step_seconds_count{step="poll"}'] = (turns, turns)
    for step in ("poll", "decode", "load", "decide", "commit", "publish"):
        bounds[f'tracker_step_seconds_sum{{step="{step}"}}'] = (1e-6, WORK_SECONDS_MAX)
        name = f'tracker_step_seconds_bucket{{le="+Inf",step="{step}"}}'
        bounds[name] = (quiet[f'tracker_step_seconds_count{{step="{step}"}}'],) * 2
    return bounds


def metric_of(name: str) -> str:
    """The metric's own name, of a sample's."""
    return re.sub(r"(_total|_bucket|_sum|_count)?({.*)?$", "", name)


def is_bucket(name: str) -> bool:
    return "_bucket{" in name and 'le="+Inf"' not in name


def test_every_metric_has_a_line_here_or_a_test_elsewhere() -> None:
    """A new one fails this until its value is looked at."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.partition(0)
    names = {metric.name for metric in registry.collect() if metric.name.startswith("tracker_")}
    one = Story({}, ({}, {}), Counter(), Counter(), 0, 0, 0, {0: 0, 1: 0}, 0, (0, 0), 0)._replace(quiet=Zeros())
    here = {metric_of(name) for name in known(one).keys() | bounded(one).keys() | BY_LABEL.keys()}
    assert here.isdisjoint(ELSEWHERE)
    assert here | ELSEWHERE.keys() == names
    for name, test in ELSEWHERE.items():
        assert name in (ROOT / test).read_text("utf-8"), f"{test} does not look at {name}"


class Zeros(dict[str, float]):
    """A page on which everything is 0."""

    def __missing__(self, _: str) -> float:
        return 0.0


BY_LABEL = {"tracker_commits_refused": "reason", "tracker_due_customers": "partition"}
"""Only the sum of these is known: who is in which partition is a hash's business, and how the worker came to know of
the stranger depends on the moment."""


def test_every_series_is_what_happened(story: Story) -> None:
    right, bounds = known(story), bounded(story)
    assert right.keys() | bounds.keys() <= story.quiet.keys()
    left_out = ELSEWHERE.keys() | BY_LABEL.keys()
    wrong = {
        name: f"is {value:g}, should be {right.get(name, 0):g}"
        for name, value in story.quiet.items()
        if not (name in bounds or is_bucket(name) or metric_of(name) in left_out) and value != right.get(name, 0)
    }
    assert wrong == {}
    outside = {name: story.quiet[name] for name, (low, high) in bounds.items() if not low <= story.quiet[name] <= high}
    assert outside == {}, {name: bounds[name] for name in outside}


def test_what_is_spread_over_labels_adds_up(story: Story) -> None:
    def total(metric: str) -> float:
        return sum(value for name, value in story.quiet.items() if metric_of(name) == metric)

    assert total("tracker_commits_refused") == story.quiet["tracker_recoveries_total"] == 2
    assert story.quiet['tracker_commits_refused_total{reason="unavailable"}'] == 0
    assert total("tracker_due_customers") == story.due > 0


def test_the_buckets_of_a_histogram_never_fall_and_end_with_its_count(story: Story) -> None:
    ladders: dict[str, list[float]] = {}
    for name, value in story.quiet.items():
        if "_bucket{" in name:
            ladders.setdefault(re.sub(r'le="[^"]*",?', "", name), []).append(value)
    assert len(ladders) == 1 + len(get_args(Step))
    assert all(ladder == sorted(ladder) for ladder in ladders.values())


def test_the_counters_of_results_are_what_subscribers_can_read(story: Story) -> None:
    counted = {
        (kind, status): story.quiet[f'tracker_alerts_total{{kind="{kind}",status="{status}"}}']
        for kind, status in story.alerts
    }
    assert counted == story.alerts
    reasons = {reason: story.quiet[f'tracker_dead_letters_total{{reason="{reason}"}}'] for reason in story.letters}
    assert reasons == story.letters


def test_the_gauges_of_a_partition_that_was_given_away_are_gone(story: Story) -> None:
    for shown in story.shared:
        numbers = {number for name in shown for number in re.findall(r'partition="(\d+)"', name)}
        assert len(numbers) == 1, "its own alone"
    assert story.rebalances[1] > story.rebalances[0]
    first, _ = story.shared
    assert first["tracker_rebalances_total"] == story.rebalances[1]
