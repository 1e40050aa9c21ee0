"""Whatever is declared as a feature is refused at once or equals the slow model: no wrong figure without a word."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.aggregates.columns import BALANCE, BY_CHANNEL, COLUMNS, COUNT, CREDIT, IN, NET, OWN, Column, Operator
from handlers.aggregates.features import (
    DAYS_7,
    DAYS_30,
    DAYS_90,
    DAYS_180,
    FEATURES,
    HOURS_24,
    LIFE,
    Feature,
    UnanswerableFeature,
)
from tests import oracle
from tests.drawn_features import Declaration, answered, computed, declarations
from tests.fast import Fast
from tests.streams_of_events import START, Transaction, histories, newest_moment

ATM = next(column for column in BY_CHANNEL if column.member == "atm")
DAYS_KEPT = {"count": 180, "in": 180, "out": 180, "net": 180, "own": 180, "credit": 90, "balance": 30}
"""By UTC day; channels and types 90, as docs/design.md says."""

later_by = st.one_of(st.integers(0, 3 * oracle.HOUR), st.integers(0, 400 * oracle.DAY))
drawn = st.lists(declarations, min_size=1, max_size=12)


def folded(stream: list[Transaction]) -> bytes:
    return Fast(offers=()).feed(stream).rows["C1"]


@settings(max_examples=400)
@given(histories(), drawn, later_by)
def test_a_feature_that_is_not_refused_equals_the_slow_model(
    stream: list[Transaction], declared: list[Declaration], later: int
) -> None:
    features, now = answered(declared), newest_moment(stream) + later
    expected = oracle.features([oracle.event_of(transaction) for transaction in stream], now, features)
    assert oracle.differences(computed(features, folded(stream), now), expected) == {}


@settings(max_examples=1_000)
@given(declarations)
def test_what_the_row_keeps_is_not_refused_and_all_else_is(declared: Declaration) -> None:
    operator, column, hours, before = declared
    days = DAYS_KEPT.get(column.name, 90 if column.kind else 0)
    whole_days = hours > 0 and hours % 24 == before % 24 == 0 and hours + before <= 24 * days
    if operator in (Operator.SINCE, Operator.DAYS_SINCE, Operator.RATE, Operator.LAST):
        kept = hours == before == 0
    elif operator is Operator.SUM and column.name in ("count", "in", "out", "net"):
        kept = before == 0 and (0 <= hours <= 168 or whole_days)
    else:
        kept = whole_days and (before > 0) == (operator is Operator.RATIO)
    if kept and operator in column.operators:
        assert declared.feature("drawn").name == "drawn"
    else:
        with pytest.raises(UnanswerableFeature, match=f"feature drawn cannot be computed: .*{column.name}"):
            declared.feature("drawn")


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_every_operator_of_a_column_can_be_declared(column: Column) -> None:
    for operator in column.operators:
        before = HOURS_24 if operator is Operator.RATIO else 0
        window = LIFE if operator >= Operator.SINCE else HOURS_24
        assert Declaration(operator, column, window, before).feature("drawn").operator is operator


def test_a_figure_in_another_window_is_one_line() -> None:
    """Each was taken once, and had the figure of another window or none at all."""
    lines = (
        Feature("active_days_7d", Operator.DAYS_POSITIVE, OWN, DAYS_7, "Active days in 7 d"),
        Feature("share_channel_atm_30d", Operator.SHARE, ATM, DAYS_30, "Share by channel atm"),
        Feature("share_channel_atm_90d", Operator.SHARE, ATM, DAYS_90, "Share by channel atm"),
        Feature("trend_count_90d", Operator.RATIO, COUNT, DAYS_90, "90 d against the 90 d before", DAYS_90),
    )
    visits = [(0, "card"), (95, "card"), (100, "atm"), (148, "atm"), (150, "card"), (150, "atm"), (178, "card")]
    row = folded([visit(number, day, channel) for number, (day, channel) in enumerate(visits)])
    now = visit(0, 178, "")["occurred_at"]
    assert computed(lines, row, now) == {
        "active_days_7d": 1,  # 172 to 178
        "share_channel_atm_30d": 1 / 3,  # 149 to 178
        "share_channel_atm_90d": 3 / 6,
        "trend_count_90d": (6 / 90) / (1 / 90),  # 89 to 178: six; 90 days before: one
    }


@pytest.mark.parametrize(
    ("operator", "column", "hours", "reason"),
    [
        (
            Operator.MIN,
            BALANCE,
            DAYS_90,
            "asks for the min of balance over 90 d; the row keeps balance for 30 d by UTC day",
        ),
        (Operator.MAX, CREDIT, DAYS_180, "asks for the max of credit over 180 d; the row keeps credit for 90 d"),
        (Operator.SUM, ATM, LIFE, "asks for the sum of channel_atm over the customer's life; the row keeps"),
        (Operator.SUM, IN, 200, "asks for the sum of in over 200 h; the row keeps in for 168 h by hour and for 180 d"),
        (Operator.MAX, COUNT, DAYS_30, "what the row keeps of count answers sum, ratio, rate"),
        (Operator.RATIO, NET, DAYS_30, "what the row keeps of net answers sum"),
        (Operator.LAST, BALANCE, DAYS_30, "last has none, write LIFE"),
        (Operator.RATIO, COUNT, DAYS_30, "held against before_hours"),
        (Operator.SUM, COUNT, -1, "a window is at least an hour"),
    ],
)
def test_a_refusal_names_the_feature_what_it_asks_for_and_what_the_row_keeps(
    operator: Operator, column: Column, hours: int, reason: str
) -> None:
    with pytest.raises(UnanswerableFeature, match="feature wish cannot be computed: ") as refusal:
        Feature("wish", operator, column, hours, "A wish")
    assert reason in str(refusal.value)


def test_a_declared_name_says_the_window() -> None:
    for feature in FEATURES:
        *_, last = feature.name.split("_")
        if last[:-1].isdigit():
            assert int(last[:-1]) * {"h": 1, "d": 24}[last[-1]] == feature.window_hours, feature.name


def visit(number: int, day: int, channel: str) -> Transaction:
    return {
        "event_id": f"visit-{number}",
        "customer_id": "C1",
        "account_id": "A1",
        "occurred_at": START + day * oracle.DAY,
        "amount_minor": -100,
        "currency": "EUR",
        "type": "withdrawal",
        "channel": channel,
    }
