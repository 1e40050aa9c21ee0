"""The 29th of February is a day like any other: in windows, in whole days, in due times, and in what is read."""

import pytest

from handlers.intake.json_scanner import NOT_FAST
from handlers.intake.rfc3339_scanner import moment
from handlers.kernel.text import PADDING, text_of
from handlers.profile.customer import profile
from schemas.units import parse_rfc3339, rfc3339
from tests import oracle
from tests.fast import Fast
from tests.unit.test_measures import at, booking, features, flows


@pytest.mark.parametrize(
    ("window", "reading", "first_inside", "last_outside"),
    [
        # 1 March and the 23 hours before: the leap day is one of them, or there is none
        ("24h", "2024-03-01T00:30:00", "2024-02-29T01:00:00", "2024-02-29T00:59:59.999"),
        ("24h", "2023-03-01T00:30:00", "2023-02-28T01:00:00", "2023-02-28T00:59:59.999"),
        # the hour 22 and the 167 before it: 7 days less an hour
        ("7d", "2024-03-06T22:00:00", "2024-02-28T23:00:00", "2024-02-28T22:59:59.999"),
        ("7d", "2023-03-06T22:00:00", "2023-02-27T23:00:00", "2023-02-27T22:59:59.999"),
        # 29 days before 1 March: 29 in February, or 28 and one more
        ("30d", "2024-03-01T12:00:00", "2024-02-01T00:00:00", "2024-01-31T23:59:59.999"),
        ("30d", "2023-03-01T12:00:00", "2023-01-31T00:00:00", "2023-01-30T23:59:59.999"),
        # the leap day is the first of its windows: 28 days of March are before the 29th
        ("30d", "2024-03-29T23:59:59.999", "2024-02-29T00:00:00", "2024-02-28T23:59:59.999"),
        # 28 May, 27 before it, April 30, March 31: 89 days before is the last of February
        ("90d", "2024-05-28T00:00:00", "2024-02-29T00:00:00", "2024-02-28T23:59:59.999"),
        ("90d", "2023-05-28T00:00:00", "2023-02-28T00:00:00", "2023-02-27T23:59:59.999"),
        # 26 August, 25 before it, July 31, June 30, May 31, April 30, March 31: 179 days before
        ("180d", "2024-08-26T00:00:00", "2024-02-29T00:00:00", "2024-02-28T23:59:59.999"),
        ("180d", "2023-08-26T00:00:00", "2023-02-28T00:00:00", "2023-02-27T23:59:59.999"),
        # a leap day itself: 28 days of February before it, and the last of January
        ("30d", "2024-02-29T00:00:00", "2024-01-31T00:00:00", "2024-01-30T23:59:59.999"),
        ("30d", "2000-02-29T00:00:00", "2000-01-31T00:00:00", "2000-01-30T23:59:59.999"),
    ],
)
def test_a_window_over_the_end_of_february(window: str, reading: str, first_inside: str, last_outside: str) -> None:
    stream = [booking(last_outside, 1), booking(first_inside, 10), booking(reading, 100)]
    assert flows(features(stream, reading), window) == (2, 110, 0, 110)


@pytest.mark.parametrize(("year", "days"), [(2023, 1), (2024, 2), (2000, 2), (2025, 1)])
def test_days_from_the_28th_of_february_to_the_first_of_march(year: int, days: int) -> None:
    found = features([booking(f"{year}-02-28T12:00:00", -5)], f"{year}-03-01T12:00:00")
    assert (found["silence_days"], found["recency_days"], found["tenure_days"]) == (days, days, days)


@pytest.mark.parametrize(("year", "due"), [(2024, "2024-02-29"), (2023, "2023-03-01")])
def test_a_silence_falls_due_on_the_leap_day(year: int, due: str) -> None:
    # six gaps of two days, so due a day after seven whole days of silence: 21 February and eight days
    stream = [booking(f"{year}-02-{day:02}T12:00:00", -5) for day in range(9, 23, 2)]
    before = Fast(offers=()).feed([*stream, at(f"{due}T00:00:00") - 1])
    assert (before.due, before.alerts) == ({"C1": at(f"{due}T00:00:00")}, [])
    (alert,) = before.feed([at(f"{due}T00:00:00")]).alerts
    assert alert.raised_at == f"{due}T00:00:00.000Z"


def test_every_window_equals_the_slow_model_until_the_leap_day_has_left_it() -> None:
    run, events = Fast(offers=()), []
    start = at("2023-12-31T21:00:00")
    for number in range(84):  # every third day and three hours, over 262 days: to 18 September
        transaction = booking("2024-01-01T00:00:00", 3 << number % 40) | {
            "event_id": f"{number}",
            "occurred_at": start + number * (3 * oracle.DAY + 3 * oracle.HOUR),
        }
        run.feed([transaction])
        events.append(oracle.event_of(transaction))
        now = transaction["occurred_at"] + oracle.DAY
        assert oracle.differences(profile(run.rows["C1"], now), oracle.features(events, now)) == {}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        # date -u -d TEXT +%s
        ("2024-02-29T12:00:00Z", 1_709_208_000_000),
        ("2024-03-01T00:00:00Z", 1_709_251_200_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("2000-03-01T00:00:00Z", 951_868_800_000),
        ("2023-03-01T00:00:00Z", 1_677_628_800_000),
        ("2024-12-31T23:59:59.999Z", 1_735_689_599_999),
        ("2024-03-01T00:30:00+01:00", 1_709_249_400_000),
        ("2024-02-29T23:30:00-01:00", 1_709_253_000_000),
    ],
)
def test_moments_about_leap_days(text: str, milliseconds: int) -> None:
    assert parse_rfc3339(text) == milliseconds
    assert moment(text_of(text.encode() + PADDING), 0) == (milliseconds, len(text))
    assert parse_rfc3339(rfc3339(milliseconds)) == milliseconds


@pytest.mark.parametrize("day", ["2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2024-04-31"])
def test_days_that_there_are_not(day: str) -> None:
    with pytest.raises(ValueError, match="day"):
        parse_rfc3339(f"{day}T00:00:00Z")
    assert moment(text_of(f"{day}T00:00:00Z".encode() + PADDING), 0)[1] == NOT_FAST
