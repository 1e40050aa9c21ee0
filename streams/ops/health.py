"""What /healthz and /readyz say: whether each part of the worker is alive, and whether it may be relied on yet.

Parts tell the Health what they do; it compares with the clock. A part that has stopped telling is a problem, so a
worker that hangs can't look healthy.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Literal

STALL_SECONDS = 30.0
"""A part that says nothing for longer has stalled: above the first batch's compilation, far above any batch."""

Part = Literal["consumer", "publisher", "event loop", "drift watcher"]
Need = Literal["offer catalogue", "partitions", "caught up"]

_NEEDS: tuple[Need, ...] = ("offer catalogue", "partitions", "caught up")


class Health:
    """Told by all threads, read by the web server. `clock` is in seconds and only differences of it are used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._beats: dict[Part, float] = {}
        self._waiting = 0
        self._agent_at: float | None = None
        self._troubles: dict[str, str] = {}
        self._notices: dict[str, str] = {}
        self._crash: str | None = None
        self._met: set[Need] = set()

    def beat(self, part: Part) -> None:
        """The part is alive; from now on it must say so again within STALL_SECONDS."""
        self._beats[part] = self._clock()

    def rest(self, part: Part) -> None:
        """The part has ended as it should: nothing more is expected of it."""
        self._beats.pop(part, None)

    def handed_over(self) -> None:
        """One more batch waits for the agent."""
        with self._lock:
            self._waiting += 1
            if self._agent_at is None:
                self._agent_at = self._clock()

    def worked_off(self) -> None:
        """The agent has done with a batch, and with everything that it had sent for it."""
        with self._lock:
            self._waiting -= 1
            self._agent_at = self._clock() if self._waiting else None

    def trouble(self, what: str, text: str) -> None:
        """Something outside doesn't work, until `fine` is said of the same thing."""
        with self._lock:
            self._troubles[what] = text

    def fine(self, what: str) -> None:
        with self._lock:
            self._troubles.pop(what, None)

    def notice(self, what: str, text: str | None) -> None:
        """Something that operators should know although the worker does all it can; None once it is over."""
        with self._lock:
            if text is None:
                self._notices.pop(what, None)
            else:
                self._notices[what] = text

    def notices(self) -> list[str]:
        """What operators should know beside the problems."""
        with self._lock:
            return [f"{what}: {text}" for what, text in sorted(self._notices.items())]

    def troubled(self, what: str) -> bool:
        return what in self._troubles

    def crashed(self, error: BaseException) -> None:
        """The worker will end: what it can't handle has happened. Only the kind of error is shown, never its text,
        which may hold what was processed."""
        self._crash = self._crash or type(error).__name__

    def met(self, need: Need) -> None:
        """One of the things that readiness waits for is there."""
        with self._lock:
            self._met.add(need)

    def missed(self, need: Need) -> None:
        """It is there no longer."""
        with self._lock:
            self._met.discard(need)

    @property
    def alive(self) -> bool:
        """The agent runs: it hasn't crashed and takes what is handed over."""
        return self._crash is None and not self._stuck()

    def silence(self, part: Part) -> float:
        """Seconds since the part's last beat; 0 for one that isn't expected to beat."""
        return max(0.0, self._clock() - self._beats.get(part, self._clock()))

    def problems(self) -> list[str]:
        """Why the worker is unhealthy; empty when it is healthy."""
        found = [] if self._crash is None else [f"crashed: {self._crash}"]
        if self._stuck():
            found.append(f"agent: has been on one batch, or has not taken one, for more than {STALL_SECONDS:.0f} s")
        for part in tuple(self._beats):
            if (silence := self.silence(part)) > STALL_SECONDS:
                found.append(f"{part}: has stalled for {silence:.0f} s")
        with self._lock:
            return found + [f"{what}: {text}" for what, text in sorted(self._troubles.items())]

    def waiting_for(self) -> list[Need]:
        """What is still to come before the worker is ready; empty when it is ready."""
        with self._lock:
            return [need for need in _NEEDS if need not in self._met]

    def _stuck(self) -> bool:
        since = self._agent_at
        return since is not None and self._clock() - since > STALL_SECONDS
