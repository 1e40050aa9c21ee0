"""Laws of time: what comes a little late, far too early, or not at all for a while, tells nothing false of anybody."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.rules import Rules
from handlers.intake.events import Record
from handlers.intake.transactions import TransactionIntake
from learning.order import by_time
from learning.replay import Replay
from schemas.alert import Alert
from schemas.policy import Policy
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.store.memory_store import MemoryStore
from tests.bank import START, booked, offer
from tests.fast import Fast
from tests.partitions import claimed

NAMES = ("ann", "bob", "cid", "dora", "eve")
RULES = Rules((offer(when=["salary"], cooldown_days=1, valid_days=14),), Policy())

Json = dict[str, Any]


def paid(customer: str, at: float, kind: str = "purchase") -> Json:
    """One own transaction, so many days after START's noon."""
    return booked(at, 100 if kind == "salary" else -5, kind, customer=customer)


@st.composite
def banks(draw: st.DrawFn) -> list[Json]:
    """Customers who come on days of their own, one of whom leaves, in the order of time. A salary comes once in ten
    days, at another minute of each day for each, so that no two moments of a customer meet."""
    events = []
    for n, name in enumerate(NAMES):
        step, leaves = draw(st.integers(1, 3)), draw(st.integers(10, 60))
        for day in range(0, leaves if n == 0 else 60, step):
            minute = draw(st.integers(-700, 700))
            events.append(paid(name, day + minute / 1440 + n / 100_000))
            if day % 10 == n:
                events.append(paid(name, day + 0.3 + n / 1000, "salary"))
    return sorted(events, key=lambda event: event["occurred_at"])


def told(alerts: Sequence[Alert], but: str = "") -> list[tuple[str, ...]]:
    """What is said, whatever the order in which it is said and the figures at that moment."""
    return sorted(
        (alert.customer_id, alert.alert_id, alert.status, alert.raised_at, alert.expires_at)
        for alert in alerts
        if alert.customer_id != but
    )


@settings(max_examples=60, deadline=None)
@given(banks(), st.randoms(use_true_random=False))
def test_in_what_order_records_come_that_are_late_by_less_than_the_wait_changes_no_alert(
    events: list[Json], random: Any
) -> None:
    came = sorted(events, key=lambda event: event["occurred_at"] + random.randrange(HOUR_MS))
    end = [START + 70 * DAY_MS]
    in_order, late = (Fast(offers=RULES.offers, settle_hours=1).feed([*stream, *end]) for stream in (events, came))
    assert told(late.alerts) == told(in_order.alerts)
    assert {name: late.due.get(name) for name in NAMES} == {name: in_order.due.get(name) for name in NAMES}


@settings(max_examples=60, deadline=None)
@given(banks(), st.randoms(use_true_random=False))
def test_whoever_is_late_by_less_than_a_day_gets_the_offers_of_whoever_is_not(events: list[Json], random: Any) -> None:
    came = sorted(events, key=lambda event: event["occurred_at"] + random.randrange(DAY_MS))
    offered = [
        told([alert for alert in Fast(offers=RULES.offers).feed(stream).alerts if alert.kind == "next_best_offer"])
        for stream in (events, came)
    ]
    assert offered[0] == offered[1]
    assert offered[0]


def records(events: Sequence[tuple[Json, int]]) -> list[Record]:
    """Events with the Kafka timestamp of each."""
    return [
        Record(offset, stamp, event["customer_id"].encode(), msgspec.json.encode(event))
        for offset, (event, stamp) in enumerate(events)
    ]


@settings(max_examples=100, deadline=None)
@given(
    banks(),
    st.data(),
    st.one_of(st.integers(-DAY_MS, DAY_MS), st.integers(-400 * DAY_MS, 30_000 * DAY_MS)),
    st.sampled_from(["odd", "ann"]),
)
def test_one_record_of_any_date_changes_no_other_customers_alerts(
    events: list[Json], data: st.DataObject, ahead: int, customer: str
) -> None:
    stream = [(event, event["occurred_at"] + MINUTE_MS) for event in events]
    place = data.draw(st.integers(1, len(stream)))
    stamp = stream[place - 1][1]
    odd = paid(customer, 0) | {"occurred_at": max(1_000_000_000_000, stamp + ahead), "event_id": "odd"}
    runs = []
    for its in (stream, [*stream[:place], (odd, stamp), *stream[place:]]):
        at = claimed(MemoryStore(), RULES)
        done = [at.process(records(its), None), at.process([], START + 70 * DAY_MS)]
        runs.append(told([alert for one in done for alert in one.alerts], customer))
    assert runs[0] == runs[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.booleans())
def test_a_gap_of_the_feed_says_nothing_of_whoever_would_have_come(gap: int, ticks: bool) -> None:
    """The first of five leaves twelve days before the feed does; the others come every day, also after it is back."""
    before = [paid(name, day + n / 100) for day in range(30) for n, name in enumerate(NAMES) if n or day < 18]
    after = [paid(name, day + n / 100) for day in range(30 + gap, 40 + gap) for n, name in enumerate(NAMES) if n]
    at = claimed(MemoryStore(), RULES)
    stamped = records([(event, event["occurred_at"]) for event in [*before, *after]])
    done = [at.process(stamped[: len(before)], None)]
    for day in range(30, 30 + gap) if ticks else ():
        done.append(at.process([], START + day * DAY_MS))
    done += [at.process([record], None) for record in stamped[len(before) :]]
    said = [alert.customer_id for one in done for alert in one.alerts if alert.kind == "churn_risk"]
    assert said == ["ann"]


@settings(max_examples=30, deadline=None)
@given(banks(), st.randoms(use_true_random=False))
def test_a_file_in_any_order_is_replayed_as_a_stream_in_the_order_of_time(events: list[Json], random: Any) -> None:
    lines = [orjson.dumps(event) for event in events]
    mixed = random.sample(lines, len(lines))
    once, again = (Replay(TransactionIntake("t", "EUR", {}, keyed=False), RULES, "t", 7) for _ in range(2))
    alerts = list(once.alerts(lines))
    ordered, places = by_time(mixed)
    assert list(again.alerts(ordered)) == alerts
    assert once.rows == again.rows
    assert [mixed[place] for place in places] == lines == ordered
    astray = Replay(TransactionIntake("t", "EUR", {}, keyed=False), RULES, "t", 7)
    list(astray.alerts(sorted(lines, key=lambda line: orjson.loads(line)["customer_id"])))
    assert (once.order.is_stream, astray.order.is_stream) == (True, False)
