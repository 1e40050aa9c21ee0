"""What is over, or of a time long past, when it is decided: recorded and not sent; and history that comes late."""

from datetime import UTC, datetime

import pytest

from handlers.engine.rules import Rules
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS, HOUR_MS
from streams.store.memory_store import MemoryStore
from tests.bank import START, booked, day, offer, salary
from tests.fast import Fast
from tests.laws.test_time_laws import records
from tests.partitions import claimed

OFFER = offer(cooldown_days=30)


def test_an_offer_that_has_run_out_is_not_sent_and_keeps_no_later_one_back() -> None:
    """The worker was down: it reads a salary when the offer for it is over."""
    at = claimed(MemoryStore(), Rules((OFFER,), Policy(caps=[Cap(1, 60)])))
    late, next_one = (records([(salary(on), day(on))]) for on in (5, 32))
    missed = at.process(late, None, wall=day(26))
    assert (missed.alerts, dict(missed.suppressed)) == ([], {"expired": 1})
    (alert,) = at.process(next_one, None, wall=day(32)).alerts
    assert alert.cause.event_id == salary(32)["event_id"]


@pytest.mark.parametrize(("hours", "sent"), [(-1, 1), (0, 0)])
def test_an_offer_is_over_from_the_moment_on_at_which_it_expires(hours: int, sent: int) -> None:
    over = day(5) + OFFER.valid_days * DAY_MS
    done = claimed(MemoryStore(), Rules((OFFER,))).process(
        records([(salary(5), day(5))]), None, wall=over + hours * HOUR_MS
    )
    assert len(done.alerts) == sent


def test_a_silence_whose_alert_is_over_is_recorded_and_neither_sent_nor_taken_back() -> None:
    at = claimed(MemoryStore(), Rules(()))
    visits = records([(booked(on, -5, "purchase"), day(on)) for on in (*range(0, 24, 3), 70)])
    done = at.process(visits, None, wall=day(71))
    assert (done.alerts, dict(done.suppressed)) == ([], {"expired": 1})


def test_of_a_time_before_alerts_are_announced_nothing_is_sent() -> None:
    """A first load: offers and silences of before are recorded, those after are sent."""
    since = datetime.fromtimestamp(day(40) / 1_000, UTC)
    run = Fast(offers=(offer(),), policy=Policy(announce_from=since))
    run.feed([*(salary(on) for on in range(0, 24, 3)), *(salary(on) for on in (39, 40, 41))])
    assert [alert.cause.event_id for alert in run.alerts] == [salary(40)["event_id"], salary(41)["event_id"]]
    assert run.suppressed == {"history": 10}


def test_a_branch_whose_history_comes_late_is_judged_by_where_its_customers_stand() -> None:
    others = [booked(on, -1, "purchase", customer="bob") for on in (0, 180)]
    faithful = [booked(on, -5, "purchase") for on in range(1, 180, 2)]
    assert Fast(offers=(), settle_hours=1).feed([*others, *faithful, day(181), day(186)]).alerts == []


def test_a_customer_of_such_a_branch_who_left_is_told_of_once_as_in_order() -> None:
    bob = [booked(on, -1, "purchase", customer="bob") for on in (0, 180)]
    ann = [booked(on, -5, "purchase") for on in range(1, 170, 2)]
    in_order = Fast(offers=(), settle_hours=1).feed([bob[0], *ann, bob[1], day(183)])
    late = Fast(offers=(), settle_hours=1).feed([*bob, *ann, day(183)])
    assert [alert.alert_id for alert in late.alerts] == [alert.alert_id for alert in in_order.alerts]
    assert len(late.alerts) == 1


def test_a_postdated_booking_brings_its_offer_at_once_dated_by_when_it_came() -> None:
    at = claimed(MemoryStore(), Rules((OFFER,)))
    stamp = START + 40 * DAY_MS
    booking = salary(0) | {"occurred_at": stamp + 20 * HOUR_MS}
    (alert,) = at.process(records([(booked(30, -1, "purchase"), day(30)), (booking, stamp)]), None).alerts
    assert alert.raised_at == "2024-04-09T00:00:00.000Z"


def test_a_level_is_crossed_by_the_balance_that_is_the_accounts_newest_however_late_it_comes() -> None:
    limit = {"record": "customer-events", "event_id": "t", "customer_id": "ann", "kind": "product_taken"}
    limit |= {"product": "card", "product_kind": "card", "account_id": "ann/card", "limit_minor": 100_000}
    run = Fast(offers=(offer(when=["card_near_limit"]),))

    def used(on: float, balance: int) -> dict[str, object]:
        return booked(on, -1, "purchase", account="card", balance=balance)

    run.feed([used(0, -10_000), limit | {"occurred_at": day(0)}, booked(10, -1, "purchase"), used(5, -90_000)])
    assert [alert.cause.event_id for alert in run.alerts] == [used(5, 0)["event_id"]]
    run.feed([used(9, -10_000), used(8, -95_000)])
    assert len(run.alerts) == 1, "older than what is known of the account"


@pytest.mark.parametrize(("others_minutes", "alerts"), [(30, []), (90, ["churn_risk", "churn_risk"])])
def test_a_silence_waits_for_what_is_a_little_late(others_minutes: int, alerts: list[str]) -> None:
    """Ten minutes before the silence is one, the customer comes; it is known when others are further. Within the hour
    nothing is said; after it the alert is raised, and taken back."""
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    run = Fast(offers=(), settle_hours=1)
    run.feed(visits)
    due = run.due["ann"]
    other = booked(30, -1, "purchase", customer="bob") | {"occurred_at": due + others_minutes * 60_000}
    late = booked(31, -5, "purchase") | {"occurred_at": due - 600_000}
    run.feed([other, late])
    assert [alert.kind for alert in run.alerts] == alerts
