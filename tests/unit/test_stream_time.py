"""What moves stream time, what does not, and what counts as an outage of the feed."""

import numpy as np
import pytest

from handlers.intake.stream_time import LEAP_MS, StreamTime, follow, lost_to_outages
from handlers.kernel.customer_ids import ids_of
from schemas.units import DAY_MS, HOUR_MS
from tests.bank import START

NAMES = ["ann", "bob", "cid", "dora"]
IDS = dict(zip(NAMES, ids_of(NAMES), strict=True))


def came(time: StreamTime, *records: tuple[str, float]) -> StreamTime:
    """These customers' records come, each at so many days since START."""
    for name, days in records:
        follow(time.state, START + round(days * DAY_MS), IDS[name])
    return time


def bank(days: int = 20, customers: int = 3) -> StreamTime:
    """So many customers, each every day."""
    names = NAMES[:customers]
    return came(StreamTime(), *((name, day + n / 24) for day in range(days) for n, name in enumerate(names)))


def days(clock: int) -> float:
    return (clock - START) / DAY_MS


def test_it_only_grows() -> None:
    assert days(came(StreamTime(), ("ann", 1), ("bob", 3), ("ann", 2)).clock) == 3


def test_one_record_a_leap_ahead_does_not_move_it_and_a_second_does() -> None:
    far = LEAP_MS // DAY_MS + 1
    time = came(StreamTime(), ("ann", 1), ("bob", 1 + far))
    assert days(time.clock) == 1
    assert days(came(time, ("cid", 2)).clock) == 2, "time goes on where it was"
    assert days(came(time, ("cid", 20_000)).clock) == 2, "what bob said is forgotten"
    assert days(came(time, ("dora", 20_000)).clock) == 2, "a date that is no date comes again and again"
    assert days(came(time, ("ann", 20_001)).clock) == 20_000


def test_a_leap_just_within_the_bound_is_believed() -> None:
    assert came(StreamTime(), ("ann", 0), ("bob", LEAP_MS / DAY_MS)).clock == START + LEAP_MS


def test_an_outage_is_remembered_and_the_wall_clock_moves_nothing_beyond_what_is_usual() -> None:
    time = bank(20)
    last = time.clock
    usual = 2 * (DAY_MS - 2 * HOUR_MS)
    assert time.held(last + HOUR_MS) == last + HOUR_MS
    assert time.held(last + 10 * DAY_MS) == last + usual
    assert (time.outage_ms(last + usual), time.outage_ms(last + usual + 1)) == (0, usual + 1)
    came(time, ("ann", 31))
    assert time.outages[:3].tolist() == [last, START + 31 * DAY_MS, 0]
    assert time.held(time.clock + 10 * DAY_MS) == time.clock + usual, "an outage is no rhythm"


@pytest.mark.parametrize(("length", "customers"), [(20, 2), (5, 3)], ids=["few customers", "not known for a week"])
def test_nobody_can_tell_an_outage_of_a_feed_that_is_not_known(length: int, customers: int) -> None:
    time = bank(length, customers)
    assert time.held(time.clock + 300 * DAY_MS) == time.clock + 300 * DAY_MS
    assert time.outage_ms(time.clock + 300 * DAY_MS) == 0
    assert not came(time, ("ann", 60)).outages.any()


def test_a_feed_that_comes_once_a_week_has_no_outage_for_a_week() -> None:
    time = came(StreamTime(), *((name, 7 * week + n / 24) for week in range(9) for n, name in enumerate(NAMES)))
    assert not time.outages.any()
    assert time.outage_ms(time.clock + 13 * DAY_MS) == 0
    assert time.outage_ms(time.clock + 14 * DAY_MS) == 14 * DAY_MS


def test_a_heartbeat_says_that_there_is_no_outage() -> None:
    time = bank(20)
    time.heartbeat(START + 31 * DAY_MS)
    assert days(time.clock) == 31
    assert not came(time, ("ann", 31.5)).outages.any()


def test_of_a_silence_the_days_of_an_outage_are_lost_that_cut_into_it() -> None:
    outages = np.array([10, 12, 3, 5, 0, 0], np.int64) * DAY_MS
    lost = {
        (since, until): lost_to_outages(outages, since * DAY_MS, until * DAY_MS) // DAY_MS
        for since, until in [(0, 20), (4, 20), (5, 20), (11, 20), (12, 20), (0, 10), (0, 3)]
    }
    assert lost == {(0, 20): 4, (4, 20): 3, (5, 20): 2, (11, 20): 1, (12, 20): 0, (0, 10): 2, (0, 3): 0}
    assert lost_to_outages(outages, 10 * DAY_MS + 1, 20 * DAY_MS) == 2 * DAY_MS, "a part of a day is a day"


def test_what_is_stored_goes_on_where_it_was() -> None:
    time, stored = bank(20), None
    for day in (31, 31.5, 45, 60):
        kept = time.take()
        stored = kept or stored
        assert time.take() is None, "nothing has changed since"
        time = came(StreamTime(time.clock, stored or b""), ("bob", day))
    whole = came(bank(20), *(("bob", day) for day in (31, 31.5, 45, 60)))
    assert time.state.tolist() == whole.state.tolist()
    assert np.count_nonzero(whole.outages) == 4, "of bob alone nothing is known after a while"


def test_where_an_older_program_has_stored_nothing_stream_time_goes_on_all_the_same() -> None:
    time = StreamTime(START)
    assert came(time, ("ann", 1)).clock == START + DAY_MS
    assert time.take() is not None


def test_what_a_newer_program_has_stored_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        StreamTime(START, b"\xff" + bytes(8))
