"""How many event ids a partition remembers, with the numbers that are promised."""

import numpy as np

from handlers.intake.dedup import Arrivals, DuplicateFilter
from handlers.intake.stream_time import StreamTime
from handlers.kernel.jit import I8, NONE

HOUR = 3_600_000


def hashes(first: int, count: int) -> I8:
    """Of that many different events."""
    return np.arange(first + 1, first + count + 1, dtype=np.int64) * 0x9E3779B97F4A7C1


def come(seen: DuplicateFilter, first: int, count: int, at: int) -> int:
    """So many events come at a moment; how many of them are taken for duplicates."""
    _, repeated, _ = seen.sift(Arrivals.simple(hashes(first, count), np.full(count, at)), StreamTime())
    return int(repeated.sum())


def known(seen: DuplicateFilter, first: int, count: int = 1) -> int:
    """How many of these are known, without time going on."""
    _, repeated, _ = seen.sift(Arrivals.simple(hashes(first, count), np.full(count, NONE)), StreamTime())
    return int(repeated.sum())


def test_the_last_1048576_events_are_known_however_long_ago_and_all_of_the_last_24_hours() -> None:
    """Segments of 65,536 events: twenty at the start, one a day later to the millisecond, one a millisecond later."""
    seen = DuplicateFilter()
    assert come(seen, 0, 1_310_720, 1_000 * HOUR) == 0
    assert come(seen, 1_310_720, 65_536, 1_024 * HOUR) == 0
    assert seen.events == 1_376_256
    assert known(seen, 0, 100) == 100, "a day is not over yet"
    assert come(seen, 1_376_256, 65_536, 1_024 * HOUR + 1) == 0
    assert known(seen, 1_441_792 - 1_048_576, 100) == 100
    assert known(seen, 1_441_791) == 1
    assert known(seen, 1_441_792 - 1_048_576 - 1) == 0, "older than a day, and beyond the last million"


def test_of_one_day_4194304_events_are_known_and_no_more() -> None:
    seen = DuplicateFilter()
    assert come(seen, 0, 4_194_304, 0) == 0
    assert known(seen, 0, 100) == 100
    assert come(seen, 4_194_304, 65_536, 0) == 0
    assert known(seen, 65_536, 100) == 100
    assert known(seen, 0) == 0
