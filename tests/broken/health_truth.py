"""Threads that hang and are not missed."""

from tests.broken.mistake import Mistake

_HANGS = "tests/river/test_health_truth.py::test_a_thread_that_hangs_makes_the_worker_unhealthy"

MISTAKES = (
    Mistake(
        "agent-that-takes-nothing",
        "An agent that hangs, or is gone, is not missed.",
        "streams/worker/app.py",
        "        self._health.handed_over()\n",
        "",
        f"{_HANGS}[agent]",
        also=(("streams/worker/app.py", "                self._health.worked_off()\n", ""),),
    ),
    Mistake(
        "event-loop-that-hangs",
        "An event loop that stands still is not missed.",
        "streams/worker/app.py",
        'self._health.beat("event loop")',
        "pass",
        f"{_HANGS}[event loop]",
    ),
    Mistake(
        "drift-watcher-that-hangs",
        "A drift watcher that hangs is not missed: its figures stay as they were.",
        "streams/worker/drift_monitor.py",
        'self._health.beat("drift watcher")',
        "pass",
        f"{_HANGS}[drift watcher]",
    ),
    Mistake(
        "consumer-that-hangs",
        "A polling thread that hangs is not missed.",
        "streams/broker/poller.py",
        'self._health.beat("consumer")',
        "pass",
        f"{_HANGS}[consumer]",
    ),
)
