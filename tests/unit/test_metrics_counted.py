"""What the loop counts: every label of every counter, by the value, over the store in memory."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import product
from threading import Lock
from typing import Any, NamedTuple, cast, get_args

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from handlers.churn.challenger import BANDS
from handlers.contact.history import SUPPRESSION_REASONS
from handlers.contact.rules import in_control
from handlers.engine.rules import Rules
from handlers.intake.events import Record
from handlers.intake.inputs import INPUTS
from handlers.offers.counts import Ledger
from handlers.state.row_table import LEDGER
from schemas.alert import Kind, Status
from schemas.dead_letter import Reason
from schemas.offer import Condition
from schemas.outcome import OutcomeKind
from schemas.policy import CONTACTS_MAX, Cap, Policy
from streams.broker.ownership import Ownership, PolledBatch
from streams.broker.publisher import Publisher
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Fenced, Moved, StoreUnavailable
from streams.worker.loop import Loop
from tests.bank import booked, day, event, offer, outcome, salary
from tests.models import by_hand
from tests.partitions import parts

PUBLISHED_AT = day(400)
"""Kafka's timestamp of every record."""

Sent = dict[str, Any] | tuple[str, bytes | None, bytes | None]
"""A record of the topic that its field `record` names, or (topic, key, value) as they are."""


class Run:
    """A worker's loop over one partition, and what it has counted."""

    def __init__(self, rules: Rules | None = None, store: MemoryStore | None = None) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.store = store or MemoryStore()
        self.rules = rules or Rules()
        self.refused: list[type[Exception]] = []
        made, nothing = parts(self.store, lambda: self.rules), cast(Any, None)
        partition = made.partition(7)
        publisher = Publisher(made.settings, nothing, self.store, nothing, Health(), self.metrics, nothing, nothing)
        self._loop = Loop(Lock(), made, publisher, self, self.metrics)
        partition.claim()
        self.ownership = Ownership(partition, partition.reached)
        self._sent: Counter[str] = Counter()

    def reclaim(self, ownership: Ownership, error: Exception) -> None:
        """As Assignment does: the store has refused work."""
        self.refused.append(type(error))

    def work(self, *sent: Sent, now: int | None = None, measure: bool = False) -> "Run":
        """One portion, and its answer."""
        records: defaultdict[str, list[Record]] = defaultdict(list)
        for one in sent:
            topic, key, value = one if isinstance(one, tuple) else _as_sent(one)
            records[topic].append(Record(self._sent[topic], PUBLISHED_AT, key, value))
            self._sent[topic] += 1
        given, *beside = [records[topic.topic] for topic in INPUTS]
        self._loop.work(
            [PolledBatch(self.ownership, given, beside, self.ownership.partition.reached, now, now or 0, measure)], list
        )
        self._loop.settle()
        return self

    def value(self, name: str, **labels: str) -> float:
        found = self.registry.get_sample_value(name, labels)
        assert found is not None, name
        return found

    def by(self, name: str, *labels: str) -> dict[Any, float]:
        """What isn't 0 of a counter, by its labels."""
        samples = [sample for metric in self.registry.collect() for sample in metric.samples if sample.name == name]
        assert samples, name
        found = {tuple(one.labels[label] for label in labels): one.value for one in samples if one.value}
        return {key[0] if len(key) == 1 else key: value for key, value in found.items()}


def _as_sent(fields: dict[str, Any]) -> tuple[str, bytes, bytes]:
    return fields.get("record", "transactions"), fields["customer_id"].encode(), msgspec.json.encode(fields)


def transaction(**fields: Any) -> bytes:
    """Ann's, with these fields in the place of others."""
    return msgspec.json.encode(booked(0, -5, "purchase") | fields)


def test_transactions_are_counted_by_what_was_unusual_of_them() -> None:
    """Each in a number of its own, so that none can stand for another."""
    usual = [booked(on, -5, "purchase") for on in range(300, 311)]
    late = [booked(on, -5, "purchase") for on in (1, 2)]
    odd = [booked(on, -5, "barter") for on in (311, 312, 313)]
    odd += [booked(on, -5, "purchase", channel="pigeon") for on in (314, 315, 316, 317, 318)]
    ahead = [
        booked(319, 5, "purchase")
        | {"event_id": f"r{n}", "reversal_of": {"event_id": f"x{n}", "occurred_at": day(310)}}
        for n in range(6)
    ]
    run = Run().work(*usual, *late, *odd, *usual[:4]).work(usual[5], usual[6], usual[6]).work(*ahead)
    assert run.value("tracker_early_reversals_total") == 6
    assert run.value("tracker_events_total") == 27
    assert run.value("tracker_late_events_total") == 2
    assert run.value("tracker_untimely_events_total") == 2, "the same: those that follow are in order"
    assert run.value("tracker_unknown_types_total") == 3
    assert run.value("tracker_unknown_channels_total") == 5
    assert run.value("tracker_duplicate_events_total") == 7


