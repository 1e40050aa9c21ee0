"""Run-off as its definition says, over a plain list of events: what came every month and has stopped."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.aggregates.features import FEATURES
from handlers.aggregates.spec import FEATURE_SPEC, new_work
from handlers.churn.run_off import FIGURES, GROUPS, marks_run_off, run_off, run_off_mark, runs_off, still_runs_off
from handlers.engine.beliefs import KNOWN
from handlers.state.codec import decode
from handlers.state.row import OpenRow, new_open_row
from tests import oracle
from tests.fast import Fast
from tests.streams_of_events import START, Step, Transaction, newest_moment, spelled

OF_GROUP = (
    lambda event: event.type in ("salary", "pension"),
    lambda event: event.type in ("bill_payment", "insurance_premium", "loan_payment"),
    lambda event: event.channel in ("online", "mobile"),
)
OFTEN_ENOUGH = (1, 2, 4)

_types = st.sampled_from(
    ("salary", "pension", "bill_payment", "insurance_premium", "loan_payment", "card_payment", "transfer_out", "fee")
)
_steps = st.builds(
    Step,
    st.one_of(st.integers(0, 12).map(lambda days: days * oracle.DAY), st.integers(0, 50 * oracle.DAY)),
    st.sampled_from((0, 0, 0, oracle.DAY, 20 * oracle.DAY)),
    st.sampled_from((-1_000, 5_000, 100_000)),
    _types,
    st.sampled_from(("online", "mobile", "card", "automatic")),
    st.just(0),
    st.one_of(st.none(), st.integers(-500, 300_000)),
    st.one_of(st.none(), st.none(), st.none(), st.none(), st.integers(0, 3)),
)
plans = st.lists(_steps, min_size=1, max_size=25)
laters = st.one_of(st.just(0), st.integers(0, 3 * oracle.DAY), st.integers(0, 100 * oracle.DAY))


def opened(stream: list[Transaction]) -> OpenRow:
    """The row that comes of it."""
    s = new_open_row()
    row = Fast(offers=()).feed(stream).rows["C1"]
    decode(s, np.frombuffer(row, np.uint8), 0, len(row), KNOWN)
    return s


def expected(events: list[oracle.Event], now: int) -> list[list[int]]:
    """By group: days since the last one, -1 for none in 90 days; how many in the last 35 days; in the 55 before.

    What was taken back on a day leaves no more of its type, or channel, on that day than came.
    """
    found = []
    for group in OF_GROUP:
        counts: Counter[tuple[int, str]] = Counter()
        for event in filter(group, events):
            what = event.channel if group is OF_GROUP[2] else event.type
            counts[(now // oracle.DAY - event.effective_at // oracle.DAY, what)] += event.sign
        known = {key: count for key, count in counts.items() if count > 0 and 0 <= key[0] < 90}
        since = min((age for age, _ in known), default=-1)
        lately = sum(count for (age, _), count in known.items() if age < 35)
        found.append([since, lately, sum(known.values()) - lately])
    return found


def expected_run_off(events: list[oracle.Event], now: int) -> bool:
    """Salary or pension, or bills and instalments, have stopped; and one thing more says so."""
    figures = expected(events, now)
    facts = sum(figures[group][1] == 0 and figures[group][2] >= OFTEN_ENOUGH[group] for group in (0, 1))
    seen = oracle.features(events, now)
    balance, net, month, quarter = (seen[name] for name in ("balance", "net_30d", "count_30d", "count_90d"))
    assert isinstance(net, int)
    assert isinstance(month, int)
    assert isinstance(quarter, int)
    halved = balance is not None and balance - net > 0 and balance <= (balance - net) / 2
    # half as many in 30 days as in 30 of the 60 before, if these were eight or more
    idle = quarter - month >= 8 and month <= (quarter - month) / 4
    return facts > 0 and facts + halved + idle > 1


@settings(max_examples=150)
@given(plans, laters)
def test_figures_and_run_off_are_as_defined(plan: list[Step], later: int) -> None:
    stream = spelled("C1", plan)
    events, now = [oracle.event_of(transaction) for transaction in stream], newest_moment(stream) + later
    s, out = opened(stream), np.zeros((GROUPS, FIGURES), np.int64)
    values, room = np.zeros(len(FEATURES), np.int64), new_work()
    assert runs_off(s, FEATURE_SPEC, now, out, values, room) == expected_run_off(events, now)
    figures = expected(events, now)
    run_off(s, now, out)
    assert out.tolist() == figures
    still = any(figures[group][1] == 0 and figures[group][0] >= 0 for group in (0, 1))
    assert still_runs_off(s, now, out) == still


def on(day: int, kind: str, amount: int = -1_000, **more: object) -> Transaction:
    """A transaction at the start of a day counted from START."""
    fields = {"event_id": f"{day}-{kind}-{amount}", "customer_id": "C1", "account_id": "A1", "currency": "EUR"}
    fields |= {"type": kind, "channel": "card"}
    return (
        fields
        | {"occurred_at": START + day * oracle.DAY, "amount_minor": amount, "type": kind, "channel": "card"}
        | more
    )


PAID_AND_BILLED = [on(0, "salary", 100_000), on(1, "bill_payment"), on(2, "bill_payment")]
"""Salary last on day 0, bills on days 1 and 2."""


HALVED = [on(40, "transfer_out", -50_000, balance_minor=50_000)]


@pytest.mark.parametrize(
    ("stream", "day", "runs"),
    [
        # both have stopped when the second has not come for 35 days: bills on day 2, so on day 37
        (PAID_AND_BILLED, 36, False),
        (PAID_AND_BILLED, 37, True),
        # from day 90 the salary of day 0 is not known any more, the bills alone say nothing
        (PAID_AND_BILLED, 89, True),
        (PAID_AND_BILLED, 90, False),
        # one bill is not a habit
        (PAID_AND_BILLED[:2], 40, False),
        # salary alone, and the balance is half of what it was 30 days before
        ([on(0, "salary", 100_000), on(40, "transfer_out", -50_000, balance_minor=50_000)], 40, True),
        ([on(0, "salary", 100_000), on(40, "transfer_out", -50_000, balance_minor=50_001)], 40, False),
        ([on(0, "salary", 100_000), on(40, "transfer_out", -50_000, balance_minor=-1)], 40, True),
        # the same where one of the two still comes, and not where both do
        ([on(0, "bill_payment"), on(1, "bill_payment"), on(20, "salary"), *HALVED], 40, True),
        ([on(0, "salary"), on(20, "bill_payment"), on(21, "bill_payment"), *HALVED], 40, True),
        ([on(0, "bill_payment"), on(1, "bill_payment"), on(20, "bill_payment"), on(20, "salary"), *HALVED], 40, False),
        # overdrawn all along: nothing to be halved
        ([on(0, "salary", 100_000), on(40, "transfer_out", -50_000, balance_minor=-50_000)], 40, False),
        # salary alone, and activity: eight before, two in the last 30 days
        ([on(0, "salary"), *(on(n, "purchase") for n in (1, 2, 3, 4, 5, 6, 7, 39, 40))], 40, True),
        ([on(0, "salary"), *(on(n, "purchase") for n in (1, 2, 3, 4, 5, 6, 7, 38, 39, 40))], 40, False),
        ([on(0, "salary"), *(on(n, "purchase") for n in (1, 2, 3, 4, 5, 6, 39, 40))], 40, False),
    ],
)  # fmt: skip
def test_when_a_customer_runs_off(stream: list[Transaction], day: int, runs: bool) -> None:
    out, values = np.zeros((GROUPS, FIGURES), np.int64), np.zeros(len(FEATURES), np.int64)
    assert runs_off(opened(stream), FEATURE_SPEC, START + day * oracle.DAY, out, values, new_work()) == runs


@pytest.mark.parametrize("at", [START, START + 1, START + oracle.DAY - 1, START + 12 * oracle.HOUR])
def test_the_mark_of_run_off_is_never_that_of_silence(at: int) -> None:
    assert 0 <= run_off_mark(at) - at <= 1
    assert marks_run_off(run_off_mark(at))
    assert not marks_run_off(START)
