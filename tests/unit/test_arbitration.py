"""Among several offers: which wins, which are told as runners-up, and what is noted where all are kept back."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.contact.history import SUPPRESSION_REASONS
from schemas.offer import Condition
from schemas.policy import Policy
from tests.bank import booked, day, offer, offered, salary
from tests.fast import Fast

SURE = {"propensity": 1 - 1e-9}
"""Believed to be taken always, so that value decides."""
NOON = datetime.fromtimestamp(day(0) / 1000, UTC)


def test_an_offer_whose_time_has_not_come_or_is_over_gives_way_to_one_that_has_its_time() -> None:
    timed = offer("timed", 900, valid_from=NOON + timedelta(days=1), valid_to=NOON + timedelta(days=3), **SURE)
    always = offer("always", 1, **SURE)
    run = Fast(offers=(timed, always)).feed([salary(number) for number in range(5)])
    assert offered(run.alerts) == ["always", "timed", "timed", "always", "always"]
    assert [len(alert.runners_up) for alert in run.alerts] == [0, 1, 1, 0, 0]


def test_of_the_offers_that_lost_the_nearest_three_are_told() -> None:
    offers = [offer(f"o{value}", value, **SURE) for value in (5, 1, 4, 2, 3)]
    (alert,) = Fast(offers=tuple(offers)).feed([salary(0)]).alerts
    assert offered([alert]) == ["o5"]
    assert [each.offer_id for each in alert.runners_up] == ["o4", "o3", "o2"]


def test_where_everything_that_fits_is_kept_back_the_one_of_the_highest_value_is_noted() -> None:
    """Value less cost, times weight: 300, 400 and 350."""
    offers = (
        offer("a", 300, channel="email"),
        offer("b", 900, cost_minor=100, weight=0.5, channel="email"),
        offer("c", 350, channel="email"),
        offer("d", 9_000, eligibility=[Condition("balance", "above", value=1)], channel="email"),
    )
    run = Fast(offers=offers, policy=Policy(consent_required=["email"])).feed([salary(0)])
    assert run.alerts == []
    (noted,) = run.dealings("ann").suppressions
    assert (SUPPRESSION_REASONS[noted.rule], noted.offer_id, noted.at) == ("consent", "b", day(0))


def test_who_may_have_an_offer_is_no_reason_for_it() -> None:
    known = [Condition("balance", "at_least", value=100)]
    told = offer("x", eligibility=known, applicability=known, suitability=[Condition("balance", "above", value=1)])
    (alert,) = Fast(offers=(told,)).feed([booked(0, 100, "salary", balance=100)]).alerts
    assert [(reason.code, reason.sentence) for reason in alert.reasons] == [
        ("salary", "A salary has arrived."),
        ("balance", "Latest known balance over all accounts: 1.00 EUR, at least 1.00 EUR."),
        ("balance", "Latest known balance over all accounts: 1.00 EUR, more than 0.01 EUR."),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "limit"),
    [
        ("EUR", "34.00 EUR", "10,000,000,000,000.00 EUR"),
        ("JPY", "3,400 JPY", "1,000,000,000,000,000 JPY"),
        ("KWD", "3.400 KWD", "1,000,000,000,000.000 KWD"),
    ],
)
def test_money_in_reasons_and_runners_up_has_its_currency_and_the_decimals_of_it(
    currency: str, amount: str, limit: str
) -> None:
    made = offer("made", 900, suitability=[Condition("balance", "at_least", of="balance", times=1)], **SURE)
    lost = offer("lost", 1, suitability=[Condition("balance", "above", value=1e15)], **SURE)
    run = Fast(offers=(made, lost), base_currency=currency)
    (alert,) = run.feed([booked(0, 100, "salary", balance=3_400) | {"currency": currency}]).alerts
    assert alert.reasons[-1].sentence == f"Latest known balance over all accounts: {amount}, at least {amount}."
    assert [one.why for one in alert.runners_up] == [
        f"Latest known balance over all accounts: {amount}; more than {limit} is asked for."
    ]


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("at_least", [False, True, True]),
        ("above", [False, False, True]),
        ("at_most", [True, True, False]),
        ("below", [True, False, False]),
    ],
)
def test_each_operator_holds_on_its_side_of_the_limit(operator: str, holds: list[bool]) -> None:
    """Alone an offer is asked by the kernel; beside one that fits, by what tells the reasons."""
    limited = offer("limited", 900, suitability=[Condition("balance", operator, value=100)], **SURE)  # type: ignore[arg-type]
    for balance, made in zip((99, 100, 101), holds, strict=True):
        paid = [booked(0, 100, "salary", balance=balance)]
        alone = Fast(offers=(limited,)).feed(paid)
        assert (len(alone.alerts), alone.unfitting) == ((1, 0) if made else (0, 1))
        beside = Fast(offers=(limited, offer("other", 1, **SURE))).feed(paid)
        assert offered(beside.alerts) == ["limited" if made else "other"]
        unknown = Fast(offers=(limited, offer("other", 1, **SURE))).feed([salary(0)])
        assert offered(unknown.alerts) == ["other"]


def test_the_first_group_that_fails_is_told_eligibility_before_the_others() -> None:
    never = [Condition("balance", "above", value=1e15)]
    both = offer("both", 900, eligibility=never, applicability=never, suitability=never)
    (alert,) = Fast(offers=(offer("a", 1), both)).feed([booked(0, 100, "salary", balance=5)]).alerts
    assert [each.lost_by for each in alert.runners_up] == ["eligibility"]


def test_of_two_offers_of_the_same_priority_the_first_by_name_wins() -> None:
    for names in (("a", "b"), ("b", "a")):
        offers = tuple(offer(name, 0) for name in names)
        (alert,) = Fast(offers=offers).feed([salary(0)]).alerts
        assert offered([alert]) == ["a"]


def test_an_offer_to_stay_has_the_weight_of_a_churn_risk_only_at_one() -> None:
    """At a salary it counts as any other."""
    offers = (offer("stay", 100, retention=True, **SURE), offer("other", 101, **SURE))
    policy = Policy(context={"salary": 0.5, "churn_risk": 4.0})
    assert offered(Fast(offers=offers, policy=policy).feed([salary(0)]).alerts) == ["other"]


def test_an_offer_that_a_churn_risk_asks_for_and_that_does_not_fit_is_counted() -> None:
    stay = offer("stay", 100, when=("churn_risk",), eligibility=[Condition("balance", "above", value=1)], **SURE)
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    run = Fast(offers=(stay,)).feed([*visits, day(60)])
    assert ([alert.kind for alert in run.alerts], run.unfitting) == (["churn_risk"], 1)