REFUSED: dict[Reason, Sequence[tuple[str, bytes | None, bytes | None]]] = {
    "not_json": [("transactions", b"ann", b"{"), ("alert-outcomes", b"ann", b"["), ("customer-events", b"ann", b"}")],
    "missing_field": [("customer-events", b"ann", b"{}")] * 2,
    "wrong_type": [("transactions", b"ann", transaction(amount_minor="5"))] * 4,
    "out_of_bounds": [("transactions", b"ann", transaction(amount_minor=10**16))] * 5,
    "wrong_key": [("transactions", b"bob", transaction())] * 6,
    "no_rate": [("transactions", b"ann", transaction(currency="JPY"))] * 7,
    "in_the_future": [("transactions", b"ann", transaction(occurred_at=day(402)))] * 8,
    "too_large": [("transactions", b"ann", b" " * 1_048_577)] * 9,
    "empty": [("transactions", b"ann", None)] * 10,
    "wrong_original": [
        ("transactions", b"ann", transaction(event_id="b", reversal_of={"event_id": "a", "occurred_at": day(0)}))
    ]
    * 11,
}


def test_refused_records_of_every_topic_are_counted_by_their_reason() -> None:
    run = Run().work(booked(0, -5, "purchase") | {"event_id": "a"})
    run.work(*(record for records in REFUSED.values() for record in records))
    assert run.by("tracker_dead_letters_total", "reason") == {
        "not_json": 3, "missing_field": 2, "wrong_type": 4, "out_of_bounds": 5, "wrong_key": 6, "no_rate": 7,
        "in_the_future": 8, "too_large": 9, "empty": 10, "wrong_original": 11,
    }  # fmt: skip
    assert REFUSED.keys() == set(get_args(Reason))
    assert run.value("tracker_events_total") == 1


def busy(until: int) -> list[dict[str, Any]]:
    """Somebody who comes every day, so that the feed is known to be alive."""
    return [booked(on, -5, "purchase", customer="busy") for on in range(24, until)]


def test_alerts_are_counted_by_kind_and_status() -> None:
    """Five fall silent, three of them come back; seven are offered something, two of them take it."""
    silent = [booked(on, -5, "purchase", customer=f"s{n}") for on in range(0, 24, 3) for n in range(5)]
    back = [booked(61, -5, "purchase", customer=f"s{n}") for n in range(3)]
    paid = [salary(62, f"p{n}") for n in range(7)]
    taken = [outcome("bought", 62, "savings", customer=f"p{n}") for n in range(2)]
    run = Run(Rules((offer(valid_days=60),))).work(*silent).work(*busy(61)).work(*back).work(*paid).work(*taken)
    counted = run.by("tracker_alerts_total", "kind", "status")
    assert counted == {
        ("churn_risk", "raised"): 5,
        ("churn_risk", "retracted"): 3,
        ("next_best_offer", "raised"): 7,
        ("next_best_offer", "retracted"): 2,
    }
    assert counted.keys() == set(product(get_args(Kind), get_args(Status)))


def test_moments_at_which_no_offer_fitted_are_counted() -> None:
    run = Run(Rules((offer(when=["large_credit"]),))).work(salary(0), salary(1), salary(2))
    assert run.value("tracker_offers_none_fitting_total") == 0, "no offer is for a salary: there was no moment for one"
    rich = [Condition("count_90d", "at_least", 1_000)]
    run = Run(Rules((offer(conditions=rich),))).work(salary(0), salary(1), salary(2))
    assert run.value("tracker_offers_none_fitting_total") == 3


