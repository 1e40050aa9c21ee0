"""The work on what was polled, one batch after the other, in one thread beside the event loop."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import Lock
from typing import Protocol

from streams.broker.ownership import STANDING_STILL, Ownership, PolledBatch
from streams.broker.publisher import Publisher
from streams.ops.metrics import Metrics, Refusal, Step
from streams.partition.stages import CommittedBatch, PreparedBatch
from streams.store.port import Fenced, Moved, StoreUnavailable
from streams.worker.bootstrap import Parts

_log = logging.getLogger("tracker.loop")

SENT_MAX = 3
"""Turns whose commits are on their way to Redis while the next one is worked on."""

STEPS: tuple[Step, ...] = ("decode", "load", "decide", "commit")
"""Of a turn."""

_REFUSALS: dict[type[Exception], Refusal] = {Fenced: "fenced", Moved: "moved", StoreUnavailable: "unavailable"}


class Recovers(Protocol):
    """Who claims a partition again."""

    def reclaim(self, ownership: Ownership, error: Exception) -> None:
        """The store has refused work under this ownership."""


class Loop:
    """`lock` is held while the state of any partition is worked on; whoever begins or ends one's ownership holds it."""

    def __init__(
        self,
        lock: Lock,
        parts: Parts,
        publisher: Publisher,
        ownerships: Recovers,
        metrics: Metrics,
    ) -> None:
        self._lock = lock
        self._intake, self._engine, self._rules, self._store = parts.intake, parts.engine, parts.rules, parts.store
        self._publisher = publisher
        self._assignment = ownerships
        self._metrics = metrics
        self._sent: deque[deque[tuple[PolledBatch, CommittedBatch]]] = deque()
        """By turn."""
        self._asked_ahead: list[tuple[Ownership, list[str]]] = []
        """Customers of each partition whose rows are on their way for the next turn."""

    def work(self, polled_batches: Sequence[PolledBatch], upcoming: Callable[[], Sequence[PolledBatch]]) -> None:
        """Works the portions off, all of them together, and sends their commits; what a partition was answered is
        looked at when it is there, at the latest SENT_MAX such turns later, or by `settle`. A partition that the store
        refuses is claimed again, one that can't go on stands still; any other exception is a fault of the program and
        passes through.

        `upcoming` tells those of the next call as soon as they are known: their rows are asked for meanwhile."""
        self._publisher.wait_for_room()
        with self._lock:
            if sent := self._begin([polled for polled in polled_batches if polled.ownership.alive], upcoming):
                self._sent.append(deque(sent))
            measured = [polled for polled in polled_batches if polled.measure]
            while len(self._sent) > (0 if measured else SENT_MAX):  # what was refused is to be told as that
                self._end_turn()
            for polled in measured:
                if polled.ownership.alive:
                    with self._caught(polled.ownership):
                        self._measure(polled)

    def settle(self) -> None:
        """Looks at every answer that is still to come: nothing else is waiting to be done."""
        with self._lock:
            while self._sent:
                self._end_turn()

    def trim(self, ownerships: Iterable[Ownership]) -> None:
        """Removes from the store's outbox what is published. The last thing that is done: `settle` has been called, and
        nothing is published any more. Where it does not work the next owner does it."""
        with self._lock:
            for ownership in ownerships:
                if ownership.alive:
                    try:
                        ownership.partition.trim()
                    except (Fenced, Moved, StoreUnavailable) as error:
                        _log.warning("partition %d: its outbox is left as it is: %s", ownership.number, error)

    def _begin(
        self, polled_batches: Sequence[PolledBatch], upcoming: Callable[[], Sequence[PolledBatch]]
    ) -> list[tuple[PolledBatch, CommittedBatch]]:
        """Decoding and deciding cost a good part by the call: one call does it for all the partitions."""
        marks = [time.perf_counter()]
        ripe = [polled for polled in polled_batches if self._is_ripe(polled)]
        batches = self._intake.batches(
            [polled.ownership.partition.unread(polled.records, polled.wall) for polled in ripe]
        )
        self._end_answered()
        marks.append(time.perf_counter())
        for (ownership, customers), rows in zip(self._asked_ahead, self._store.ahead(), strict=True):
            ownership.partition.tell_ahead(customers, rows)
        tasks = []
        for polled, batch in zip(ripe, batches, strict=True):
            with self._caught(polled.ownership):
                told = batch, polled.records, polled.now, polled.beside, polled.wall
                tasks.append((polled, polled.ownership.partition.prepare(*told)))
        found = self._store.load_all([(polled.ownership.number, task.missing) for polled, task in tasks])
        tasks, prepared = [], tasks
        for (polled, task), rows in zip(prepared, found, strict=True):
            with self._caught(polled.ownership):
                polled.ownership.partition.supply(task, rows)
                tasks.append((polled, task))
        self._ask_ahead([task for _, task in tasks], upcoming)
        marks.append(time.perf_counter())
        outcomes = self._engine.steps([task.part for _, task in tasks], self._rules())
        marks.append(time.perf_counter())
        sent = []
        for (polled, task), outcome in zip(tasks, outcomes, strict=True):
            with self._caught(polled.ownership):
                done = polled.ownership.partition.send(task, outcome)
                if done.sent:
                    sent.append((polled, done))
                else:
                    self._finish(polled, done)
        self._store.flush()
        marks.append(time.perf_counter())
        for step, (before, after) in zip(STEPS, pairwise(marks), strict=True):
            self._metrics.step_seconds[step].observe(after - before)
        return sent

    def _ask_ahead(self, tasks: Sequence[PreparedBatch], upcoming: Callable[[], Sequence[PolledBatch]]) -> None:
        """Where memory lacks rows: to look which takes a while. What is asked for only when it is needed has to wait
        for the commits before."""
        ahead = upcoming() if any(task.absent for task in tasks) else ()
        self._asked_ahead = [
            (polled.ownership, polled.ownership.partition.ask_ahead(polled.records))
            for polled in ahead
            if polled.ownership.alive
        ]
        self._store.ask_ahead([(ownership.number, customers) for ownership, customers in self._asked_ahead])

    def _is_ripe(self, polled: PolledBatch) -> bool:
        """Whether there is something to do; at rest the outbox is still trimmed."""
        ownership = polled.ownership
        with self._caught(ownership):
            if not polled.empty and polled.follows != ownership.partition.reached:
                raise Moved(f"partition {ownership.number}: what was read before {polled.follows} is missing")
            return not polled.empty or polled.now is not None or polled.measure
        return False

    def _end_answered(self) -> None:
        """What is sent on top of a refused commit is refused as well, so it is no matter when an answer is seen."""
        while self._sent and self._store.has_answer():
            self._end(*self._sent[0].popleft())
            if not self._sent[0]:
                self._sent.popleft()

    def _end_turn(self) -> None:
        for polled, done in self._sent.popleft():
            self._end(polled, done)

    def _end(self, polled: PolledBatch, done: CommittedBatch) -> None:
        with self._caught(polled.ownership):
            self._store.answered()
            if polled.ownership.alive:  # else whoever owns the partition now finds what was committed
                polled.ownership.working.committed = done.position.offsets
                self._finish(polled, done)

    def _finish(self, polled: PolledBatch, done: CommittedBatch) -> None:
        self._count(polled, done)
        clock = max(done.position.clock, polled.now or 0)
        offsets = polled.ownership.acknowledged(done.position.offsets)
        self._publisher.add(polled.ownership, done.outbox, offsets, clock)
        polled.ownership.working.proved = True

    @contextmanager
    def _caught(self, ownership: Ownership) -> Iterator[None]:
        """Ends the ownership where the store or the records do not let it go on."""
        try:
            yield
        except STANDING_STILL as error:
            self._refused(ownership, error)
        except (Fenced, Moved, StoreUnavailable) as error:
            if ownership.alive:
                reason = next(reason for kind, reason in _REFUSALS.items() if isinstance(error, kind))
                self._metrics.commits_refused[reason].inc()
                _log.warning("partition %d: %s: %s", ownership.number, type(error).__name__, error)
            self._refused(ownership, error)

    def _refused(self, ownership: Ownership, error: Exception) -> None:
        if ownership.alive:
            ownership.alive = False
            self._assignment.reclaim(ownership, error)

    def _count(self, polled: PolledBatch, done: CommittedBatch) -> None:
        metrics = self._metrics
        if polled.records:
            committed = metrics.partition(polled.ownership.number).committed_timestamp_seconds
            committed.set(polled.records[-1].timestamp_ms / 1_000)
            metrics.batch_events.observe(len(polled.records))
        if not polled.empty:
            metrics.commits.inc()
        for counter, count in (
            (metrics.events, done.events),
            (metrics.duplicate_events, done.duplicates),
            (metrics.late_events, done.late),
            (metrics.untimely_events, done.untimely),
            (metrics.offers_none_fitting, done.unfitting),
            (metrics.outcomes_unmatched, done.unmatched),
            (metrics.early_reversals, done.early_reversals),
            (metrics.unknown_types, done.unknown_types),
            (metrics.unknown_channels, done.unknown_channels),
        ):
            if count:  # mostly there is none: to count nothing costs as much as to count
                counter.inc(count)
        for rule, count in done.suppressed.items():
            metrics.alerts_suppressed[rule].inc(count)
        for bands, count in done.looks.items():
            metrics.churn_looks[bands].inc(count)
        for counted_as, count in done.taken.items():
            metrics.taken[counted_as].inc(count)
        for alert in done.alerts:
            metrics.alerts[alert.kind, alert.status].inc()
        for letter in done.dead_letters:
            metrics.dead_letters[letter.reason].inc()

    def _measure(self, polled: PolledBatch) -> None:
        number, position = polled.ownership.number, polled.ownership.partition.position
        if self._store.read(number) != position:  # at rest nothing is committed, and so nothing else would notice
            raise Moved(f"partition {number} does not stand at version {position.version} of epoch {position.epoch}")
        gauges = self._metrics.partition(number)
        due, outbox = self._store.depths(number)
        gauges.due_customers.set(due)
        gauges.outbox_entries.set(outbox)
        ownership, next_due = polled.ownership, self._store.next_due(number)
        working, caught_up = ownership.working, ownership.reading.caught_up
        working.outage_ms = ownership.partition.outage_ms(polled.wall) if caught_up and polled.wall else 0
        working.next_due = None if next_due is None or working.outage_ms else ownership.partition.looked_at(next_due)
