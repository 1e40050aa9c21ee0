"""The laws of decisions: no cut into batches shows, caps and budgets hold, nothing is taken back but what was sent."""

import random
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from handlers.state.row_table import LEDGER
from learning.replay import Replay
from learning.simulator import simulate
from schemas.alert import Alert
from schemas.offer import CONTACT_CHANNELS
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS, parse_rfc3339
from tests.bank import offer
from tests.fast import TOPIC, Fast
from tests.streams_of_events import crowds, newest_moment

POLICY = Policy(
    caps=[Cap(1, 3), Cap(2, 20, kind="next_best_offer"), Cap(1, 30, channel="phone")],
    consent_required=["sms"],
    ignored_max=2,
    quiet_from="20:00",
    quiet_to="09:30",
    time_zone="Europe/Prague",
    control_share=0.2,
    tiers_minor=[10_000, 100_000],
)
OFFERS = (
    offer("savings", 5_000, ("salary", "large_credit", "tier_up"), budget=6, product_code="savings"),
    offer("advice", 9_000, ("large_credit", "idle_balance", "deposit_maturing"), channel="phone", cooldown_days=20),
    offer("card", 1_000, ("new_channel", "salary", "remittance"), channel="sms", propensity=0.5),
    offer("loan", 3_000, ("loan_nearly_repaid", "card_near_limit", "new_channel"), budget=4, channel="mobile"),
    offer("stay", 2_000, (), retention=True, channel="post", cooldown_days=60, valid_days=60),
)

_channels = st.sampled_from(CONTACT_CHANNELS)
_products = st.sampled_from(("savings", "card", "loan", "mortgage"))
_wait = st.integers(0, 30 * DAY_MS)
_told = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(("consent_given", "consent_withdrawn")), "channel": _channels}),
    st.fixed_dictionaries(
        {"kind": st.just("time_zone"), "time_zone": st.sampled_from(("Asia/Tokyo", "America/New_York", "UTC"))}
    ),
    st.fixed_dictionaries({"kind": st.just("product_taken"), "product": _products}),
    st.fixed_dictionaries({"kind": st.just("product_closed"), "product": _products, "account_id": st.just("C1/0")}),
    st.fixed_dictionaries(
        {
            "kind": st.just("product_taken"),
            "product": _products,
            "product_kind": st.just("deposit"),
            "account_id": st.sampled_from(("C1/0", "C1/1")),
            "matures_in": st.integers(-5 * DAY_MS, 400 * DAY_MS),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("product_taken"),
            "product": _products,
            "product_kind": st.sampled_from(("card", "loan")),
            "account_id": st.sampled_from(("C1/0", "C1/1")),
            "limit_minor": st.integers(1, 100_000),
            "amount_minor": st.integers(1, 100_000),
        }
    ),
)


@st.composite
def told_crowds(draw: st.DrawFn) -> list[dict[str, Any] | int]:
    """Transactions of some customers with customer events, products bought and heartbeats between them."""
    transactions = draw(crowds())
    stream: list[dict[str, Any] | int] = []
    clock = 0
    for number, transaction in enumerate(transactions):
        for place, told in enumerate(draw(st.lists(_told, max_size=1))):
            fields = dict(told)
            at = transaction["occurred_at"]
            if "matures_in" in fields:
                fields["matures_at"] = at + fields.pop("matures_in")
            named = {"record": "customer-events", "event_id": f"n-{number}-{place}", "occurred_at": at}
            stream.append(named | {"customer_id": transaction["customer_id"]} | fields)
        if draw(st.integers(0, 9)) == 0:
            bought = {"record": "alert-outcomes", "outcome": "bought", "offer_id": draw(_products)}
            stream.append(
                bought | {"customer_id": transaction["customer_id"], "occurred_at": clock or 1_709_164_800_000}
            )
        stream.append(transaction)
        clock = max(clock, transaction["occurred_at"])
        if draw(st.integers(0, 9)) == 0:
            clock += draw(_wait)
            stream.append(clock)
    return [*stream, max(clock, newest_moment(transactions)) + draw(st.integers(0, 300 * DAY_MS))]


def fed(stream: list[dict[str, Any] | int], sizes: list[int]) -> Fast:
    """The stream through the fast path."""
    return Fast(offers=OFFERS, policy=POLICY, control_key=b"key").feed(stream, sizes)


@settings(max_examples=250)
@given(told_crowds(), st.lists(st.integers(1, 9), max_size=60))
def test_the_cut_into_batches_does_not_show_in_decisions(stream: list[dict[str, Any] | int], sizes: list[int]) -> None:
    whole = fed(stream, [])
    for other in (fed(stream, sizes), fed(stream, [1] * len(stream))):
        assert other.alerts == whole.alerts
        assert other.rows == whole.rows
        assert other.due == whole.due
        assert other.suppressed == whole.suppressed
        assert (other.unfitting, other.unmatched) == (whole.unfitting, whole.unmatched)


