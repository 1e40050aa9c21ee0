"""A clock that jumps ahead is not believed at once; one that goes, or is set back, is."""

from streams.broker.wall_clock import PATIENCE_SECONDS, STEP_SECONDS_MAX, WallClock

YEAR = 365 * 86_400.0


class Clocks:
    """Two that go together, until the one on the wall is set."""

    def __init__(self) -> None:
        self.steady, self.ahead = 50.0, 1_700_000_000.0
        self.clock = WallClock(lambda: self.steady + self.ahead, lambda: self.steady)

    def after(self, seconds: float, *, set_by: float = 0.0) -> float:
        """What is believed so many seconds later, over what it would have been had nobody set the clock."""
        self.steady += seconds
        self.ahead += set_by
        return self.clock.now_ms() / 1_000 - self.steady - 1_700_000_000.0


def test_it_is_followed_as_it_goes_and_where_it_is_set_by_little_or_back() -> None:
    clocks = Clocks()
    assert clocks.after(1_000_000) == 0
    assert clocks.after(1, set_by=STEP_SECONDS_MAX) == STEP_SECONDS_MAX
    assert clocks.after(1, set_by=-2 * STEP_SECONDS_MAX) == -STEP_SECONDS_MAX


def test_a_year_ahead_for_a_while_is_not_believed() -> None:
    clocks = Clocks()
    assert [clocks.after(1, set_by=YEAR), clocks.after(PATIENCE_SECONDS - 1)] == [0, 0]
    assert [clocks.after(1, set_by=-YEAR), clocks.after(PATIENCE_SECONDS)] == [0, 0]
    assert clocks.after(1, set_by=YEAR) == 0, "the wait begins anew"


def test_a_jump_that_lasts_is_believed() -> None:
    clocks = Clocks()
    assert [clocks.after(1, set_by=YEAR), clocks.after(PATIENCE_SECONDS - 1), clocks.after(1)] == [0, 0, YEAR]
