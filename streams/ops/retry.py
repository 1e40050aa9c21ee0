"""When to try again, and when to give up: exponential backoff with jitter, within a limit of time."""

import random
import time
from collections.abc import Callable
from threading import Event

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0


class GaveUp(Exception):
    """Something has failed for longer than TRACKER_RETRY_SECONDS_MAX."""


class Retry:
    """One series of attempts at one thing. `clock` is in seconds and only differences of it are used."""

    def __init__(self, what: str, seconds_max: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._seconds_max = seconds_max
        self._clock = clock
        self._since: float | None = None
        self._attempts = 0

    def failed(self, error: Exception) -> float:
        """Seconds to wait before the next attempt. Raises GaveUp when the limit of time has passed."""
        self._since = self._clock() if self._since is None else self._since
        if self._clock() - self._since > self._seconds_max:
            raise GaveUp(f"{self._what} has failed for {self._seconds_max:.0f} s") from error
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**self._attempts)
        self._attempts = min(self._attempts + 1, 16)
        return random.uniform(longest / 2, longest)

    def pause(self, error: Exception) -> None:
        """Waits before the next attempt. Raises the error itself when the limit of time has passed."""
        try:
            wait = self.failed(error)
        except GaveUp:
            raise error from None
        Event().wait(wait)

    def worked(self) -> None:
        self._since, self._attempts = None, 0

    @property
    def failing_seconds(self) -> float:
        """How long it has been failing; 0 when it works."""
        return 0.0 if self._since is None else self._clock() - self._since