@settings(max_examples=100)
@given(st.lists(told_crowds(), min_size=2, max_size=3), st.integers(1, 40))
def test_partitions_that_step_together_come_to_the_same_as_each_by_itself(
    streams: list[list[dict[str, Any] | int]], size: int
) -> None:
    def opened(number: int) -> Fast:
        return Fast(number, offers=OFFERS, policy=POLICY, control_key=b"key")

    alone = [opened(number).feed(stream) for number, stream in enumerate(streams)]
    together, engine = [opened(number) for number in range(len(streams))], Engine(TOPIC)
    for start in range(0, max(map(len, streams)), size):
        parts = [fast.part(stream[start : start + size]) for fast, stream in zip(together, streams, strict=True)]
        for fast, outcome in zip(together, engine.steps(parts, together[0].rules), strict=True):
            fast.take(outcome)
    assert [fast.alerts for fast in together] == [fast.alerts for fast in alone]
    assert [fast.digest() for fast in together] == [fast.digest() for fast in alone]


def contact_at(alert: Alert) -> int:
    """When it may reach the customer."""
    return parse_rfc3339(alert.not_before or alert.raised_at)


def broken_caps(alerts: list[Alert], policy: Policy) -> int:
    """Times that more was sent than a cap allows, counted from the alerts alone."""
    broken = 0
    for cap in policy.caps:
        times: dict[str, list[int]] = {}
        for alert in alerts:
            channel = None if alert.offer is None else alert.offer.channel
            if alert.status == "raised" and cap.kind in (None, alert.kind) and cap.channel in (None, channel):
                times.setdefault(alert.customer_id, []).append(contact_at(alert))
        for moments in times.values():
            broken += sum(
                sum(at - cap.days * DAY_MS < other <= at for other in moments) > cap.at_most for at in moments
            )
    return broken


@settings(max_examples=250)
@given(told_crowds())
def test_what_is_sent_keeps_to_caps_budgets_and_the_control_group(stream: list[dict[str, Any] | int]) -> None:
    run = fed(stream, [])
    assert broken_caps(run.alerts, POLICY) == 0
    raised = [alert for alert in run.alerts if alert.status == "raised"]
    made = Counter(alert.offer.offer_id for alert in raised if alert.offer is not None)
    for one in OFFERS:
        assert made[one.offer_id] == run.ledger().of(one.offer_id).spent <= (one.budget or 10**9)
    sent = {alert.alert_id for alert in raised}
    assert len(sent) == len(raised)
    back = [alert.supersedes for alert in run.alerts if alert.status == "retracted"]
    assert len(set(back)) == len(back)
    assert set(back) <= sent
    assert all(alert.reasons for alert in run.alerts)


def a_mixed_file() -> list[bytes]:
    """A simulated bank's lines with consents, products and outcomes between them."""
    chance = random.Random(3)
    lines = []
    for number, transaction in enumerate(simulate(customers=40, days=200, seed=11)):
        customer, at = transaction["customer_id"], transaction["occurred_at"]
        if chance.random() < 0.02:
            kind = chance.choice(("consent_given", "consent_withdrawn"))
            told: dict[str, object] = {"record": "customer-events", "event_id": f"n{number}", "kind": kind}
            told |= {"channel": chance.choice(CONTACT_CHANNELS), "customer_id": customer, "occurred_at": at}
            lines.append(orjson.dumps(told))
        if chance.random() < 0.01:
            told = {"record": "alert-outcomes", "customer_id": customer, "offer_id": "savings", "occurred_at": at}
            told["outcome"] = chance.choice(("bought", "declined"))  # the second is refused: it names no alert
            lines.append(orjson.dumps(told))
        lines.append(orjson.dumps(transaction))
    return lines


def replayed(lines: list[bytes], batch: int) -> tuple[list[bytes], dict[str, bytes], Counter[str], list[int]]:
    """Everything that a replay of the lines comes to."""
    rules = Rules(OFFERS, POLICY, control_key=b"key")
    run = Replay(TransactionIntake("transactions", "EUR", {}, keyed=False), rules, "transactions", batch)
    alerts = [orjson.dumps(repr(alert)) for alert in run.alerts(lines)]
    return alerts, run.rows, run.suppressed, [letter.offset for letter in run.dead_letters]


def test_replay_of_a_file_with_every_kind_of_line_is_the_same_for_every_batch() -> None:
    lines = a_mixed_file()
    whole = replayed(lines, len(lines))
    assert len(whole[0]) > 100
    assert whole[3]
    assert LEDGER in whole[1]
    for batch in (1, 7, 500):
        assert replayed(lines, batch) == whole


@pytest.mark.parametrize("value", [None, 1, "transactions", "other"])
def test_a_line_is_a_transaction_unless_its_record_names_another_topic(value: object) -> None:
    line = {"event_id": "e", "customer_id": "c", "account_id": "a", "occurred_at": 1_709_164_800_000, "amount_minor": 1}
    line |= {"currency": "EUR", "type": "salary", "channel": "atm", "record": value}
    run = Replay(TransactionIntake("transactions", "EUR", {}, keyed=False), Rules(), "transactions", 10)
    assert list(run.alerts([orjson.dumps(line)])) == []
    assert run.events == 1
