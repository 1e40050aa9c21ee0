"""Every measure on a few events, with the arithmetic written out."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.profile.customer import accounts, profile
from schemas.units import DAY_MS
from tests.fast import Fast
from tests.oracle import event_of

Value = int | float | None


def at(text: str) -> int:
    """Epoch ms of a moment in UTC."""
    return event_of({"occurred_at": f"{text}Z", "amount_minor": 0, "type": "", "channel": "", "account_id": ""}).at


def booking(text: str, amount: int, **more: Any) -> dict[str, Any]:
    """A card payment or a transfer in, or whatever `more` says, of the one customer."""
    return {
        "event_id": f"{text} {amount}",
        "customer_id": "C1",
        "account_id": "A1",
        "occurred_at": at(text),
        "amount_minor": amount,
        "currency": "EUR",
        "type": "card_payment" if amount < 0 else "transfer_in",
        "channel": "card",
        **more,
    }


def reversal(original: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    """What takes the original back, booked at the moment `text`."""
    undone = {name: original[name] for name in ("event_id", "occurred_at")}
    opposite = {"event_id": f"undo {text}", "amount_minor": -original["amount_minor"], "reversal_of": undone}
    return original | opposite | {"occurred_at": at(text)} | more


def features(stream: list[dict[str, Any]], now: str) -> dict[str, Value]:
    """Of the customer whose events these are, each an event of its own."""
    ids = [event["event_id"] for event in stream]
    numbered = [
        event if ids.index(event["event_id"]) == number else event | {"event_id": f"{event['event_id']} {number}"}
        for number, event in enumerate(stream)
    ]
    return profile(Fast(offers=()).feed(numbered).rows["C1"], at(now))


def flows(found: dict[str, Value], window: str) -> tuple[Value, ...]:
    """Count, in, out, net."""
    return tuple(found[f"{flow}_{window}"] for flow in ("count", "in", "out", "net"))


def test_money_is_summed_by_direction() -> None:
    stream = [booking("2024-03-31T10:00:00", amount) for amount in (250, -30, -45, 5, 0)]
    found = features(stream, "2024-03-31T10:00:00")
    # in 250 + 5, out 30 + 45, net 255 - 75; a zero counts and is neither
    for window in ("1h", "24h", "7d", "30d", "90d", "180d", "life"):
        assert flows(found, window) == (5, 255, 75, 180)


@pytest.mark.parametrize(
    ("window", "first_inside", "last_outside"),
    [
        # read at 10:07:30: the tile 10:05 and the 11 before it, from 09:10
        ("1h", "2024-03-31T09:10:00", "2024-03-31T09:09:59.999"),
        # the hour 10 and the 23 before it, from 11:00 on the day before
        ("24h", "2024-03-30T11:00:00", "2024-03-30T10:59:59.999"),
        # the hour 10 and the 167 before it: 31 March 10:00 less 6 days 23 hours
        ("7d", "2024-03-24T11:00:00", "2024-03-24T10:59:59.999"),
        # 31 March and the 29 days before it
        ("30d", "2024-03-02T00:00:00", "2024-03-01T23:59:59.999"),
        # 89 days before: 31 to 1 March is 30, February of a leap year 29, 30 more from 31 January to 2 January
        ("90d", "2024-01-02T00:00:00", "2024-01-01T23:59:59.999"),
        # 90 more: 1 January, December 31, November 30, 28 more from 31 October to 4 October
        ("180d", "2023-10-04T00:00:00", "2023-10-03T23:59:59.999"),
    ],
)
def test_a_window_ends_with_the_tile_of_the_reading(window: str, first_inside: str, last_outside: str) -> None:
    stream = [booking(last_outside, 1), booking(first_inside, 10), booking("2024-03-31T10:07:30", 100)]
    found = features(stream, "2024-03-31T10:07:30")
    assert flows(found, window) == (2, 110, 0, 110)
    assert flows(found, "life") == (3, 111, 0, 111)


def test_windows_empty_themselves_when_nothing_comes() -> None:
    stream = [booking("2024-03-31T10:00:00", 70)]
    inside = {
        "2024-03-31T10:54:59": {"1h", "24h", "7d", "30d", "90d", "180d"},
        "2024-03-31T11:00:00": {"24h", "7d", "30d", "90d", "180d"},
        "2024-04-01T10:00:00": {"7d", "30d", "90d", "180d"},
        "2024-04-07T10:00:00": {"30d", "90d", "180d"},
        "2024-04-30T00:00:00": {"90d", "180d"},
        "2024-06-29T00:00:00": {"180d"},
        "2024-09-27T00:00:00": set(),
    }
    for now, windows in inside.items():
        found = features(stream, now)
        assert {w for w in ("1h", "24h", "7d", "30d", "90d", "180d") if found[f"count_{w}"] == 1} == windows, now
        assert found["count_life"] == 1


def test_recency_silence_tenure_and_frequency() -> None:
    stream = [
        booking("2024-03-01T12:00:00", -5),
        booking("2024-03-11T18:00:00", -5),
        booking("2024-03-20T06:00:00", 1, type="interest"),
    ]
    found = features(stream, "2024-04-20T12:00:00")
    # 18:00 on 11 March to 12:00 on 20 April: 40 days less 6 hours; the interest is the bank's, not the customer's
    assert found["recency_days"] == 39.75
    assert found["silence_days"] == 40
    assert found["tenure_days"] == 50.0
    # 3 in 50 days, per 30
    assert found["frequency"] == pytest.approx(1.8, rel=1e-15)


def test_frequency_of_a_new_customer_is_over_thirty_days_at_least() -> None:
    found = features([booking("2024-03-01T00:00:00", 1)] * 2, "2024-03-02T00:00:00")
    assert found["tenure_days"] == 1.0
    assert found["frequency"] == 2.0


def test_gaps_between_active_days() -> None:
    days = ("01", "02", "02", "04", "07", "17")
    stream = [booking(f"2024-03-{day}T12:00:00", -1) for day in days]
    stream += [booking(f"2024-03-{day}T13:00:00", -1, type="fee") for day in ("05", "17", "25")]
    found = features(stream, "2024-03-31T00:00:00")
    # gaps 1, 2, 3, 10: mean 16 / 4; squares of -3, -2, -1, 6 are 50, over 4 is 12.5; ceil(0.9 x 4) is the fourth
    assert found["gap_mean_days"] == 4.0
    assert found["gap_sd_days"] == pytest.approx(12.5**0.5, rel=1e-15)
    assert found["gap_q90_days"] == 10
    assert found["active_days_30d"] == 4  # 2 to 31 March: 2, 4, 7, 17
    assert found["active_days_90d"] == 5
    assert found["silence_days"] == 14


def test_the_quantile_is_the_ninth_of_ten_gaps() -> None:
    days = [1]
    for gap in (5, 1, 2, 1, 3, 1, 4, 2, 1, 2):
        days.append(days[-1] + gap)
    found = features([booking(f"2024-03-{day:02}T00:00:00", 1) for day in days], "2024-03-31T00:00:00")
    # sorted 1 1 1 1 2 2 2 3 4 5: ceil(0.9 x 10) is the ninth
    assert found["gap_q90_days"] == 4
    assert found["gap_mean_days"] == 2.2


def test_one_active_day_has_no_gap_and_none_has_no_recency() -> None:
    once = features([booking("2024-03-01T00:00:00", 1)], "2024-03-01T00:00:00")
    assert [once[name] for name in ("gap_mean_days", "gap_sd_days", "gap_q90_days")] == [None, None, None]
    assert (once["recency_days"], once["silence_days"]) == (0.0, 0)
    never = features([booking("2024-03-01T00:00:00", -1, type="fee")], "2024-03-02T00:00:00")
    assert (never["recency_days"], never["silence_days"], never["tenure_days"]) == (None, None, 1.0)


def test_shares_by_channel_and_type() -> None:
    stream = [booking("2024-01-01T23:00:00", 1, channel="atm", type="pension")]
    stream += [booking("2024-01-02T00:00:00", -1)] * 3
    stream += [booking("2024-03-31T00:00:00", 1, channel="pigeon", type="barter")]
    found = features(stream, "2024-03-31T23:59:59")
    shares = {name: value for name, value in found.items() if name.startswith("share_") and value}
    # of the 4 in 90 days, 3 by card; words that are not known count as other
    assert shares == {
        "share_channel_card_90d": 0.75,
        "share_channel_other_90d": 0.25,
        "share_type_card_payment_90d": 0.75,
        "share_type_other_90d": 0.25,
    }


def test_what_an_empty_window_does_not_have_is_missing() -> None:
    found = features([booking("2024-03-01T00:00:00", 5, balance_minor=5)], "2025-03-01T00:00:00")
    missing = {name for name, value in found.items() if value is None}
    expected = {name for name in found if name.startswith(("share_", "trend_", "gap_", "largest_", "balance_"))}
    assert missing == expected
    assert found["balance"] == 5


def test_largest_credit() -> None:
    stream = [
        booking("2024-01-01T00:00:00", 999),
        booking("2024-02-01T00:00:00", 80),
        booking("2024-03-20T00:00:00", 9),
    ]
    stream += [booking("2024-03-20T00:00:00", -500)]
    found = features(stream, "2024-03-31T00:00:00")
    assert (found["largest_credit_30d"], found["largest_credit_90d"]) == (9, 80)
    debit = features([booking("2024-03-31T00:00:00", -7)], "2024-03-31T00:00:00")
    assert debit["largest_credit_30d"] is None


def test_balances_are_the_latest_of_each_account() -> None:
    stream = [
        booking("2024-03-01T00:00:00", 1, balance_minor=-900),
        booking("2024-03-20T00:00:00", 1, balance_minor=100),
        booking("2024-03-10T00:00:00", 1, balance_minor=700),  # late: high of the 30 days, not the latest
        booking("2024-03-05T00:00:00", 1, balance_minor=40, account_id="A2"),
        booking("2024-03-25T00:00:00", 1, account_id="A2"),  # says nothing about the balance
    ]
    row = Fast(offers=()).feed(stream).rows["C1"]
    found = profile(row, at("2024-03-31T00:00:00"))
    assert accounts(row) == [("A1", 100, at("2024-03-20T00:00:00")), ("A2", 40, at("2024-03-05T00:00:00"))]
    assert (found["balance"], found["accounts"]) == (140, 2)
    # 2 to 31 March: 100, 700, 40; the -900 of 1 March is out
    assert (found["balance_low_30d"], found["balance_high_30d"]) == (40, 700)


def test_of_two_balances_at_one_moment_the_later_in_the_stream_counts() -> None:
    stream = [booking("2024-03-01T00:00:00", 1, balance_minor=balance) for balance in (3, 8, 5)]
    assert features(stream, "2024-03-01T00:00:00")["balance"] == 5


def test_balances_of_64_accounts_are_known_and_of_one_more_nothing_is_said() -> None:
    stream = [
        booking(f"2024-03-01T{minute // 60:02}:{minute % 60:02}:00", 1, account_id=f"A{minute}", balance_minor=1_000)
        for minute in (1, 0, *range(2, 65))
    ]
    found = features(stream[:64], "2024-03-31T00:00:00")
    assert (found["accounts"], found["balance"], found["debt"]) == (64, 64_000, 0)
    beyond = features(stream, "2024-03-31T00:00:00")
    assert (beyond["accounts"], beyond["balance"], beyond["debt"]) == (None, None, None)
    held = [name for name, _, _ in accounts(Fast(offers=()).feed(stream).rows["C1"])]
    assert len(held) == 64
    assert "A0" not in held  # heard of longest ago


def test_debts_are_told_apart_from_money() -> None:
    """A mortgage of 200,000.00 beside 5,000.00 in an account and 1,000.00 in another: money 6,000.00."""
    owed = {"loan": -20_000_000, "main": 500_000, "savings": 100_000}
    stream = [booking("2024-03-01T00:00:00", -1, account_id=a, balance_minor=b) for a, b in owed.items()]
    found = features(stream, "2024-03-02T00:00:00")
    assert (found["balance"], found["debt"], found["accounts"]) == (600_000, 20_000_000, 3)


def test_trends_are_per_day_against_the_sixty_days_before() -> None:
    before = [booking(f"2024-02-{day:02}T00:00:00", -10) for day in (1, 11, 21)]
    recent = [booking(f"2024-03-{day:02}T00:00:00", -40) for day in (2, 5, 8, 11, 14, 17)]
    found = features(before + recent, "2024-03-31T12:00:00")
    # count 6 / 30 over 3 / 60; out 240 / 30 over 30 / 60; no money in before
    assert found["trend_count"] == 4.0
    assert found["trend_out"] == 16.0
    assert found["trend_in"] is None
    stopped = features(before, "2024-03-31T12:00:00")
    assert (stopped["trend_count"], stopped["trend_out"]) == (0.0, 0.0)


def test_a_reversal_takes_its_original_back_where_that_was() -> None:
    kept, undone = booking("2024-03-01T00:00:00", -70), booking("2024-03-10T00:00:00", -30, channel="atm")
    back = reversal(undone, "2024-03-30T09:00:00", balance_minor=1_000)
    found = features([kept, undone, back], "2024-03-30T09:00:00")
    for window in ("180d", "life"):
        assert flows(found, window) == (1, 0, 70, -70)
    # its own day has nothing but the balance
    assert flows(found, "24h") == (0, 0, 0, 0)
    assert found["balance"] == found["balance_low_30d"] == 1_000
    assert (found["share_channel_card_90d"], found["share_channel_atm_90d"]) == (1.0, 0.0)
    assert found["active_days_90d"] == 1
    # who was there is not undone: the customer was last seen on 10 March
    assert found["silence_days"] == 20


def test_a_reversed_credit_leaves_the_sums_and_is_not_the_largest() -> None:
    credit = booking("2024-03-10T00:00:00", 500, type="salary")
    found = features([credit, reversal(credit, "2024-03-11T00:00:00")], "2024-03-11T00:00:00")
    assert flows(found, "30d") == (0, 0, 0, 0)
    assert found["largest_credit_30d"] is None
    assert found["share_type_salary_90d"] is None
    others = [booking("2024-03-10T01:00:00", amount, type="deposit") for amount in (40, 30)]
    found = features([credit, *others, reversal(credit, "2024-03-11T00:00:00")], "2024-03-11T00:00:00")
    assert found["largest_credit_30d"] == 70  # no more than what is left of its day


def test_a_reversal_that_comes_before_its_original_leaves_nothing_in_the_end() -> None:
    original = booking("2024-03-10T00:00:00", 500)
    back = reversal(original, "2024-03-11T00:00:00")
    assert flows(features([back], "2024-03-11T00:00:00"), "30d") == (0, 0, 0, 0)
    assert flows(features([back, original], "2024-03-11T00:00:00"), "30d") == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("days_late", "windows", "late"), [(0, 3, 0), (89, 2, 0), (90, 1, 0), (179, 1, 0), (180, 0, 1), (4_000, 0, 1)]
)
def test_a_late_event_lands_in_its_own_day_or_in_lifetime_only(days_late: int, windows: int, late: int) -> None:
    newest = booking("2024-03-31T10:00:00", 0)
    fast = Fast(offers=()).feed(
        [newest, booking("2024-03-31T10:00:00", 8) | {"occurred_at": _before(newest, days_late)}]
    )
    found = profile(fast.rows["C1"], newest["occurred_at"])
    assert [found[f"in_{window}"] for window in ("180d", "90d", "30d")] == [8] * windows + [0] * (3 - windows)
    assert (found["in_life"], found["count_life"]) == (8, 2)
    assert found["tenure_days"] == days_late
    assert fast.late == late


def _before(booked: dict[str, Any], days: int) -> int:
    moment: int = booked["occurred_at"]
    return moment - days * DAY_MS


@pytest.mark.parametrize("many", [lambda n: n, lambda n: -n], ids=["in", "out"])
def test_sums_of_the_largest_amounts_are_exact(many: Callable[[int], int]) -> None:
    stream = [booking("2024-03-31T10:00:00", many(10**15), balance_minor=many(10**15))] * 1_000
    found = features(stream, "2024-03-31T10:00:00")
    assert {found[f"net_{w}"] for w in ("1h", "24h", "7d", "30d", "90d", "180d", "life")} == {many(10**18)}
    assert (found["balance"], found["debt"]) == (max(many(10**15), 0), max(-many(10**15), 0))
