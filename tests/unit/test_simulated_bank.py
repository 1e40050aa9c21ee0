"""Offers at the simulated bank, whose customers answer in a way that is known: what is promised holds, and the lift of
offers over the control group is found again."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from commands.offers import SHIPPED, catalogue
from handlers.contact.history import CONTROL, alert_bytes
from handlers.contact.rules import in_control
from handlers.state.row_table import LEDGER
from learning.chance import Chance
from learning.simulator import simulate
from schemas.alert import Alert
from schemas.policy import Policy
from schemas.units import DAY_MS, HOUR_MS, parse_rfc3339
from tests.fast import Fast
from tests.laws.test_decisions import broken_caps

CUSTOMERS, DAYS, SEED = 700, 240, 23
UNASKED, OFFERED = 0.10, 0.32
"""How likely a customer takes a product in the time of an offer: without being made it, and when it is made."""

OFFERS, SHIPPED_POLICY = catalogue(SHIPPED)
POLICY = Policy(caps=SHIPPED_POLICY.caps, quiet_from="21:00", quiet_to="08:00", control_share=0.35, decline_days=180)


class Answers:
    """What customers say to offers, a few hours later, and what they take of their own accord."""

    def __init__(self) -> None:
        self._chance = Chance(SEED, purpose=9)
        self._seen: set[bytes] = set()

    def to(self, run: Fast, alerts: list[Alert]) -> Iterator[dict[str, Any]]:
        """The records of the day after."""
        for alert in alerts:
            if alert.offer is not None and alert.status == "raised":
                yield from self._answer(alert)
        for customer, row in run.rows.items():
            if customer == LEDGER or not in_control(customer, run.rules.policy, run.rules.control_key) or not row:
                continue
            for contact in run.dealings(customer).contacts:
                if contact.mode == CONTROL and contact.alert not in self._seen:
                    self._seen.add(contact.alert)
                    if self._happens(UNASKED):
                        said = {"record": "alert-outcomes", "offer_id": contact.offer_id, "outcome": "bought"}
                        yield said | {"customer_id": customer, "occurred_at": contact.at + 5 * HOUR_MS}

    def _answer(self, alert: Alert) -> Iterator[dict[str, Any]]:
        assert alert.offer is not None
        assert alert_bytes(alert.alert_id) not in self._seen
        self._seen.add(alert_bytes(alert.alert_id))
        at = parse_rfc3339(alert.not_before or alert.raised_at)
        said = {"record": "alert-outcomes", "offer_id": alert.offer.offer_id, "alert_id": alert.alert_id}
        said |= {"customer_id": alert.customer_id}
        yield said | {"outcome": "shown", "occurred_at": at + HOUR_MS}
        what = "accepted" if self._happens(OFFERED) else "declined" if self._happens(0.3) else "ignored"
        yield said | {"outcome": what, "occurred_at": at + 2 * HOUR_MS}

    def _happens(self, probability: float) -> bool:
        return bool(self._chance.happens(1, probability)[0])


@pytest.fixture(scope="module")
def bank() -> tuple[Fast, list[dict[str, Any]]]:
    """The bank after its days, and every outcome that was told."""
    run, answers, told = Fast(offers=OFFERS, policy=POLICY, control_key=b"bank"), Answers(), []
    days = groupby(simulate(CUSTOMERS, DAYS, SEED), key=lambda event: str(event["occurred_at"])[:10])
    for _, events in days:
        before = len(run.alerts)
        run.feed([{**event, "occurred_at": parse_rfc3339(str(event["occurred_at"]))} for event in events])
        new = list(answers.to(run, run.alerts[before:]))
        run.feed(new)
        told += new
    return run, told


def test_no_cap_is_broken_and_no_alert_is_without_a_reason(bank: tuple[Fast, list[dict[str, Any]]]) -> None:
    run, _ = bank
    raised = [alert for alert in run.alerts if alert.status == "raised"]
    assert len(raised) > 1_000
    assert broken_caps(run.alerts, POLICY) == 0
    assert [alert for alert in run.alerts if not alert.reasons or not all(r.sentence for r in alert.reasons)] == []
    assert len({alert.alert_id for alert in run.alerts}) == len(run.alerts)


def test_the_control_group_gets_no_offer_and_everybody_else_may(bank: tuple[Fast, list[dict[str, Any]]]) -> None:
    run, _ = bank
    asked = {alert.customer_id for alert in run.alerts if alert.offer is not None}
    control = {name for name in run.rows.keys() - {LEDGER} if in_control(name, run.rules.policy, run.rules.control_key)}
    assert 0.25 < len(control) / CUSTOMERS < 0.45
    assert asked & control == set()
    assert len(asked) > 0.6 * (CUSTOMERS - len(control))
    assert run.suppressed["control_group"] > 200


def test_nobody_is_asked_again_what_they_declined(bank: tuple[Fast, list[dict[str, Any]]]) -> None:
    run, told = bank
    declined = {(o["customer_id"], o["offer_id"]): o["occurred_at"] for o in told if o["outcome"] == "declined"}
    assert declined
    for alert in run.alerts:
        if alert.offer is not None and alert.status == "raised":
            at = declined.get((alert.customer_id, alert.offer.offer_id))
            moment = parse_rfc3339(alert.raised_at)
            assert at is None or moment <= at or moment - at >= POLICY.decline_days * DAY_MS


def test_the_lift_of_offers_over_the_control_group_is_found_again(bank: tuple[Fast, list[dict[str, Any]]]) -> None:
    run, told = bank
    ledger = run.ledger()
    made, taken, made_c, taken_c = 0, 0, 0, 0
    for one in OFFERS:
        counts = ledger.of(one.offer_id)
        made, taken = made + counts.made[0], taken + counts.made[1]
        made_c, taken_c = made_c + counts.control[0], taken_c + counts.control[1]
    what = Counter(outcome["outcome"] for outcome in told)
    assert (taken, taken_c) == (what["accepted"], what["bought"])
    assert made == sum(alert.offer is not None and alert.status == "raised" for alert in run.alerts)
    lift, true = taken / made - taken_c / made_c, OFFERED - UNASKED
    deviation = (OFFERED * (1 - OFFERED) / made + UNASKED * (1 - UNASKED) / made_c) ** 0.5
    assert made > 1_000
    assert made_c > 300
    assert deviation < 0.025
    assert abs(lift - true) < 3 * deviation
