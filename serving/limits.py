"""How often one caller may ask: a token bucket each."""

from collections import OrderedDict
from collections.abc import Callable

CALLERS_MAX = 10_000
BURST = 4
"""Seconds' worth that may come at once."""


class RateLimit:
    """For one thread. `clock` is in seconds; only differences of it are used."""

    def __init__(self, per_second: float, clock: Callable[[], float], burst: float | None = None) -> None:
        self._rate = per_second
        self._most = burst if burst is not None else max(BURST * per_second, 1.0)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By caller, the one that asked last at the end: how many are left, and when that was so."""

    def wait_seconds(self, caller: str) -> float:
        """0 where the caller may ask now, which then counts; else how long to wait."""
        now = self._clock()
        left, at = self._left.pop(caller, (self._most, now))
        left = min(left + (now - at) * self._rate, self._most)
        allowed = left >= 1
        self._left[caller] = (left - 1 if allowed else left, now)
        while len(self._left) > CALLERS_MAX:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate
