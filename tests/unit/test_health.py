"""What /healthz and /readyz are told, by a clock of the test's own."""

import pytest

from streams.ops.health import STALL_SECONDS, Health
from streams.ops.retry import LONGEST_SECONDS, GaveUp, Retry


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_part_that_stops_telling_has_stalled_until_it_tells_again_or_rests() -> None:
    clock = Clock()
    health = Health(clock)
    health.beat("consumer")
    clock.now += STALL_SECONDS
    assert health.problems() == []
    clock.now += 1
    assert health.problems() == ["consumer: has stalled for 31 s"]
    assert health.silence("consumer") == STALL_SECONDS + 1
    health.beat("consumer")
    assert health.problems() == []
    health.rest("consumer")
    clock.now += 10 * STALL_SECONDS
    assert (health.problems(), health.silence("consumer")) == ([], 0)


def test_an_agent_that_is_stuck_in_a_batch_or_does_not_take_one_is_not_alive() -> None:
    clock = Clock()
    health = Health(clock)
    clock.now += 10 * STALL_SECONDS
    assert health.alive, "it has nothing to do"
    health.handed_over()
    clock.now += STALL_SECONDS
    health.handed_over()
    assert health.alive
    clock.now += 1
    assert not health.alive
    assert "agent" in health.problems()[0]
    health.worked_off()
    assert health.problems() == []
    clock.now += STALL_SECONDS + 1
    assert not health.alive, "one more waits"
    health.worked_off()
    assert health.alive
    assert health.problems() == []


def test_a_crash_is_told_by_its_kind_alone_and_for_ever() -> None:
    health = Health()
    health.crashed(ValueError("customer-17"))
    health.crashed(KeyError("later"))
    assert not health.alive
    assert health.problems() == ["crashed: ValueError"]


def test_troubles_stand_until_they_are_over_each_by_itself() -> None:
    health = Health()
    health.trouble("redis", "cannot be reached")
    health.trouble("kafka", "no broker answers")
    assert health.problems() == ["kafka: no broker answers", "redis: cannot be reached"]
    health.fine("kafka")
    assert health.troubled("redis")
    assert health.problems() == ["redis: cannot be reached"]


def test_it_is_ready_while_all_that_it_needs_is_there() -> None:
    health = Health()
    for need in ("partitions", "caught up"):
        health.met(need)  # type: ignore[arg-type]
    assert health.waiting_for() == ["offer catalogue"]
    health.met("offer catalogue")
    assert health.waiting_for() == []
    health.missed("partitions")
    health.missed("partitions")
    assert health.waiting_for() == ["partitions"]
    health.met("partitions")
    assert health.waiting_for() == []


def test_attempts_come_later_and_later_and_end_with_the_time() -> None:
    clock = Clock()
    retry = Retry("reaching it", 100, clock)
    waits = [retry.failed(OSError()) for _ in range(20)]
    assert all(0 < wait <= LONGEST_SECONDS for wait in waits)
    assert waits[0] < LONGEST_SECONDS / 2 <= waits[-1]
    clock.now += 100
    retry.failed(OSError())
    assert retry.failing_seconds == 100
    clock.now += 1
    with pytest.raises(GaveUp, match="reaching it has failed for 100 s"):
        retry.failed(OSError())


def test_once_it_worked_the_time_starts_anew() -> None:
    clock = Clock()
    retry = Retry("reaching it", 100, clock)
    retry.failed(OSError())
    retry.worked()
    assert retry.failing_seconds == 0
    clock.now += 1_000
    assert retry.failed(OSError()) < 1
