"""Moments: each comes exactly when its rule says, and not a step before."""

from typing import Any

import pytest

from schemas.policy import Policy
from tests.bank import booked, day, event, offer, salary
from tests.fast import Fast

Stream = list[dict[str, Any] | int]


def came(name: str, stream: Stream, policy: Policy | None = None) -> list[str | None]:
    """The events, or due times, that brought the moment."""
    run = Fast(offers=(offer("x", when=(name,)),), policy=policy).feed(stream)
    offers = [alert for alert in run.alerts if alert.offer is not None]
    assert all(alert.reasons[0].code == name for alert in offers)
    return [alert.cause.event_id or alert.cause.due_at for alert in offers]


def test_a_salary_is_a_credit_of_that_type() -> None:
    assert came("salary", [booked(0, -5, "salary"), booked(1, 5, "deposit"), salary(2)]) == [salary(2)["event_id"]]


def test_a_credit_is_large_at_twice_the_largest_of_ninety_days() -> None:
    first, below, at = booked(0, 1_000, "deposit"), booked(5, 1_999, "deposit"), booked(5, 2_000, "deposit")
    assert came("large_credit", [first, below]) == []
    assert came("large_credit", [first, at]) == [at["event_id"]]
    assert came("large_credit", [first, booked(89, 9_000, "deposit")]) != []
    assert came("large_credit", [first, booked(60, 100, "deposit"), booked(89, 1_999, "deposit")]) == []
    same = [booked(0.5, 1_999, "deposit"), booked(0.5, 2_000, "deposit")]
    assert [came("large_credit", [first, one]) for one in same] == [[], [same[1]["event_id"]]]


def test_after_a_quarter_without_a_credit_one_is_large_beside_what_came_in_before() -> None:
    once, again, spent = booked(0, 1_000, "deposit"), booked(0.1, 500, "deposit"), booked(60, -1, "withdrawal")
    # 90 days on, the deposits' day has left the window; on one day 1,500 came in, so no credit was more.
    for on, amount, comes in ((95, 2_999, False), (95, 3_000, True), (400, 2_999, False), (400, 3_000, True)):
        late = booked(on, amount, "deposit")
        assert came("large_credit", [once, again, spent, late]) == ([late["event_id"]] if comes else [])
    assert came("large_credit", [spent, booked(95, 9_000, "deposit")]) == []


def test_a_channel_is_new_once_and_never_with_the_first_transaction() -> None:
    days = ((0, "counter"), (10, "counter"), (20, "mobile"), (30, "mobile"), (40, "counter"))
    stream = [booked(number, -1, "purchase", channel) for number, channel in days]
    assert came("new_channel", [*stream]) == [stream[2]["event_id"]]


@pytest.mark.parametrize("kind", ["interest", "fee"])
def test_a_channel_that_the_bank_books_by_is_neither_new_nor_used(kind: str) -> None:
    stream = [booked(0, -1, "purchase", "online"), booked(5, 37, kind, "automatic")]
    assert came("new_channel", [*stream]) == []
    order = booked(9, -5, "bill_payment", "automatic")
    assert came("new_channel", [*stream, order]) == [order["event_id"]]
    first = [booked(0, 37, kind, "automatic"), booked(1, -1, "purchase", "online")]
    assert came("new_channel", [*first]) == []


def test_the_third_remittance_in_ninety_days_and_those_after_it_are_a_pattern() -> None:
    sent = [booked(number, -50, "remittance") for number in (0, 40, 90, 100, 129)]
    # on day 90 the first has left the window; on day 100 three are in it
    assert came("remittance", [*sent]) == [sent[3]["event_id"], sent[4]["event_id"]]


@pytest.mark.parametrize(("low", "comes"), [(199, False), (200, True)])
def test_a_balance_is_idle_at_twice_what_was_paid_out_in_thirty_days(low: int, comes: bool) -> None:
    # periods of 30 days are counted from the customer's first transaction: the second begins on day 60
    stream = [
        booked(0, 1, "deposit", balance=-5_000),
        booked(42, -100, "withdrawal", balance=low),
        booked(50, 1, "deposit", balance=900),
        booked(59, 1, "deposit", balance=900),
        booked(60, 1, "deposit", balance=900),
        booked(61, 1, "deposit", balance=900),
    ]
    assert came("idle_balance", [*stream]) == ([stream[4]["event_id"]] if comes else [])


def test_a_balance_of_a_customer_of_less_than_thirty_days_is_not_idle() -> None:
    for last, comes in ((47.9, False), (48, True)):
        stream = [booked(18, -1, "withdrawal"), booked(30, -1, "withdrawal", balance=900), booked(last, 1, "deposit")]
        assert bool(came("idle_balance", [*stream])) is comes


def test_a_balance_that_was_last_reported_more_than_thirty_days_ago_still_lies_there() -> None:
    stream = [booked(on, 1, "deposit", balance=balance) for on, balance in ((0, 900), (30, 900))]
    assert came("idle_balance", [*stream]) == [stream[1]["event_id"]]
    spent = booked(29, -500, "withdrawal")
    assert came("idle_balance", [stream[0], spent, stream[1]]) == []


