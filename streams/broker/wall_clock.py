"""The clock on the wall, as far as it can be believed: of a machine that has resumed, or lost its time server, it may
jump ahead, and what falls due by it can't be taken back."""

import time
from collections.abc import Callable

STEP_SECONDS_MAX = 3_600.0
"""By so much it may jump ahead at once, as clocks differ that are right."""
PATIENCE_SECONDS = 600.0
"""A jump beyond that is believed once it has lasted so long."""


class WallClock:
    """Compared with a clock that nobody sets. Used by one thread."""

    def __init__(
        self, wall: Callable[[], float] = lambda: time.time(), steady: Callable[[], float] = time.monotonic
    ) -> None:
        """Both in seconds."""
        self._wall = wall
        self._steady = steady
        self._lead = wall() - steady()
        """Of the clock on the wall over the other, where it was believed."""
        self._jumped_at: float | None = None

    def now_ms(self) -> int:
        """Epoch ms. Where it has jumped ahead, what it would say had it not."""
        steady = self._steady()
        lead = self._wall() - steady
        if lead <= self._lead + STEP_SECONDS_MAX:
            self._lead, self._jumped_at = lead, None
        elif self._jumped_at is None:
            self._jumped_at = steady
        elif steady - self._jumped_at >= PATIENCE_SECONDS:
            self._lead, self._jumped_at = lead, None
        return int((steady + self._lead) * 1_000)
