"""Next best offer: which moments count, what fits, which one wins, and how long it isn't repeated."""

from typing import Any

from schemas.alert import Alert
from schemas.offer import Condition, Offer
from schemas.units import DAY_MS, HOUR_MS
from tests.fast import Fast

START = 1_709_164_800_000  # 2024-02-29T00:00:00Z


def booked(day: int, amount: int, kind: str, channel: str = "online", balance: int | None = None) -> dict[str, Any]:
    """A booking at noon of a day counted from START."""
    at = START + day * DAY_MS + 12 * HOUR_MS
    fields = {"event_id": f"e-{day}-{kind}-{channel}", "customer_id": "ann", "account_id": "ann-1", "occurred_at": at}
    more = {} if balance is None else {"balance_minor": balance}
    return {**fields, "amount_minor": amount, "currency": "EUR", "type": kind, "channel": channel, **more}


def offer(
    name: str, value: int, when: list[Any], conditions: list[Condition] | None = None, cooldown: int = 30
) -> Offer:
    """An offer that is valid for 14 days."""
    return Offer(name, name.title(), f"Would {name} suit you?", value, when, conditions or [], cooldown, 14)


def offered(alerts: list[Alert]) -> list[str]:
    """The ids of the offers, in order."""
    return [alert.offer.offer_id for alert in alerts if alert.offer is not None]


def test_a_salary_is_a_moment_and_a_withdrawal_is_none() -> None:
    run = Fast(offers=(offer("savings", 100, ["salary"]),))
    assert run.feed([booked(0, -500, "withdrawal")]).alerts == []
    (alert,) = run.feed([booked(1, 200_000, "salary")]).alerts
    assert (alert.kind, alert.cause.event_id) == ("next_best_offer", "e-1-salary-online")
    assert [reason.code for reason in alert.reasons] == ["salary"]


def test_the_offer_of_highest_value_wins_and_ties_go_by_id() -> None:
    offers = (offer("b", 100, ["salary"]), offer("a", 100, ["salary"]), offer("c", 99, ["salary"]))
    assert offered(Fast(offers=offers).feed([booked(0, 100, "salary")]).alerts) == ["a"]


def test_the_next_best_comes_while_the_best_is_in_its_cooldown() -> None:
    offers = (offer("best", 200, ["salary"], cooldown=60), offer("next", 100, ["salary"], cooldown=10))
    salaries = [booked(day, 100, "salary") for day in (0, 30, 59, 60)]
    assert offered(Fast(offers=offers).feed(salaries).alerts) == ["best", "next", "next", "best"]


def test_nothing_is_offered_where_nothing_fits() -> None:
    rich = Condition("balance", "above", value=1_000_000)
    run = Fast(offers=(offer("invest", 100, ["salary"], [rich]),))
    assert run.feed([booked(0, 100, "salary", balance=1_000_000)]).alerts == []
    (alert,) = run.feed([booked(1, 1, "salary", balance=1_000_001)]).alerts
    reason = alert.reasons[1]
    assert (reason.code, reason.value) == ("balance", 1_000_001)
    assert reason.sentence == "Latest known balance over all accounts: 10,000.01, above 10,000.00."


def test_a_condition_over_a_missing_figure_does_not_hold() -> None:
    for operator in ("at_least", "at_most", "above", "below"):
        unknown = Condition("balance", operator, value=0)
        assert Fast(offers=(offer("x", 1, ["salary"], [unknown]),)).feed([booked(0, 1, "salary")]).alerts == []


def test_a_condition_compares_with_the_customers_own_figure() -> None:
    half = Condition("balance", "at_least", times=2.0, of="out_30d")
    run = Fast(offers=(offer("x", 1, ["salary"], [half]),))
    run.feed([booked(0, -500, "withdrawal"), booked(1, 100, "salary", balance=999)])
    assert run.alerts == []
    (alert,) = run.feed([booked(2, 100, "salary", balance=1_000)]).alerts
    assert alert.reasons[1].usual == 1_000.0


def test_a_credit_is_large_at_twice_the_largest_of_ninety_days() -> None:
    offers = (offer("invest", 1, ["large_credit"], cooldown=1),)
    first = [booked(0, 1_000, "deposit")]
    assert Fast(offers=offers).feed([*first, booked(5, 1_999, "deposit")]).alerts == []
    assert len(Fast(offers=offers).feed([*first, booked(5, 2_000, "deposit")]).alerts) == 1
    # 90 days on, the first deposit's day has left the window: there is nothing to compare with.
    assert Fast(offers=offers).feed([*first, booked(90, 9_000, "deposit")]).alerts == []


def test_a_channel_is_new_once_and_never_with_the_first_transaction() -> None:
    offers = (offer("app", 1, ["new_channel"], cooldown=1),)
    days = ((0, "counter"), (10, "counter"), (20, "mobile"), (30, "mobile"), (40, "counter"))
    run = Fast(offers=offers).feed([booked(day, -1, "purchase", channel) for day, channel in days])
    assert [alert.cause.event_id for alert in run.alerts] == ["e-20-purchase-mobile"]


def test_late_events_and_reversals_are_no_moments() -> None:
    run = Fast(offers=(offer("savings", 1, ["salary"], cooldown=1),))
    run.feed([booked(10, -1, "purchase"), booked(9, 100, "salary")])
    original = booked(20, 100, "salary")
    run.feed([original])
    undone = {**booked(21, -100, "salary"), "event_id": "r"}
    undone["reversal_of"] = {"event_id": original["event_id"], "occurred_at": original["occurred_at"]}
    run.feed([undone])
    assert [alert.cause.event_id for alert in run.alerts] == [original["event_id"]]
