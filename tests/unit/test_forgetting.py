"""What a customer's row remembers of alerts and products: as long as a rule may ask for it, and to the day."""

import pytest

from handlers.contact.history import (
    DECLINED,
    IGNORED,
    OPEN,
    PRODUCTS_MAX,
    RETRACTED,
    SENT,
    SHOWN,
    SUPPRESSIONS_MAX,
    Contact,
    ContactHistory,
    sent_churn,
)
from handlers.offers.counts import OFFERS_KNOWN_MAX, Ledger
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS
from tests.bank import booked, day, event, offer, salary
from tests.fast import Fast

MADE = day(0)


def contact(answer: int = OPEN, answered_on: int = 0, delay_ms: int = 0, valid_days: int = 14) -> Contact:
    """An offer made on day 0."""
    answered_at = day(answered_on) if answered_on else 0
    return Contact(b"\1" * 16, "savings", "savings", MADE, delay_ms, valid_days, 0, SENT, 0, answer, answered_at)


def remembered(one: Contact, on: float, policy: Policy | None = None, cooldown_days: int = 1) -> bool:
    """Whether it is still there after that day's noon."""
    dealings = ContactHistory(contacts=[one])
    known = {"savings": offer(cooldown_days=cooldown_days)}
    dealings.forget(day(on), policy or Policy(decline_days=1, ignored_days=1), known)
    return dealings.contacts == [one]


@pytest.mark.parametrize(
    ("one", "policy", "cooldown_days", "days"),
    [
        (contact(), None, 1, 90),
        (contact(SHOWN, 20), None, 1, 110),  # from when it was answered
        (contact(delay_ms=DAY_MS), None, 1, 91),  # from when it reached the customer
        (contact(), Policy(caps=[Cap(1, 120), Cap(1, 7)]), 1, 120),
        (contact(), Policy(caps=[Cap(1, 7)]), 1, 90),
        (contact(DECLINED, 10), Policy(decline_days=200, ignored_days=300), 1, 210),
        (contact(IGNORED, 10), Policy(decline_days=200, ignored_days=300), 1, 310),
        (contact(SHOWN, 10), Policy(decline_days=200, ignored_days=300), 1, 100),
        (contact(), None, 365, 365),
        (contact(valid_days=150), None, 1, 150),  # it may still be acted on
        (contact(RETRACTED, 1), None, 1, 91),
    ],
)
def test_an_offer_is_remembered_to_the_day(one: Contact, policy: Policy | None, cooldown_days: int, days: int) -> None:
    assert remembered(one, days - 1e-7, policy, cooldown_days)
    assert not remembered(one, days, policy, cooldown_days)


def test_a_churn_alert_that_stands_is_never_forgotten_and_one_that_was_taken_back_is() -> None:
    assert remembered(sent_churn(MADE), 5_000)
    settled = sent_churn(MADE)
    settled.answer, settled.answered_at = RETRACTED, day(10)
    assert remembered(settled, 99)
    assert not remembered(settled, 100)


def test_what_is_forgotten_takes_nothing_else_with_it() -> None:
    old, young = contact(), contact(SHOWN, 89)
    dealings = ContactHistory(contacts=[old, young, old])
    dealings.forget(day(90), Policy(), {})
    assert dealings.contacts == [young]


def test_a_churn_alert_is_taken_back_however_long_the_customer_was_away() -> None:
    deposit = event("product_taken", 0.5, product="d", product_kind="deposit", account_id="ann/d", matures_at=day(214))
    visits = [booked(on, -5, "purchase") for on in range(0, 14, 2)]
    run = Fast(offers=(offer(when=("deposit_maturing",)),)).feed([visits[0], deposit, *visits[1:], day(210)])
    assert [alert.kind for alert in run.alerts] == ["churn_risk", "next_best_offer"]
    assert [alert.raised_at[:10] for alert in run.alerts] == ["2024-03-20", "2024-09-16"]
    back = run.feed([salary(260)]).alerts[2:]
    assert [(alert.kind, alert.supersedes) for alert in back] == [("churn_risk", run.alerts[0].alert_id)]


def test_the_ledger_knows_so_many_offers_and_drops_what_is_offered_no_more_longest_ago() -> None:
    ledger, catalogue = Ledger(None), {"old": offer("old")}
    ledger.made("old", 0, 1, control=False, catalogue=catalogue)
    for number in range(OFFERS_KNOWN_MAX - 1):
        ledger.made(f"o{number}", 0, 1_000 - number, control=False, catalogue=catalogue)
    assert OFFERS_KNOWN_MAX == 256
    last = f"o{OFFERS_KNOWN_MAX - 2}"
    assert all(ledger.of(name).spent == 1 for name in ("old", "o0", last))
    ledger.made("one more", 0, 1_000, control=True, catalogue=catalogue)
    assert [ledger.of(name).spent for name in ("old", "o0", last)] == [1, 1, 0]
    assert ledger.of("one more").control == (1, 0)


def test_the_last_few_reasons_why_not_are_kept() -> None:
    dealings = ContactHistory()
    for number in range(5):
        dealings.suppress(number, "cap", f"offer-{number}")
    assert SUPPRESSIONS_MAX == 3
    assert [(one.at, one.offer_id) for one in dealings.suppressions] == [(n, f"offer-{n}") for n in (2, 3, 4)]


def test_a_product_is_held_from_its_latest_word_whatever_order_they_come_in() -> None:
    dealings = ContactHistory()
    assert dealings.note_product("card", 100, taken=True)
    assert dealings.holds("card")
    assert not dealings.note_product("card", 99, taken=False)
    assert dealings.holds("card")
    assert dealings.note_product("card", 100, taken=False)  # of two at one moment the later to come counts
    assert not dealings.holds("card")
    assert not dealings.holds("loan")


def test_of_too_many_products_the_one_heard_of_longest_ago_gives_way() -> None:
    dealings = ContactHistory()
    for number in range(PRODUCTS_MAX):
        dealings.note_product(f"p{number}", 1_000 + number, taken=number != 1)
    dealings.note_product("p0", 5_000, taken=True)  # known already: nobody gives way
    assert len(dealings.products) == PRODUCTS_MAX == 32
    dealings.note_product("one more", 6_000, taken=True)
    assert len(dealings.products) == 32
    assert "p1" not in dealings.products  # closed, and longest ago
    assert dealings.holds("p0")
    assert dealings.holds("p2")