def test_outcomes_are_counted_by_kind_and_those_of_no_known_alert_beside() -> None:
    numbers: dict[OutcomeKind, int] = {"shown": 1, "accepted": 2, "declined": 3, "ignored": 4, "bought": 5}
    names = {kind: {} if kind == "bought" else {"alert_id": "not-an-alert"} for kind in numbers}
    told = [
        outcome(kind, 1, "savings", customer=f"{kind}-{n}") | names[kind]
        for kind, number in numbers.items()
        for n in range(number)
    ]
    run = Run(Rules((offer(),))).work(salary(0)).work(*told)
    assert run.by("tracker_outcomes_total", "outcome") == numbers
    assert run.value("tracker_outcomes_unmatched_total") == 10, "what is bought needs no alert"
    assert numbers.keys() == set(get_args(OutcomeKind))


def test_customer_events_are_counted() -> None:
    told = [event("time_zone", on, time_zone="Europe/Prague") for on in range(3)]
    run = Run().work(*told, event("product_taken", 1, product="card"))
    assert run.value("tracker_customer_events_total") == 4
    assert run.by("tracker_outcomes_total", "outcome") == {}


class Kept(NamedTuple):
    """How a rule keeps alerts back, and how often."""

    rules: Rules
    work: Callable[[Run], object]
    times: int


KEYED = Rules((offer(),), Policy(control_share=0.3), control_key=b"k")
CONTROL = [name for name in (f"c{number}" for number in range(60)) if in_control(name, KEYED.policy, KEYED.control_key)]


def _answered(run: Run, what: str, times: int) -> None:
    """Offers that Ann answers so, and one salary more."""
    for on in range(times):
        run.work(salary(on))
        (_, entry) = run.store.outbox(7, 0, 1_000)[-1]
        alert_id = msgspec.json.decode(entry.value or b"")["alert_id"]
        run.work(outcome(what, on + 0.1, "savings") | {"alert_id": alert_id})
    run.work(salary(times))


def _without_uplift(run: Run) -> None:
    ledger = Ledger(None)
    for _ in range(2):
        ledger.made("savings", 0, 0, control=False, catalogue={})
    for _ in range(40):
        ledger.made("savings", 0, 0, control=True, catalogue={})
        ledger.taken("savings", 0, 0, control=True)
    at = run.ownership.partition.position
    run.store.commit(7, at, 0, at.clock, Changes({LEDGER: ledger.encoded()}))
    run.ownership.partition.claim()
    run.work(salary(0))


SAVINGS = (offer(),)
SUPPRESSED: dict[str, Kept] = {
    "kill_switch": Kept(
        Rules(SAVINGS, Policy(kill=["next_best_offer"])), lambda run: run.work(salary(0), salary(2)), 2
    ),
    "control_group": Kept(KEYED, lambda run: run.work(*(salary(0, name) for name in CONTROL)), len(CONTROL)),
    "dry_run": Kept(
        Rules(SAVINGS, Policy(dry_run=["next_best_offer"])), lambda run: run.work(salary(0), salary(2), salary(4)), 3
    ),
    "held": Kept(
        Rules(SAVINGS), lambda run: run.work(event("product_taken", 0, product="savings")).work(salary(1), salary(3)), 2
    ),
    "cooldown": Kept(Rules((offer(cooldown_days=30),)), lambda run: run.work(*map(salary, range(5))), 4),
    "declined": Kept(Rules(SAVINGS), lambda run: _answered(run, "declined", 1), 1),
    "ignored": Kept(Rules(SAVINGS, Policy(ignored_max=2)), lambda run: _answered(run, "ignored", 2), 1),
    "consent": Kept(
        Rules((offer(channel="sms"),), Policy(consent_required=["sms"])), lambda run: run.work(salary(0)), 1
    ),
    "cap": Kept(Rules(SAVINGS, Policy(caps=[Cap(2, 90)])), lambda run: run.work(*map(salary, range(0, 12, 2))), 4),
    "budget": Kept(
        Rules((offer(budget=24),), partitions=8), lambda run: run.work(*(salary(0, f"c{n}") for n in range(5))), 2
    ),
    "no_uplift": Kept(Rules(SAVINGS), _without_uplift, 1),
    "contacts_full": Kept(
        Rules(SAVINGS, Policy(caps=[Cap(32, 20), Cap(32, 90, channel="post")])),
        lambda run: run.work(*map(salary, range(CONTACTS_MAX + 6))),
        6,
    ),
    "expired": Kept(Rules(SAVINGS), lambda run: run.work(salary(0), salary(1), now=day(15)), 2),
    "history": Kept(
        Rules(SAVINGS, Policy(announce_from=datetime.fromtimestamp(day(2) / 1_000, UTC))),
        lambda run: run.work(salary(0), salary(1), salary(2)),
        2,
    ),
}


