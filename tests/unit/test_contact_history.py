"""What is remembered of a customer's contacts, for how long, and whom an answer or a withdrawal concerns."""

import pytest

from handlers.contact.history import (
    CONTROL,
    DECLINED,
    IGNORED,
    OPEN,
    RETRACTED,
    SENT,
    SUPPRESSION_REASONS,
    Contact,
    ContactHistory,
)
from handlers.contact.rules import in_control
from schemas.offer import CONTACT_CHANNELS, Offer
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS
from tests.bank import booked, day, event, offer, offered, outcome, salary
from tests.fast import Fast

ALERT = bytes(range(16))
VISITS = [booked(on, -5, "purchase") for on in range(0, 24, 3)]


def contact(answer: int = OPEN, answered: float = 0, valid_days: int = 14, offer_id: str = "savings") -> Contact:
    """Made at day 0 at noon."""
    answered_at = day(answered) if answered else 0
    return Contact(ALERT, offer_id, "s", day(0), 0, valid_days, 0, SENT, 0, answer, answered_at)


@pytest.mark.parametrize(
    ("made", "policy", "offers", "until"),
    [
        (contact(), Policy(), (), 90),
        (contact(), Policy(caps=[Cap(1, 150)]), (), 150),
        (contact(), Policy(caps=[Cap(1, 30)]), (), 90),
        (contact(), Policy(), (offer(cooldown_days=300),), 300),
        (contact(valid_days=365), Policy(), (), 365),
        (contact(DECLINED, 10), Policy(decline_days=180), (), 190),
        (contact(IGNORED, 10), Policy(ignored_days=120), (), 130),
        (contact(RETRACTED, 10), Policy(decline_days=180, ignored_days=180), (), 100),
    ],
    ids=["at least 90 days", "a cap", "a shorter cap", "cooldown", "it stands", "declined", "ignored", "retracted"],
)
def test_a_contact_is_remembered_as_long_as_a_rule_can_ask_for_it(
    made: Contact, policy: Policy, offers: tuple[Offer, ...], until: int
) -> None:
    known = {each.offer_id: each for each in offers}
    for at, left in ((day(until) - 1, [made]), (day(until), [])):
        dealings = ContactHistory([made])
        dealings.forget(at, policy, known)
        assert dealings.contacts == left, (at - day(0)) / DAY_MS


def test_a_churn_alert_that_stands_is_remembered_until_the_customer_is_back() -> None:
    standing, answered = contact(offer_id=""), contact(RETRACTED, 10, offer_id="")
    dealings = ContactHistory([standing, answered])
    dealings.forget(day(5_000), Policy(), {})
    assert dealings.contacts == [standing]


def test_the_last_three_that_were_not_sent_are_remembered_oldest_first() -> None:
    dealings = ContactHistory()
    for number, rule in enumerate(SUPPRESSION_REASONS[:5]):
        dealings.suppress(number, rule, f"offer-{number}")
    assert [(each.at, SUPPRESSION_REASONS[each.rule], each.offer_id) for each in dealings.suppressions] == [
        (2, "dry_run", "offer-2"),
        (3, "held", "offer-3"),
        (4, "cooldown", "offer-4"),
    ]


def test_of_more_than_32_products_the_one_of_the_longest_ago_is_forgotten() -> None:
    dealings = ContactHistory()
    for number in range(32):
        dealings.note_product(f"p{number}", 1_000 + number, taken=number != 1)
    dealings.note_product("p0", 2_000, taken=True)
    assert len(dealings.products) == 32
    dealings.note_product("new", 3_000, taken=True)
    assert (len(dealings.products), "p1" in dealings.products) == (32, False)
    assert dealings.holds("p0")
    assert dealings.holds("p2")
    assert dealings.holds("new")


def test_a_history_holds_64_contacts_and_then_keeps_back_offers_and_churn_alerts_alike() -> None:
    run = Fast(offers=(offer(),)).feed([salary(on) for on in range(64)])
    assert len(run.alerts) == len(run.dealings("ann").contacts) == 64
    assert run.suppressed == {}
    run.feed([salary(64), day(75)])
    assert len(run.alerts) == 64
    assert run.suppressed == {"contacts_full": 2}


