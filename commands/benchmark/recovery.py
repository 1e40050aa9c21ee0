"""What a start, a crash and a change of the team cost."""

import time
from dataclasses import dataclass
from threading import Thread
from typing import Self

from commands.benchmark.latency import hear
from commands.benchmark.load import Sender, Subscriber
from commands.benchmark.stage import Stage, Worker
from commands.benchmark.throughput import publish
from commands.benchmark.workload import Workload
from commands.console import Failure

CRASH_RATE, CRASH_SECONDS_MAX = 2_000.0, 100.0
"""Load under which a worker is killed, and how long it goes on at most."""
FIRST = "first"
"""Name of the first worker: the one that follows a crash has it too, and so has its partitions back at once."""

_BEFORE_SECONDS = 3.0
_CAUGHT_UP_SECONDS = 0.25
"""Behind the load by less than that is caught up."""

REBALANCE_RATE, REBALANCE_SECONDS = 5_000.0, 60.0
_STEADY_SECONDS = 5.0
"""Before the second worker comes, and between its being ready and its leaving."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The team is killed (SIGKILL) under load and one worker is started at once, under the name of the first."""

    to_first_event_s: float
    """From the kill to the first commit after it. Of a team, what Kafka takes to miss the others is included."""
    to_caught_up_s: float


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Alerts under steady load while a second worker joins, and later leaves in order. Latencies as in Latency."""

    steady_max_ms: float
    join_s: float
    """From the second worker's start until it is ready, with its part of the partitions."""
    join_max_ms: float
    """The longest latency from its start until it leaves."""
    leave_max_ms: float
    """From then on."""
    missing: int


class Second:
    """Another worker that comes and goes while the first is at work, in a thread of its own."""

    def __init__(self, stage: Stage) -> None:
        self.came = self.ready = self.left = float("inf")
        self._stage = stage
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        time.sleep(_STEADY_SECONDS)
        self.came = time.monotonic()
        worker = self._stage.start_worker()
        worker.wait_ready()
        self.ready = time.monotonic()
        time.sleep(_STEADY_SECONDS)
        self.left = time.monotonic()
        worker.stop()


def start(stage: Stage, workload: Workload) -> tuple[Worker, float]:
    """A worker started where records wait, and the seconds from its start to its first commit."""
    before = stage.processed()
    publish(stage, workload.part(1_000))
    worker = stage.start_worker(FIRST)
    worker.wait_until(lambda: stage.processed() > before, CRASH_SECONDS_MAX)
    seconds = time.monotonic() - worker.started
    worker.wait_ready()
    return worker, seconds


def crash(stage: Stage, workload: Workload, team: list[Worker]) -> Crash:
    """Kills the whole team; what the sender still has is left unsent once the new worker has caught up."""
    part = workload.part(int(CRASH_RATE * CRASH_SECONDS_MAX), span_ms=round(CRASH_SECONDS_MAX * 1000))
    stage.rest()
    before = stage.processed()
    sender = Sender(part, CRASH_RATE, stage.settings.topic_transactions, stage.partitions)
    try:
        time.sleep(max(0.0, sender.go() + _BEFORE_SECONDS - time.monotonic()))
        for worker in team:
            worker.kill()
        killed, stood = time.monotonic(), stage.processed()
        worker = stage.start_worker(FIRST)
        worker.wait_until(lambda: stage.processed() > stood, CRASH_SECONDS_MAX)
        first = time.monotonic()

        def caught_up() -> bool:
            due = min(len(part), sender.due(time.monotonic()))
            return stage.processed() - before >= due - CRASH_RATE * _CAUGHT_UP_SECONDS

        worker.wait_until(caught_up, CRASH_SECONDS_MAX)
        return Crash(first - killed, time.monotonic() - killed)
    finally:
        sender.close()


def rebalance(stage: Stage, workload: Workload) -> Rebalance:
    """One worker is at work already; another comes and goes, which must not take longer than the load: else Failure."""
    part = workload.part(int(REBALANCE_RATE * REBALANCE_SECONDS), span_ms=round(REBALANCE_SECONDS * 1000))
    stage.rest()
    expected = set(part.number[part.alerting].tolist())
    subscriber = Subscriber(stage, stage.settings.topic_alerts)
    sender = Sender(part, REBALANCE_RATE, stage.settings.topic_transactions, stage.partitions)
    try:
        with Second(stage) as second:
            heard, _ = hear(sender, subscriber, part, expected)
        sender.wait()
    finally:
        sender.close()
        subscriber.close()
    if second.left > sender.start + REBALANCE_SECONDS:
        raise Failure(f"A second worker did not come and go within {REBALANCE_SECONDS:g} s")
    first = int(part.number[0])
    steady, join, leave = 0.0, 0.0, 0.0
    for number, at in heard.items():
        due = sender.start + (number - first) / REBALANCE_RATE
        waited = (at - due) * 1e3
        if due < second.came:
            steady = max(steady, waited)
        elif due < second.left:
            join = max(join, waited)
        else:
            leave = max(leave, waited)
    return Rebalance(steady, second.ready - second.came, join, leave, len(expected - heard.keys()))