@pytest.mark.parametrize("rule", SUPPRESSION_REASONS)
def test_alerts_that_were_not_sent_are_counted_by_their_rule(rule: str) -> None:
    kept = SUPPRESSED[rule]
    run = Run(kept.rules)
    kept.work(run)
    assert run.by("tracker_alerts_suppressed_total", "rule") == {rule: kept.times}


def test_silences_that_two_models_judge_are_counted_by_what_each_said() -> None:
    """All are silent for the same time, some more often than others: the two models differ in what they make of it."""
    rules = Rules(churn=by_hand(-9.0, 4.0), challenger=by_hand(-7.0, 3.5))
    silent = [booked(on, -5, "purchase", customer=f"s{n}") for on in range(0, 24, 3) for n in range(4)]
    run = Run(rules).work(*silent).work(*busy(90))
    looks = run.by("tracker_churn_looks_total", "champion", "challenger")
    assert set(looks) <= set(product(BANDS, BANDS))
    assert sum(looks.values()) % 4 == 0
    assert looks["high", "high"] >= 4
    assert Run(Rules(churn=by_hand(-9.0, 4.0))).work(*silent).work(*busy(90)).by(
        "tracker_churn_looks_total", "champion", "challenger"
    ) == {}  # fmt: skip


class Failing(MemoryStore):
    """Answers the next commit with this error."""

    failure: Exception | None = None

    def answered(self) -> None:
        super().answered()
        if self.failure is not None:
            raise self.failure


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("fenced", Fenced("a newer owner")),
        ("moved", Moved("an older copy")),
        ("unavailable", StoreUnavailable("Redis cannot be reached")),
    ],
)
def test_a_refused_commit_is_counted_by_its_reason_and_nothing_of_its_batch_is(reason: str, failure: Exception) -> None:
    store = Failing()
    run = Run(Rules(SAVINGS), store).work(salary(0))
    before = everything_but_times(run)
    store.failure = failure
    run.work(salary(2), salary(2), ("transactions", b"ann", b"{"))
    assert run.by("tracker_commits_refused_total", "reason") == {reason: 1}
    assert run.refused == [type(failure)]
    changed = everything_but_times(run).items() - before.items()
    assert {name for name, _ in changed} == {f'tracker_commits_refused_total{{"reason": "{reason}"}}'}


def everything_but_times(run: Run) -> dict[str, float]:
    """Each series but those of the steps' times."""
    return {
        f"{sample.name}{msgspec.json.encode(sample.labels).decode().replace(':', ': ')}": sample.value
        for metric in run.registry.collect()
        for sample in metric.samples
        if sample.name.startswith("tracker_") and not sample.name.startswith("tracker_step_seconds")
    }


def test_each_batch_is_one_commit_and_counts_its_records_a_tick_that_changes_nothing_is_none() -> None:
    run = Run().work(salary(0), salary(1), salary(2)).work(salary(3)).work(now=day(3)).work(measure=True)
    assert run.value("tracker_commits_total") == 2
    assert run.value("tracker_batch_events_count") == 2
    assert run.value("tracker_batch_events_sum") == 4
    assert run.value("tracker_batch_events_bucket", le="1.0") == 1
    run.work(event("time_zone", 1, time_zone="Europe/Prague"))
    assert run.value("tracker_commits_total") == 3
    assert run.value("tracker_batch_events_count") == 2, "batches of transactions"


def test_each_step_of_a_turn_is_timed_once() -> None:
    run = Run().work(salary(0)).work(salary(1))
    times = {
        step: run.value("tracker_step_seconds_count", step=step) for step in ("decode", "load", "decide", "commit")
    }
    assert set(times.values()) == {2}


def test_what_is_measured_of_a_partition_is_what_stands_in_the_store() -> None:
    run = Run(Rules(SAVINGS))
    run.work(*(booked(on, -5, "purchase", customer=name) for on in range(0, 24, 3) for name in ("ann", "bob")))
    run.work(salary(24, "cyd"), salary(24, "dan"), salary(24, "eve"), measure=True)
    assert run.store.depths(7) == (2, 3), "those who come regularly, and alerts"
    assert run.value("tracker_due_customers", partition="7") == 2
    assert run.value("tracker_outbox_entries", partition="7") == 3
    assert run.value("tracker_committed_timestamp_seconds", partition="7") == PUBLISHED_AT / 1_000
    assert run.ownership.working.next_due == run.ownership.partition.looked_at(cast(int, run.store.next_due(7)))
