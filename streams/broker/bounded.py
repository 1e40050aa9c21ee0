"""Waits for a call no longer than told: for calls of a library that may wait for ever, whatever timeout they have."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread


class Bounded:
    """Makes calls one after the other in a thread of its own. Used by one thread.

    The thread is a daemon, which those of concurrent.futures are not: one that hangs must not keep the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], object] | None] | None = None
        self._answers: SimpleQueue[BaseException | None] = SimpleQueue()

    def call(self, step: Callable[[], object], seconds_max: float) -> None:
        """Returns when `step` has returned; raises what it raises, and TimeoutError when it takes too long.

        It is then left to itself, with all that it holds, and whatever comes of it goes nowhere.
        """
        if self._calls is None:
            self._calls, self._answers = SimpleQueue(), SimpleQueue()
            Thread(target=_serve, args=(self._calls, self._answers), name=self._name, daemon=True).start()
        self._calls.put(step)
        try:
            error = self._answers.get(timeout=seconds_max)
        except Empty:
            self.close()
            raise TimeoutError(f"no answer within {seconds_max:.0f} s") from None
        if error is not None:
            raise error

    def close(self) -> None:
        """Ends the thread, when it has nothing under way any more."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(calls: SimpleQueue[Callable[[], object] | None], answers: SimpleQueue[BaseException | None]) -> None:
    while (step := calls.get()) is not None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
            answers.put(error)
        else:
            answers.put(None)
        del step  # what it holds may be closed by its last reference
