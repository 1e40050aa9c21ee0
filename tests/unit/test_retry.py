"""When something is tried again, and when it is given up."""

import pytest

from streams.ops.retry import GaveUp, Retry


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_doubles_from_a_fifth_of_a_second_to_five_and_is_drawn_from_its_upper_half() -> None:
    drawn = []
    for _ in range(200):
        retry = Retry("it", 1_000, Clock())
        drawn.append([retry.failed(OSError()) for _ in range(8)])
    for waits, longest in zip(zip(*drawn, strict=True), (0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5), strict=True):
        assert longest / 2 <= min(waits) < 0.6 * longest
        assert 0.9 * longest < max(waits) <= longest


def test_it_gives_up_when_it_has_failed_for_longer_than_the_limit_and_names_what_and_why() -> None:
    clock = Clock()
    retry = Retry("asking Kafka", 30, clock)
    for clock.now in (5, 20, 35):
        retry.failed(OSError("no route"))
    assert retry.failing_seconds == 30
    clock.now = 35.1
    with pytest.raises(GaveUp, match="asking Kafka has failed for 30 s") as raised:
        retry.failed(OSError("no route"))
    assert str(raised.value.__cause__) == "no route"


def test_what_has_worked_once_starts_anew() -> None:
    clock = Clock()
    retry = Retry("it", 30, clock)
    for _ in range(6):
        retry.failed(OSError())
    clock.now = 29
    retry.worked()
    assert retry.failing_seconds == 0
    clock.now = 50
    assert retry.failed(OSError()) <= 0.2
    clock.now = 80
    retry.failed(OSError())


def test_pausing_beyond_the_limit_raises_what_went_wrong_and_nothing_about_retrying() -> None:
    clock = Clock()
    retry = Retry("asking Kafka", 30, clock)
    retry.failed(OSError())
    clock.now = 31
    with pytest.raises(OSError, match="no route") as raised:
        retry.pause(OSError("no route"))
    assert raised.value.__cause__ is None
