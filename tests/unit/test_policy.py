"""Policy: what keeps an alert back, exactly up to the moment at which it no longer does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.contact.history import SUPPRESSION_REASONS
from handlers.contact.quiet_hours import after_quiet
from handlers.contact.rules import in_control
from handlers.engine.rules import Rules
from handlers.offers.counts import share_of_budget
from schemas.alert import Alert
from schemas.policy import CONTACTS_MAX, Cap, Policy
from schemas.units import parse_rfc3339, rfc3339
from tests.bank import booked, day, event, offer, offered, outcome, salary
from tests.fast import Fast


def dates(alerts: list[Alert]) -> list[str]:
    """The days on which offers were raised."""
    return [alert.raised_at[5:10] for alert in alerts if alert.offer is not None and alert.status == "raised"]


def test_a_cap_counts_over_any_so_many_days_back_from_the_moment_of_contact() -> None:
    policy = Policy(caps=[Cap(2, 10, kind="next_best_offer")])
    run = Fast(offers=(offer(),), policy=policy).feed([salary(on) for on in (0, 4, 5, 9, 10, 13, 14, 23)])
    # 0 and 4 fill ten days; 10 is the first after 0 has left, 14 the first after 4 has
    assert dates(run.alerts) == ["02-29", "03-04", "03-10", "03-14", "03-23"]
    assert run.suppressed == {"cap": 3}


def test_a_cap_of_a_channel_lets_other_channels_through() -> None:
    offers = (offer("call", 900, channel="phone", propensity=0.999), offer("mail", 1, channel="post"))
    run = Fast(offers=offers, policy=Policy(caps=[Cap(1, 30, channel="phone")]))
    assert offered(run.feed([salary(on) for on in (0, 5, 30)]).alerts) == ["call", "mail", "call"]


def test_a_cap_of_a_kind_counts_that_kind_and_one_without_counts_all() -> None:
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    for cap, raised in ((Cap(1, 60), 0), (Cap(1, 60, kind="next_best_offer"), 1)):
        run = Fast(offers=(offer(),), policy=Policy(caps=[cap])).feed([*visits, salary(24), day(60)])
        assert [alert.kind for alert in run.alerts].count("next_best_offer") == 1
        assert [alert.kind for alert in run.alerts].count("churn_risk") == raised


@pytest.mark.parametrize(("minutes", "comes"), [(0, False), (1, True)])
def test_an_offer_whose_campaign_is_over_when_the_quiet_hours_end_is_not_made(minutes: int, comes: bool) -> None:
    policy = Policy(quiet_from="10:00", quiet_to="14:00")
    ends = datetime(2024, 3, 2, 14, minutes, tzinfo=UTC)
    run = Fast(offers=(offer("x", 900, valid_to=ends), offer("y", 1)), policy=policy).feed([salary(2)])
    assert offered(run.alerts) == ["x" if comes else "y"]
    alone = Fast(offers=(offer("x", valid_to=ends),), policy=policy).feed([salary(2)])
    assert [alert.not_before for alert in alone.alerts] == (["2024-03-02T14:00:00.000Z"] if comes else [])
    assert alone.suppressed == {}


def test_a_cap_of_none_lets_none_through() -> None:
    assert Fast(offers=(offer(),), policy=Policy(caps=[Cap(0, 1)])).feed([salary(0)]).alerts == []


def test_consent_is_needed_where_it_is_required_and_a_withdrawal_always_counts() -> None:
    mail = (offer(channel="email"),)
    needed = Policy(consent_required=["email"])
    given, withdrawn = (
        event(f"consent_{what}", on, channel="email") for what, on in (("given", 1.5), ("withdrawn", 3.5))
    )
    stream = [salary(1), given, salary(2), salary(3), withdrawn, salary(4)]
    run = Fast(offers=mail, policy=needed).feed(stream)
    assert dates(run.alerts) == ["03-02", "03-03"]
    assert run.suppressed == {"consent": 2}
    assert dates(Fast(offers=mail).feed(stream).alerts) == ["03-01", "03-02", "03-03"]
    older = event("consent_given", 3.4, channel="email")
    assert dates(Fast(offers=mail).feed([*stream, older, salary(5)]).alerts) == ["03-01", "03-02", "03-03"]


def test_what_stands_is_taken_back_when_consent_is_withdrawn() -> None:
    stream = [salary(1), event("consent_withdrawn", 2, channel="email")]
    offer_1, back = Fast(offers=(offer(channel="email"),)).feed(stream).alerts
    assert (back.status, back.supersedes, back.reasons[0].code) == ("retracted", offer_1.alert_id, "consent_withdrawn")
    assert (back.cause.topic, back.cause.event_id) == ("customer-events", "consent_withdrawn-2")
    expired = [salary(1), event("consent_withdrawn", 16, channel="email")]
    assert len(Fast(offers=(offer(channel="email", valid_days=14),)).feed(expired).alerts) == 1


def test_an_offer_that_was_declined_is_not_made_again_for_so_many_days() -> None:
    run = Fast(offers=(offer(),), policy=Policy(decline_days=10)).feed([salary(0)])
    run.feed([outcome("declined", 1, "savings", run.alerts[0]), *(salary(on) for on in (2, 10, 11))])
    assert dates(run.alerts) == ["02-29", "03-11"]
    assert run.suppressed == {"declined": 2}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_last_that_was_ignored_says_how_long_an_offer_is_not_made_again(times: int) -> None:
    run = Fast(offers=(offer(),), policy=Policy(ignored_max=times, ignored_days=30))
    for number in range(times):
        (alert,) = run.feed([salary(3 * number)]).alerts[number:]
        run.feed([outcome("ignored", 3 * number + 1, "savings", alert)])
    last = 3 * times - 2
    assert len(run.feed([salary(last + 29)]).alerts) == times
    assert run.suppressed == {"ignored": 1}
    assert len(run.feed([salary(last + 30)]).alerts) == times + 1


def test_an_offer_that_was_ignored_often_enough_in_a_row_is_not_made_again() -> None:
    run = Fast(offers=(offer(),), policy=Policy(ignored_max=2, ignored_days=30))
    for on, what in ((0, "ignored"), (1, "accepted"), (2, "ignored"), (3, "ignored")):
        run.feed([salary(on)])
        run.feed([outcome(what, on + 0.5, "savings", run.alerts[-1])])
    run.feed([salary(on) for on in (4, 20, 33.4, 33.5)])
    assert dates(run.alerts) == ["02-29", "03-01", "03-02", "03-03", "04-03"]
    assert run.suppressed == {"ignored": 3}


@pytest.mark.parametrize(
    ("zone", "at", "then"),
    [
        ("UTC", "2026-01-10T20:59:59Z", None),
        ("UTC", "2026-01-10T21:00:00Z", "2026-01-11T08:00:00Z"),
        ("UTC", "2026-01-11T07:59:59.999Z", "2026-01-11T08:00:00Z"),
        ("UTC", "2026-01-11T08:00:00Z", None),
        ("Asia/Shanghai", "2026-01-10T13:00:00Z", "2026-01-11T00:00:00Z"),
        ("Asia/Shanghai", "2026-01-10T12:59:00Z", None),
        ("America/New_York", "2026-07-11T01:30:00Z", "2026-07-11T12:00:00Z"),
        # the clocks go forward in this night: 8 o'clock comes an hour sooner
        ("Europe/Prague", "2026-03-28T22:00:00Z", "2026-03-29T06:00:00Z"),
        ("Europe/Prague", "2026-10-24T22:00:00Z", "2026-10-25T07:00:00Z"),
    ],
)
def test_quiet_hours_end_by_the_customers_own_clock(zone: str, at: str, then: str | None) -> None:
    policy = Policy(quiet_from="21:00", quiet_to="08:00")
    assert after_quiet(policy, zone, parse_rfc3339(at)) == parse_rfc3339(then or at)


@pytest.mark.parametrize(
    ("at", "then"),
    [
        ("2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z"),  # 1:30; 2:30 comes for the first time in an hour
        ("2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:30:00Z", None),
        ("2026-10-25T01:10:00Z", None),  # 2:10 for the second time: they are over, and never end before they are asked
        ("2026-10-25T01:29:59.500Z", None),
        ("2026-10-25T01:30:00Z", None),
    ],
)
def test_quiet_hours_that_end_within_the_repeated_hour_end_when_it_comes_first(at: str, then: str | None) -> None:
    """In Prague the clocks go from 3:00 back to 2:00 at 1:00 UTC."""
    policy = Policy(quiet_from="22:00", quiet_to="02:30")
    assert rfc3339(after_quiet(policy, "Europe/Prague", parse_rfc3339(at))) == rfc3339(parse_rfc3339(then or at))


def test_quiet_hours_that_begin_and_end_within_the_repeated_hour_never_end_before_they_are_asked() -> None:
    policy = Policy(quiet_from="02:10", quiet_to="02:50")
    for minute in range(180):
        at = parse_rfc3339("2026-10-24T23:30:00Z") + minute * 60_000
        then = after_quiet(policy, "Europe/Prague", at)
        assert 0 <= then - at <= 40 * 60_000
    assert after_quiet(policy, "Europe/Prague", parse_rfc3339("2026-10-25T00:20:00Z")) == parse_rfc3339(
        "2026-10-25T00:50:00Z"
    )


def test_quiet_hours_within_a_day() -> None:
    policy = Policy(quiet_from="12:00", quiet_to="14:30", time_zone="Europe/Prague")
    assert rfc3339(after_quiet(policy, "", parse_rfc3339("2026-01-10T11:00:00Z"))) == "2026-01-10T13:30:00.000Z"
    assert rfc3339(after_quiet(policy, "", parse_rfc3339("2026-01-10T13:30:00Z"))) == "2026-01-10T13:30:00.000Z"


def test_an_offer_decided_in_quiet_hours_may_not_be_acted_on_before_they_end() -> None:
    policy = Policy(quiet_from="19:00", quiet_to="09:00", caps=[Cap(1, 1)])
    stream = [salary(0), event("time_zone", 1, time_zone="Asia/Tokyo"), salary(2), salary(2.5)]
    offers = (offer(value=900, valid_days=3, propensity=0.999), offer("other", 1))
    first, second = Fast(offers=offers, policy=policy).feed(stream).alerts  # a third would come within a day of another
    assert first.not_before is None
    # noon UTC is 21:00 in Tokyo; 9:00 there is midnight UTC
    assert (second.raised_at, second.not_before) == ("2024-03-02T12:00:00.000Z", "2024-03-03T00:00:00.000Z")
    assert second.expires_at == "2024-03-06T00:00:00.000Z"


def test_the_control_group_gets_no_offers_and_what_it_would_have_got_is_known() -> None:
    policy = Policy(control_share=0.3, caps=[Cap(1, 10)])
    names = [f"c{number}" for number in range(400)]
    run = Fast(offers=(offer(),), policy=policy, control_key=b"k")
    run.feed([salary(on, name) for on in (0, 5, 10) for name in names])
    control = {name for name in names if in_control(name, run.rules.policy, run.rules.control_key)}
    assert 90 < len(control) < 150
    assert {alert.customer_id for alert in run.alerts} == set(names) - control
    assert run.suppressed == {"control_group": 2 * len(control), "cap": len(names)}
    assert run.ledger().of("savings").control == (2 * len(control), 0)
    assert run.ledger().of("savings").made == (2 * (len(names) - len(control)), 0)
    name = min(control)
    assert [SUPPRESSION_REASONS[s.rule] for s in run.dealings(name).suppressions] == [
        "control_group",
        "cap",
        "control_group",
    ]


def test_the_control_group_sticks_grows_with_its_share_and_depends_on_the_key() -> None:
    names = [f"c{number}" for number in range(2_000)]

    def group(share: float, key: bytes) -> set[str]:
        rules = Rules(policy=Policy(control_share=share), control_key=key)
        return {name for name in names if in_control(name, rules.policy, rules.control_key)}

    assert group(0.0, b"a") == set()
    assert group(0.1, b"a") < group(0.2, b"a")
    assert len(group(0.1, b"a") & group(0.1, b"b")) < 50
    assert 150 < len(group(0.1, b"b")) < 250


def test_churn_alerts_of_the_control_group_are_sent_without_an_offer() -> None:
    everybody = Policy(control_share=0.5)
    stay = offer("stay", when=(), retention=True)
    visits = [booked(on, -5, "purchase", customer=name) for on in range(0, 24, 3) for name in "abcdefghijkl"]
    run = Fast(offers=(stay,), policy=everybody, control_key=b"k").feed([*visits, day(60)])
    kinds = {alert.customer_id: set() for alert in run.alerts}  # type: dict[str, set[str]]
    for alert in run.alerts:
        kinds[alert.customer_id].add(alert.kind)
    assert kinds == {
        name: {"churn_risk"}
        if in_control(name, run.rules.policy, run.rules.control_key)
        else {"churn_risk", "next_best_offer"}
        for name in "abcdefghijkl"
    }
    assert len({frozenset(found) for found in kinds.values()}) == 2


def test_a_kind_that_is_killed_or_dry_sends_nothing_and_tells_so() -> None:
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    stream = [*visits, salary(22), salary(25), day(90), booked(100, -5, "purchase")]
    both: Any = ["churn_risk", "next_best_offer"]
    killed = Fast(offers=(offer(cooldown_days=30),), policy=Policy(kill=both)).feed(stream)
    assert killed.alerts == []
    assert killed.suppressed == {"kill_switch": 3}
    dry = Fast(offers=(offer(cooldown_days=30),), policy=Policy(dry_run=both)).feed(stream)
    assert dry.alerts == []
    # decided as if it were real: the second salary falls into the cooldown of the first
    assert dry.suppressed == {"dry_run": 2, "cooldown": 1}
    assert dry.ledger().of("savings").spent == 0
    assert [(SUPPRESSION_REASONS[s.rule], s.offer_id) for s in dry.dealings("ann").suppressions] == [
        ("dry_run", "savings"),
        ("cooldown", "savings"),
        ("dry_run", ""),
    ]


def test_what_was_sent_is_taken_back_though_its_kind_has_been_killed_since() -> None:
    run = Fast(offers=(offer("stay", when=(), retention=True, valid_days=60),))
    run.feed([booked(on, -5, "purchase") for on in range(0, 24, 3)]).feed([day(60)])
    run.rules = Rules(run.rules.offers, Policy(kill=["churn_risk", "next_best_offer"]))
    run.feed([booked(70, -5, "purchase")])
    assert [alert.status for alert in run.alerts] == ["raised", "raised", "retracted", "retracted"]


def test_a_dry_run_leaves_nothing_that_holds_real_offers_back() -> None:
    run = Fast(offers=(offer(cooldown_days=30),), policy=Policy(dry_run=["next_best_offer"], caps=[Cap(1, 30)]))
    run.feed([salary(0)])
    run.rules = Rules(run.rules.offers, Policy(caps=[Cap(1, 30)]))
    assert dates(run.feed([salary(1)]).alerts) == ["03-01"]


def test_a_budget_is_spent_to_the_last_and_no_further() -> None:
    offers = (offer("few", 900, budget=3, propensity=0.999), offer("many", 1))
    run = Fast(offers=offers).feed([salary(0, f"c{number}") for number in range(5)])
    assert offered(run.alerts) == ["few", "few", "few", "many", "many"]
    assert run.alerts[4].runners_up[0].lost_by == "budget"


@pytest.mark.parametrize(("budget", "partitions"), [(0, 3), (1, 8), (7, 8), (10, 3), (100, 7), (8, 8)])
def test_the_parts_of_a_budget_add_up_to_the_whole(budget: int, partitions: int) -> None:
    for name in ("a", "b", "c"):
        parts = [share_of_budget(offer(name, budget=budget), partitions, number) for number in range(partitions)]
        assert sum(part or 0 for part in parts) == budget
        assert max(part or 0 for part in parts) - min(part or 0 for part in parts) <= 1
    assert share_of_budget(offer(), partitions, 0) is None


def test_all_partitions_together_spend_a_budget_and_no_more() -> None:
    made = 0
    for number in range(4):
        run = Fast(number, offers=(offer(budget=10),), partitions=4)
        made += len(run.feed([salary(0, f"c{number}") for number in range(20)]).alerts)
    assert made == 10


def test_a_history_that_is_full_holds_back_rather_than_forget_what_caps_count() -> None:
    run = Fast(offers=(offer(),), policy=Policy(caps=[Cap(32, 20), Cap(32, 90, channel="post")]))
    run.feed([salary(on) for on in range(CONTACTS_MAX + 40)])
    assert len(run.dealings("ann").contacts) == CONTACTS_MAX
    assert run.suppressed == {"contacts_full": len(range(CONTACTS_MAX, 90))}


def test_a_churn_alert_that_was_not_sent_is_not_taken_back() -> None:
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    run = Fast(offers=(), policy=Policy(kill=["churn_risk"])).feed([*visits, day(60), booked(70, -5, "purchase")])
    assert run.alerts == []