def test_an_offer_that_has_expired_is_not_taken_back_when_the_customer_returns() -> None:
    for on, status in ((38, ["retracted", "retracted"]), (60, ["retracted"])):
        stay = offer("stay", when=(), retention=True, valid_days=14)
        run = Fast(offers=(stay,)).feed(VISITS).feed([day(36)])
        assert [alert.kind for alert in run.alerts] == ["churn_risk", "next_best_offer"]
        back = run.feed([booked(on, -5, "purchase")]).alerts[2:]
        assert [alert.status for alert in back] == status
        assert back[0].kind == "churn_risk"


def test_consent_withdrawn_for_one_channel_takes_back_what_stands_for_that_channel_alone() -> None:
    offers = (offer("mail", 900, channel="email", cooldown_days=90), offer("text", 1, channel="sms"))
    run = Fast(offers=offers).feed([salary(0), salary(1)])
    sent = {alert.offer.offer_id: alert.alert_id for alert in run.alerts if alert.offer}
    run.feed([event("consent_withdrawn", 2, channel="sms")])
    assert [alert.supersedes for alert in run.alerts[2:]] == [sent["text"]]


def test_only_the_channels_that_need_a_consent_wait_for_one() -> None:
    policy = Policy(consent_required=["email"])
    assert offered(Fast(offers=(offer(channel="sms"),), policy=policy).feed([salary(0)]).alerts) == ["savings"]
    assert offered(Fast(offers=(offer(channel="email"),), policy=policy).feed([salary(0)]).alerts) == []


def test_a_cap_counts_a_contact_by_when_its_quiet_hours_end() -> None:
    """Decided at noon, let out at 18:00; a day later at 14:24, by then outside the quiet hours, that is less than a
    day ago."""
    policy = Policy(quiet_from="11:00", quiet_to="18:00", caps=[Cap(1, 1)])
    moved = event("time_zone", 1, time_zone="Asia/Tokyo")
    run = Fast(offers=(offer(cooldown_days=0),), policy=policy).feed([salary(0), moved, salary(1.1), salary(1.3)])
    assert [alert.raised_at[5:16] for alert in run.alerts] == ["02-29T12:00", "03-01T19:12"]
    assert run.suppressed == {"cap": 1}


@pytest.mark.parametrize("channel", CONTACT_CHANNELS)
def test_a_churn_alert_counts_under_no_cap_of_a_channel(channel: str) -> None:
    stay = offer("stay", when=(), retention=True, channel=channel)
    policy = Policy(caps=[Cap(1, 60, channel=channel)])  # type: ignore[arg-type]
    run = Fast(offers=(stay,), policy=policy).feed([*VISITS, day(36)])
    assert [alert.kind for alert in run.alerts] == ["churn_risk", "next_best_offer"]


def halves(policy: Policy, **fields: object) -> tuple[Fast, list[str]]:
    """Twenty customers to whom one offer would be made, and those of them in the control group."""
    names = [f"c{number}" for number in range(20)]
    run = Fast(offers=(offer(**fields),), policy=policy).feed([salary(0, name) for name in names])
    return run, [name for name in names if in_control(name, run.rules.policy, run.rules.control_key)]


def test_in_a_dry_run_the_control_group_is_still_the_control_group() -> None:
    run, control = halves(Policy(control_share=0.5, dry_run=["next_best_offer"]))
    assert 0 < len(control) < 20
    assert run.suppressed == {"control_group": len(control), "dry_run": 20 - len(control)}
    assert run.ledger().of("savings").control == (len(control), 0)


def test_what_the_control_group_takes_counts_once_and_only_while_the_offer_would_have_stood() -> None:
    run, control = halves(Policy(control_share=0.5), valid_days=14)
    first, second = control[:2]
    taken = [event(f"product_{what}", on, first, product="savings") for what, on in (("taken", 1), ("closed", 2))]
    run.feed([*taken, event("product_taken", 3, first, product="savings")])
    assert run.ledger().of("savings").control == (len(control), 1)
    run.feed([event("product_taken", 14, second, product="savings")])
    assert run.ledger().of("savings").control == (len(control), 1)


def test_an_outcome_of_an_alert_that_the_control_group_never_got_is_unknown() -> None:
    run, control = halves(Policy(control_share=0.5))
    (never,) = run.dealings(control[0]).contacts
    assert never.mode == CONTROL
    said = outcome("accepted", 1, "savings", customer=control[0]) | {"alert_id": never.alert_id}
    run.feed([said])
    assert run.unmatched == 1
    assert run.ledger().of("savings").control == (len(control), 0)
    assert run.ledger().of("savings").made == (20 - len(control), 0)
