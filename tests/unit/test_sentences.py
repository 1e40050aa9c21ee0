"""What alerts say of conditions: as somebody at the bank would, in both languages where there are words for it."""

import pytest

from handlers.aggregates.columns import BY_CHANNEL, Operator
from handlers.aggregates.features import DAYS_30, FEATURES, Feature
from handlers.offers.catalog import read_catalog
from handlers.offers.sentences import told
from schemas.offer import Condition, Offer, Texts
from schemas.transaction import CHANNELS
from tests.bank import booked, offer, salary
from tests.fast import Fast

SURE = {"propensity": 1 - 1e-9}


def lost_by(one: Condition, *events: dict[str, object]) -> tuple[str, str | None]:
    """What is said of an offer with this condition, beside one that is made."""
    offers = (offer("a", 1, **SURE), offer("b", 900, applicability=[one]))
    alert = Fast(offers=offers).feed([*events, salary(3)]).alerts[-1]
    (loser,) = alert.runners_up
    return loser.why, loser.why_zh


def reasons(one: Condition, *events: dict[str, object]) -> list[tuple[str, str | None]]:
    """What is said of one that holds."""
    (alert,) = Fast(offers=(offer("b", 900, applicability=[one]),)).feed([*events, salary(3)]).alerts
    return [(reason.sentence, reason.sentence_zh) for reason in alert.reasons[1:]]


BILL = booked(1, -100, "bill_payment", channel="mobile")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            Condition("share_channel_mobile_90d", "at_most", value=0),
            (
                "Already banks by mobile phone: 50% of the transactions in 90 days.",
                "已经使用手机银行，占90天交易的50%。",
            ),
        ),
        (
            Condition("share_type_bill_payment_90d", "below", value=0.2),
            ("Already has bill payments: 50% of the transactions in 90 days.", "已经有账单缴费，占90天交易的50%。"),
        ),
        (
            Condition("share_channel_card_90d", "at_least", value=0.3),
            ("Does not pay by card; at least 30% is asked for.", "尚未用卡支付。"),
        ),
        (
            Condition("share_channel_mobile_90d", "at_least", value=0.8),
            (
                "Banks by mobile phone, but for 50% of the transactions in 90 days only; at least 80% is asked for.",
                "使用手机银行，但只占90天交易的50%。",
            ),
        ),
        (Condition("balance", "above", value=100), ("Latest known balance over all accounts is not known.", None)),
        (
            Condition("count_90d", "at_least", value=6),
            ("Transactions in 90d: 2; at least 6 is asked for.", None),
        ),
    ],
    ids=["already", "already of a type", "never", "too little", "unknown", "a figure"],
)
def test_why_an_offer_does_not_fit(condition: Condition, said: tuple[str, str | None]) -> None:
    assert lost_by(condition, BILL) == said


def test_why_one_fits() -> None:
    assert reasons(Condition("share_type_loan_payment_90d", "at_most", value=0), BILL) == [
        ("Has no loan payments.", "没有贷款还款。")
    ]
    assert reasons(Condition("share_channel_mobile_90d", "at_least", value=0.3), BILL) == [
        ("Banks by mobile phone: 50% of the transactions in 90 days.", "使用手机银行，占90天交易的50%。")
    ]
    assert reasons(Condition("count_90d", "at_least", value=2), BILL) == [("Transactions in 90d: 2, at least 2.", None)]


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_there_are_words_for_every_figure_that_a_condition_may_name(feature: Feature, holds: bool) -> None:
    for value in (None, 0.0, 0.25):
        for operator in ("at_least", "below"):
            said = told(feature, Condition(feature.name, operator, value=0.5), value, 0.5, "EUR", holds=holds)
            assert said.en


def test_a_share_is_said_with_the_days_that_it_is_of() -> None:
    lately = Feature("share_lately", Operator.SHARE, BY_CHANNEL[CHANNELS.index("card")], DAYS_30, "Share by card")
    said = told(lately, Condition("share_lately", "at_least", value=0.2), 0.25, 0.2, "EUR", holds=True)
    assert said == Texts("Pays by card: 25% of the transactions in 30 days", "用卡支付，占30天交易的25%")


def test_the_banks_own_words_come_first() -> None:
    words = {"if_so": Texts("Pays bills with us", "在我行缴费"), "if_not": Texts("Pays no bills here yet.")}
    assert reasons(Condition("share_type_bill_payment_90d", "above", value=0, **words), BILL) == [
        ("Pays bills with us.", "在我行缴费。")
    ]
    assert lost_by(Condition("share_type_bill_payment_90d", "above", value=0, **words)) == (
        "Pays no bills here yet.",
        None,
    )


def test_a_catalogue_may_hold_the_words() -> None:
    (one,) = read_catalog(
        """
        [[offer]]
        offer_id = "app"
        product = "App"
        text = "Try the app."
        value_minor = 1
        when = ["salary"]
        [[offer.suitability]]
        feature = "share_channel_mobile_90d"
        operator = "at_most"
        value = 0
        if_not = { en = "Already has the app", zh = "已经在用手机银行" }
        """
    ).offers
    assert isinstance(one, Offer)
    assert one.suitability[0].if_not == Texts("Already has the app", "已经在用手机银行")
