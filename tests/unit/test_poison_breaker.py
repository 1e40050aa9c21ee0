"""The breaker on a flood of refused records."""

import pytest

from streams.partition.poison_breaker import RECORDS, RECORDS_MIN, PoisonBreaker, PoisonFlood


def test_a_few_refused_records_pass() -> None:
    breaker = PoisonBreaker(0.5)
    for _ in range(1_000):
        breaker.see(100, 50)


def test_a_flood_stops_at_once_when_a_batch_holds_enough_records() -> None:
    with pytest.raises(PoisonFlood, match=f"{RECORDS_MIN} of the last {RECORDS_MIN} records"):
        PoisonBreaker(0.5).see(RECORDS_MIN, RECORDS_MIN)


def test_a_flood_of_small_batches_stops_as_soon_as_a_share_can_be_told() -> None:
    breaker = PoisonBreaker(0.5)
    for _ in range(RECORDS_MIN - 1):
        breaker.see(1, 1)
    with pytest.raises(PoisonFlood):
        breaker.see(1, 1)


def test_a_flood_after_a_long_good_time_stops_within_the_window() -> None:
    breaker = PoisonBreaker(0.5)
    for _ in range(1_000):
        breaker.see(100, 0)
    for _ in range(RECORDS // 20):
        breaker.see(10, 10)
    with pytest.raises(PoisonFlood):
        breaker.see(10, 10)


def test_with_a_share_of_one_everything_passes() -> None:
    breaker = PoisonBreaker(1.0)
    for _ in range(100):
        breaker.see(1_000, 1_000)


def test_a_tick_changes_nothing() -> None:
    breaker = PoisonBreaker(0.0)
    for _ in range(3):
        breaker.see(0, 0)
    breaker.see(RECORDS_MIN, 0)


def test_exactly_the_share_that_is_allowed_passes_and_one_more_does_not() -> None:
    breaker = PoisonBreaker(0.5)
    breaker.see(100, 50)
    breaker.see(100, 50)
    with pytest.raises(PoisonFlood, match="101 of the last 201 records"):
        breaker.see(1, 1)


def test_of_ninety_nine_records_no_share_is_taken() -> None:
    PoisonBreaker(0.0).see(99, 99)
    with pytest.raises(PoisonFlood, match="100 of the last 100 records"):
        PoisonBreaker(0.0).see(100, 100)


def test_the_share_is_of_the_last_thousand_records() -> None:
    """600 refused of 1,200 would be no more than half; but the first 200, all good, are a thousand behind."""
    breaker = PoisonBreaker(0.5)
    for _ in range(6):
        breaker.see(100, 0)
    for _ in range(5):
        breaker.see(100, 100)
    with pytest.raises(PoisonFlood, match="600 of the last 1000 records"):
        breaker.see(100, 100)
