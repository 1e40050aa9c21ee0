"""Churn by own rhythm: when a customer is due, what the alert says, and what takes it back. Days worked by hand."""

from typing import Any

from schemas.units import DAY_MS, HOUR_MS, rfc3339
from tests.fast import Fast

START = 1_709_164_800_000  # 2024-02-29T00:00:00Z
NOON = 12 * HOUR_MS


def paid(day: int, customer: str = "ann", at: int = NOON, kind: str = "card_payment", **more: Any) -> dict[str, Any]:
    """A payment of 10.00 on a day counted from START."""
    moment = START + day * DAY_MS + at
    fields = {"event_id": f"{customer}-{moment}", "customer_id": customer, "account_id": f"{customer}-1"}
    return {
        **fields,
        "occurred_at": moment,
        "amount_minor": -1_000,
        "currency": "EUR",
        "type": kind,
        "channel": "card",
        **more,
    }


def every_second_day() -> list[dict[str, Any]]:
    """Active on days 0, 2, ... 12: six gaps of 2 days, so due on day 12 + max(2, 7) + 1 = 20."""
    return [paid(day) for day in range(0, 14, 2)]


def day(number: int) -> int:
    """Its first millisecond."""
    return START + number * DAY_MS


def test_a_customer_is_due_a_day_after_seven_days_of_silence_where_gaps_are_shorter() -> None:
    run = Fast(offers=()).feed(every_second_day())
    assert run.due == {"ann": day(20)}
    assert run.alerts == []


def test_the_alert_comes_when_stream_time_reaches_the_due_time_and_not_a_millisecond_before() -> None:
    before = Fast(offers=()).feed([*every_second_day(), day(20) - 1])
    assert before.alerts == []
    (alert,) = Fast(offers=()).feed([*every_second_day(), day(20)]).alerts
    assert (alert.kind, alert.status, alert.raised_at) == ("churn_risk", "raised", rfc3339(day(20)))
    assert (alert.cause.due_at, alert.cause.event_id) == (rfc3339(day(20)), None)
    assert (alert.expires_at, alert.horizon_days) == (rfc3339(day(20 + 30)), 30)
    assert alert.score is None  # that all six gaps are shorter than 8 days is no probability
    reason = alert.reasons[0]
    assert (reason.code, reason.value, reason.usual) == ("silence_beyond_own_rhythm", 8, 2)
    assert reason.sentence == "No transaction for 8 days; nine times in ten this customer is back within 2."
    assert reason.sentence_zh == "已经8天没有交易；这位客户十次有九次会在2天内回来。"


def test_a_retraction_names_the_alert_and_the_event_and_expires_in_its_turn() -> None:
    raised, back = Fast(offers=()).feed([*every_second_day(), paid(23)]).alerts
    assert (back.status, back.supersedes, back.customer_id) == ("retracted", raised.alert_id, "ann")
    assert (back.raised_at, back.expires_at) == (rfc3339(day(23) + NOON), rfc3339(day(53) + NOON))
    assert (back.cause.event_id, back.cause.due_at) == (paid(23)["event_id"], None)
    assert (back.score, back.horizon_days) == (None, 30)


def test_another_customers_event_is_enough_to_notice_the_silence() -> None:
    run = Fast(offers=()).feed([*every_second_day(), paid(25, "bob")])
    assert [(a.customer_id, a.raised_at) for a in run.alerts] == [("ann", rfc3339(day(20)))]


def test_the_quantile_is_the_inverse_of_the_distribution_function() -> None:
    # gaps 1, 1, 1, 1, 10, 10: the 0.9 quantile is the ceil(5.4) = 6th smallest, 10; due on day 24 + 10 + 1
    run = Fast(offers=()).feed([paid(d) for d in (0, 1, 2, 3, 4, 14, 24)])
    assert run.due == {"ann": day(35)}


def test_four_gaps_are_too_few_to_know_a_rhythm() -> None:
    run = Fast(offers=()).feed([*(paid(d) for d in range(5)), day(365)])
    assert run.due == {}
    assert run.alerts == []


def test_interest_and_fees_do_not_break_a_silence() -> None:
    booked = [paid(15, kind="interest", amount_minor=5), paid(18, kind="fee")]
    run = Fast(offers=()).feed([*every_second_day(), *booked, day(20)])
    assert [alert.status for alert in run.alerts] == ["raised"]


def test_coming_back_takes_the_alert_back_and_names_it() -> None:
    raised, retracted = Fast(offers=()).feed([*every_second_day(), paid(23)]).alerts
    assert (retracted.status, retracted.supersedes) == ("retracted", raised.alert_id)
    assert retracted.alert_id != raised.alert_id
    assert retracted.cause.event_id == paid(23)["event_id"]


def test_a_second_silence_within_thirty_days_of_the_first_alert_waits_for_their_end() -> None:
    # Raised on day 20, back on day 23: due again on day 23 + 11 + 1 by its gaps (2 x 6 and 11), but quiet to day 50.
    run = Fast(offers=()).feed([*every_second_day(), paid(23)])
    assert run.due == {"ann": day(50)}
    later = run.feed([day(50)]).alerts[-1]
    assert (later.status, later.raised_at, later.reasons[0].value) == ("raised", rfc3339(day(50)), 27)


def test_a_silence_is_alerted_once() -> None:
    run = Fast(offers=()).feed([*every_second_day(), *(day(d) for d in range(20, 400))])
    assert len(run.alerts) == 1


def test_a_late_event_that_shows_there_was_no_silence_takes_the_alert_back() -> None:
    run = Fast(offers=()).feed([*every_second_day(), day(21), paid(19)])
    assert [alert.status for alert in run.alerts] == ["raised", "retracted"]
    assert run.alerts[1].raised_at == run.alerts[0].raised_at, "never before it"


def test_the_same_cause_has_the_same_id_in_any_partition() -> None:
    here = Fast(partition=0, offers=()).feed([*every_second_day(), day(20)]).alerts
    there = Fast(partition=5, offers=()).feed([*every_second_day(), day(300)]).alerts
    assert [a.alert_id for a in here] == [a.alert_id for a in there]


def test_a_silence_comes_due_although_the_days_that_told_the_rhythm_are_no_longer_kept() -> None:
    # gaps 1, 1, 1, 1, 96: due on day 100 + 96 + 1; the interest of day 196 leaves only day 100 of the 180 kept
    stream = [*(paid(number) for number in (0, 1, 2, 3, 4, 100)), paid(196, kind="interest", amount_minor=5)]
    (alert,) = Fast(offers=()).feed([*stream, day(197)]).alerts
    assert alert.raised_at == rfc3339(day(197))
    assert (alert.reasons[0].value, alert.reasons[0].usual) == (97, None)
    assert alert.reasons[0].sentence == "No transaction for 97 days; that is longer than this customer's habit was."
