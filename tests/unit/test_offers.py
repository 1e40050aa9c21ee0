"""Next best offer: what fits, which one wins and why, and how long it isn't repeated."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.offer import Condition, Offer, Texts
from schemas.policy import Policy
from tests.bank import START, booked, day, offer, offered, outcome, salary
from tests.fast import Fast

SURE = {"propensity": 1 - 1e-9}
"""Believed to be taken always: its draw is 1 to eight digits, so that other factors decide."""


def test_an_offer_needs_its_moment() -> None:
    run = Fast(offers=(offer(),))
    assert run.feed([booked(0, -500, "withdrawal")]).alerts == []
    (alert,) = run.feed([salary(1)]).alerts
    assert (alert.kind, alert.status, alert.cause.event_id) == ("next_best_offer", "raised", "ann-1-salary-online-main")
    assert [reason.code for reason in alert.reasons] == ["salary"]


def test_priority_is_the_product_of_its_factors_and_the_highest_wins() -> None:
    offers = (
        offer("high", 1_000, cost_minor=200, weight=0.5, **SURE),
        offer("higher", 500, weight=1.0, **SURE),
        offer("costly", 900, cost_minor=899, **SURE),
        offer("unlikely", 100_000, propensity=1e-9),
    )
    (alert,) = Fast(offers=offers, policy=Policy(context={"salary": 2.0})).feed([salary(0)]).alerts
    assert alert.offer is not None
    assert alert.offer.offer_id == "higher"
    factors = alert.factors
    assert factors is not None
    assert (factors.context, factors.value_minor, factors.weight) == (2.0, 500, 1.0)
    assert factors.priority == pytest.approx(1_000, rel=1e-6)
    assert factors.propensity == pytest.approx(1, rel=1e-6)
    assert alert.score is None
    losers = ("high", "costly", "unlikely")
    assert [(r.offer_id, r.lost_by) for r in alert.runners_up] == [(name, "priority") for name in losers]
    assert alert.runners_up[0].factors is not None
    assert alert.runners_up[0].factors.priority == pytest.approx(800, rel=1e-6)
    assert alert.runners_up[0].why == "800 is less than 1,000"


def test_the_moment_that_speaks_most_for_an_offer_counts() -> None:
    both = offer("x", when=("salary", "large_credit"))
    run = Fast(offers=(both,), policy=Policy(context={"salary": 0.5, "large_credit": 3.0}))
    first, second = run.feed([salary(0), booked(3, 500, "salary")]).alerts
    assert first.factors is not None
    assert second.factors is not None
    assert (first.factors.context, second.factors.context) == (0.5, 3.0)
    assert [reason.code for reason in second.reasons] == ["salary", "large_credit"]


def test_the_next_best_comes_while_the_best_is_in_its_cooldown() -> None:
    offers = (offer("best", 200, cooldown_days=60, **SURE), offer("next", 100, cooldown_days=10, **SURE))
    run = Fast(offers=offers).feed([salary(number) for number in (0, 30, 59, 60)])
    assert offered(run.alerts) == ["best", "next", "next", "best"]
    assert [(r.offer_id, r.lost_by) for r in run.alerts[1].runners_up] == [("best", "cooldown")]


def test_all_three_groups_of_conditions_must_hold_and_the_first_that_does_not_is_told() -> None:
    never = [Condition("balance", "above", value=1e15)]
    groups = ("eligibility", "applicability", "suitability")
    offers = (offer("a", 1, **SURE), *(offer(group, 900, **{group: never}) for group in groups))
    (alert,) = Fast(offers=offers).feed([booked(0, 100, "salary", balance=5)]).alerts
    assert offered([alert]) == ["a"]
    assert {(r.offer_id, r.lost_by) for r in alert.runners_up} == {(group, group) for group in groups}
    assert alert.runners_up[0].why == (
        "Latest known balance over all accounts: 0.05 EUR; more than 10,000,000,000,000.00 EUR is asked for."
    )
    assert Fast(offers=offers[1:]).feed([salary(0)]).unfitting == 1


def test_a_reason_tells_the_figure_and_its_limit() -> None:
    rich = Condition("balance", "above", value=1_000_000)
    run = Fast(offers=(offer("invest", suitability=[rich]),))
    assert run.feed([booked(0, 100, "salary", balance=1_000_000)]).alerts == []
    (alert,) = run.feed([booked(1, 1, "salary", balance=1_000_001)]).alerts
    reason = alert.reasons[1]
    assert (reason.code, reason.value) == ("balance", 1_000_001)
    assert reason.sentence == "Latest known balance over all accounts: 10,000.01 EUR, more than 10,000.00 EUR."


def test_a_condition_over_a_missing_figure_does_not_hold() -> None:
    for operator in ("at_least", "at_most", "above", "below"):
        unknown = Condition("balance", operator, value=0)  # type: ignore[arg-type]
        assert Fast(offers=(offer("x", conditions=[unknown]),)).feed([salary(0)]).alerts == []


def test_a_condition_compares_with_the_customers_own_figure() -> None:
    half = Condition("balance", "at_least", times=2.0, of="out_30d")
    run = Fast(offers=(offer("x", conditions=[half]),))
    run.feed([booked(0, -500, "withdrawal"), booked(1, 100, "salary", balance=999)])
    assert run.alerts == []
    (alert,) = run.feed([booked(2, 100, "salary", balance=1_000)]).alerts
    assert alert.reasons[1].usual == 1_000.0


def test_an_offer_is_made_from_the_first_moment_of_its_time_up_to_the_last() -> None:
    noon = datetime.fromtimestamp(day(0) / 1000, UTC)
    timed = offer("x", valid_from=noon + timedelta(days=1), valid_to=noon + timedelta(days=3))
    run = Fast(offers=(timed,)).feed([salary(number) for number in range(5)])
    assert [alert.raised_at[:10] for alert in run.alerts] == ["2024-03-01", "2024-03-02"]
    assert run.unfitting == 0


def test_the_text_comes_in_the_languages_that_it_has() -> None:
    both = Offer("x", "X", Texts("Take it.", "请收下。"), 1, ["salary"], channel="sms")
    (alert,) = Fast(offers=(both,)).feed([salary(0)]).alerts
    assert alert.offer is not None
    assert (alert.offer.text, alert.offer.text_zh, alert.offer.channel) == ("Take it.", "请收下。", "sms")


def test_a_customer_who_may_be_leaving_gets_an_offer_to_stay_which_goes_with_the_churn_alert() -> None:
    stay = offer("stay", when=(), retention=True, valid_days=60)
    run = Fast(offers=(stay, offer("other")))
    run.feed([booked(number * 3, -5, "purchase") for number in range(8)])
    assert run.alerts == []
    run.feed([START + 60 * 86_400_000])
    churn, kept = run.alerts
    assert (churn.kind, kept.kind, offered([kept])) == ("churn_risk", "next_best_offer", ["stay"])
    assert kept.in_answer_to == churn.alert_id
    assert kept.cause.due_at == churn.cause.due_at
    assert [reason.code for reason in kept.reasons] == ["churn_risk"]
    run.feed([booked(70, -5, "purchase")])
    back, withdrawn = run.alerts[2:]
    assert (back.supersedes, withdrawn.supersedes) == (churn.alert_id, kept.alert_id)
    assert {back.status, withdrawn.status} == {"retracted"}


def test_late_events_and_reversals_are_no_moments() -> None:
    run = Fast(offers=(offer(),))
    run.feed([booked(10, -1, "purchase"), salary(9)])
    original = salary(20)
    run.feed([original])
    undone = {**booked(21, -100, "salary"), "event_id": "r"}
    undone["reversal_of"] = {"event_id": original["event_id"], "occurred_at": original["occurred_at"]}
    run.feed([undone])
    raised, taken_back = run.alerts
    assert (raised.status, raised.cause.event_id) == ("raised", original["event_id"])
    assert (taken_back.status, taken_back.supersedes) == ("retracted", raised.alert_id)


def test_what_was_taken_before_is_not_offered_again() -> None:
    run = Fast(offers=(offer("a", 900, product_code="p"), offer("b", 1))).feed([outcome("bought", 0, "a"), salary(1)])
    assert offered(run.alerts) == ["b"]
    assert [(r.offer_id, r.lost_by) for r in run.alerts[0].runners_up] == [("a", "held")]
