"""What counts as run-off, to the day and to the cent, and how long another is waited for."""

from typing import Any

import numpy as np
import pytest

from handlers.churn.run_off import BEFORE, FIGURES, GROUPS, INCOME, LATELY, SINCE, run_off, stopped
from handlers.engine.beliefs import KNOWN
from handlers.profile.customer import profile
from handlers.state.codec import decode
from handlers.state.row import new_open_row
from schemas.units import rfc3339
from tests.fast import Fast
from tests.unit.test_churn_alerts import run
from tests.unit.test_rhythm import NOON, day, paid


def figures(salaries: list[int], now: int) -> list[list[int]]:
    """Of salaries on those days, on another."""
    bank = Fast(offers=()).feed([paid(number, kind="salary", amount_minor=200_000) for number in salaries])
    s, out = new_open_row(), np.zeros((GROUPS, FIGURES), np.int64)
    row = bank.rows["ann"]
    decode(s, np.frombuffer(row, np.uint8), 0, len(row), KNOWN)
    run_off(s, day(now), out)
    found: list[list[int]] = out.tolist()
    return found


def test_lately_is_the_last_35_days_and_before_that_the_55_up_to_90() -> None:
    (income, *_) = figures([10, 11, 65, 66], 100)
    assert (income[SINCE], income[LATELY], income[BEFORE]) == (34, 1, 2)
    (income, *_) = figures([10, 11, 65], 100)
    assert (income[SINCE], income[LATELY], income[BEFORE]) == (35, 0, 2)
    (income, *_) = figures([10], 100)
    assert (income[SINCE], income[LATELY], income[BEFORE]) == (-1, 0, 0)


@pytest.mark.parametrize(("group", "least"), [(0, 1), (1, 2), (2, 4)], ids=["income", "payments", "digital"])
def test_what_must_have_come_before_for_its_absence_to_mean_something(group: int, least: int) -> None:
    out = np.zeros((GROUPS, FIGURES), np.int64)
    out[group, BEFORE] = least
    assert stopped(out, group)
    out[group, BEFORE] = least - 1
    assert not stopped(out, group)
    out[group] = (3, 1, least)
    assert not stopped(out, group)
    assert INCOME == 0


def leaving(*more: dict[str, Any], until: int = 78, moved: int = 60_000, left: int = 0) -> list[dict[str, Any]]:
    """Salaries on days 0 and 30 are the last; the rent goes on; cards every second day; on the last day a balance."""
    salary = [paid(number, kind="salary", amount_minor=200_000, at=1) for number in (0, 30)]
    rent = [paid(number, kind="bill_payment", at=2) for number in (1, 31, 60, 90)]
    cards = [paid(number) for number in range(0, until, 2)]
    last = paid(until, kind="transfer_out", amount_minor=-moved, balance_minor=left)
    return sorted([*salary, *rent, *cards, last, *more], key=lambda fields: fields["occurred_at"])


@pytest.mark.parametrize(("more", "alerts"), [(0, 1), (1, 0)])
def test_a_balance_of_exactly_half_of_what_it_was_30_days_ago_makes_it_run_off(more: int, alerts: int) -> None:
    """In the 30 days that end on day 78 were 14 card payments and a rent of 10.00 each, and 600.00 were moved; so with
    750.00 left it was 1,500.00."""
    bank = run().feed(leaving(left=75_000 + more))
    assert profile(bank.rows["ann"], day(78) + NOON)["net_30d"] == -75_000
    assert len(bank.alerts) == alerts


def test_a_late_transaction_of_before_the_silence_takes_no_alert_back() -> None:
    visits = [paid(number) for number in range(0, 14, 2)]
    bank = Fast(offers=()).feed([*visits, day(21), paid(9)])
    assert [(alert.status, alert.raised_at) for alert in bank.alerts] == [("raised", rfc3339(day(20)))]
    assert bank.due == {}


def test_a_deposit_is_looked_at_before_a_silence_that_is_due_later() -> None:
    fields = {"record": "customer-events", "event_id": "d", "customer_id": "ann", "kind": "product_taken"}
    deposit = {**fields, "product": "d", "product_kind": "deposit", "account_id": "d", "occurred_at": day(1)}
    visits = [paid(number) for number in range(0, 14, 2)]
    bank = Fast(offers=()).feed([*visits, deposit | {"matures_at": day(30)}])
    assert bank.due == {"ann": day(16)}
    assert bank.feed([day(16)]).due == {"ann": day(20)}


def test_after_a_run_off_alert_another_waits_for_the_end_of_its_cooldown() -> None:
    """The first comes on day 70 (no salary since day 30, and most of the balance is gone) and is over on day 71; by day
    98 bills have stopped and the balance is gone again, but until day 101 nothing is said: weeks begin on days 98 and
    105."""
    salary = [paid(number, kind="salary", amount_minor=100, at=1) for number in (0, 30, 71)]
    bills = [paid(number, kind="bill_payment", at=2) for number in (50, 60)]
    gone = [paid(number, kind="transfer_out", amount_minor=-100_000, balance_minor=50_000) for number in (69, 97)]
    cards = [paid(number) for number in range(0, 112, 2)]
    stream = sorted([*salary, *bills, *gone, *cards], key=lambda fields: fields["occurred_at"])
    alerts = run().feed(stream).alerts
    assert [(alert.status, alert.raised_at) for alert in alerts] == [
        ("raised", rfc3339(day(70) + NOON)),
        ("retracted", rfc3339(day(71) + 1)),
        ("raised", rfc3339(day(106) + NOON)),
    ]