@pytest.mark.parametrize(("balance", "comes"), [(0, False), (1, True)])
def test_a_balance_lies_idle_where_nothing_is_spent_at_all(balance: int, comes: bool) -> None:
    stream = [booked(on, 1, "deposit", balance=balance) for on in (0, 20, 31)]
    assert came("idle_balance", [*stream]) == ([stream[2]["event_id"]] if comes else [])


def test_customers_are_asked_for_an_idle_balance_each_in_their_own_period() -> None:
    asked = []
    for first in range(0, 30, 3):
        stream = [booked(first + on, 1, "deposit", balance=900) for on in range(0, 60, 3)]
        (event,) = came("idle_balance", [*stream])[:1]
        asked.append([one["event_id"] for one in stream].index(str(event)))
    assert asked == [10] * 10


def test_a_card_is_near_its_limit_when_its_balance_crosses_eight_tenths() -> None:
    card = event("product_taken", 0, product="card", product_kind="card", account_id="ann/card", limit_minor=1_000)
    balances = (-799, -800, -900, -100, -801)
    bought = [
        booked(number + 1, -1, "purchase", "card", balance, account="card") for number, balance in enumerate(balances)
    ]
    other = booked(9, -1, "purchase", "card", -5_000)
    assert came("card_near_limit", [card, *bought, other]) == [bought[1]["event_id"], bought[4]["event_id"]]
    assert came("card_near_limit", [*bought, other]) == []
    closed = event("product_closed", 1.5, product="card", account_id="ann/card")
    assert came("card_near_limit", [card, bought[0], closed, *bought[1:]]) == []


def test_a_loan_is_nearly_repaid_when_a_tenth_is_left() -> None:
    loan = event("product_taken", 0, product="loan", product_kind="loan", account_id="ann/loan", amount_minor=1_000)
    paid = [
        booked(number + 1, 300, "loan_payment", "automatic", balance, account="loan")
        for number, balance in enumerate((-700, -101, -100, 0))
    ]
    assert came("loan_nearly_repaid", [loan, *paid]) == [paid[2]["event_id"]]


def deposit(on: float, account: str, matures: float) -> dict[str, Any]:
    """A deposit is taken."""
    fields = {"product": account, "product_kind": "deposit", "account_id": account, "matures_at": day(matures)}
    return event("product_taken", on, **fields)


def test_a_deposit_is_looked_at_two_weeks_before_it_matures_also_when_nothing_happens() -> None:
    first = booked(0.9, -1, "purchase")
    taken = [deposit(1, "a", 100), deposit(1, "b", 50), deposit(1, "c", 0.5)]  # the last has matured already
    due = ["2024-04-05T12:00:00.000Z", "2024-05-25T12:00:00.000Z"]
    assert came("deposit_maturing", [first, *taken, day(200)]) == due
    closed = event("product_closed", 2, product="a", account_id="a")
    assert came("deposit_maturing", [first, taken[0], closed, day(200)]) == []


def test_a_product_that_is_closed_without_its_account_is_no_longer_watched() -> None:
    first = booked(0.9, -1, "purchase")
    card = event("product_taken", 1, product="gold", product_kind="card", account_id="ann/card", limit_minor=1_000)
    bought = booked(5, -1, "purchase", "card", -900, account="card")
    assert came("card_near_limit", [first, card, event("product_closed", 2, product="gold"), bought]) == []
    other = event("product_closed", 2, product="green")
    assert came("card_near_limit", [first, card, other, bought]) == [bought["event_id"]]
    closed = event("product_closed", 2, product="a")
    assert came("deposit_maturing", [first, deposit(1, "a", 100), closed, day(200)]) == []


def test_a_deposit_that_matures_within_two_weeks_is_looked_at_at_once() -> None:
    stream = [booked(0.9, -1, "purchase"), deposit(1, "d", 10), booked(2, -1, "purchase")]
    assert came("deposit_maturing", [*stream]) == ["2024-03-01T09:36:00.001Z"]


def test_a_customer_of_ninety_days_moves_up_a_tier_with_the_credit_that_reaches_it() -> None:
    tiers = Policy(tiers_minor=[1_000, 3_000])
    # money in over 90 days: 500; 1,400, too early to say; 999, which moves down; 1,000; 3,000; 3,001
    money = ((0, 500), (30, 900), (100, 99), (101, 1), (102, 2_000), (103, 1))
    stream = [booked(on, amount, "deposit") for on, amount in money]
    assert came("tier_up", [*stream], tiers) == [stream[3]["event_id"], stream[4]["event_id"]]
    assert came("tier_up", [*stream]) == []


def test_what_is_watched_is_bounded_and_the_oldest_gives_way() -> None:
    taken = [deposit(1, f"a{number}", 100 + number) for number in range(9)]
    looked = came("deposit_maturing", [booked(0, -1, "purchase"), *taken, day(200)])
    assert len(looked) == 8
    assert looked[0] == "2024-05-26T12:00:00.000Z"


def test_for_a_tier_the_money_of_ninety_days_counts_and_no_older() -> None:
    tiers = Policy(tiers_minor=[1_000])
    for on, comes in ((99, True), (100, False)):
        stream = [booked(0, 1, "deposit"), booked(10, 600, "deposit"), booked(on, 400, "deposit")]
        assert bool(came("tier_up", [*stream], tiers)) is comes
