"""The work on what was polled, one batch after the other, in one thread beside the event loop."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import Lock
from typing import Protocol

from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.intake.transactions import Intake
from streams.broker.ownership import STANDING_STILL, Claim, Portion
from streams.broker.publisher import Publisher
from streams.ops.metrics import Metrics, Refusal, Step
from streams.partition.stages import Done, Task
from streams.store.port import Fenced, Moved, Store, StoreUnavailable

_log = logging.getLogger("tracker.loop")

SENT_MAX = 3
"""Turns whose commits are on their way to Redis while the next one is worked on."""

STEPS: tuple[Step, ...] = ("decode", "load", "decide", "commit")
"""Of a turn."""

_REFUSALS: dict[type[Exception], Refusal] = {Fenced: "fenced", Moved: "moved", StoreUnavailable: "unavailable"}


class Recovers(Protocol):
    """Who claims a partition again."""

    def reclaim(self, claim: Claim, error: Exception) -> None:
        """The store has refused work under this claim."""


class Loop:
    """`lock` is held while the state of any partition is worked on; whoever ends or makes a claim holds it too."""

    def __init__(
        self,
        lock: Lock,
        intake: Intake,
        engine: Engine,
        rules: Callable[[], Rules],
        store: Store,
        publisher: Publisher,
        claims: Recovers,
        metrics: Metrics,
    ) -> None:
        self._lock = lock
        self._intake = intake
        self._engine = engine
        self._rules = rules
        self._store = store
        self._publisher = publisher
        self._claims = claims
        self._metrics = metrics
        self._sent: deque[deque[tuple[Portion, Done]]] = deque()
        """By turn."""
        self._asked_ahead: list[tuple[Claim, list[str]]] = []
        """Customers of each partition whose rows are on their way for the next turn."""

    def work(self, portions: Sequence[Portion], upcoming: Callable[[], Sequence[Portion]]) -> None:
        """Works the portions off, all of them together, and sends their commits; what a partition was answered is
        looked at when it is there, at the latest SENT_MAX such turns later, or by `settle`. A partition that the store
        refuses is claimed again, one that can't go on stands still; any other exception is a fault of the program and
        passes through.

        `upcoming` tells those of the next call as soon as they are known: their rows are asked for meanwhile."""
        self._publisher.wait_for_room()
        with self._lock:
            if sent := self._begin([portion for portion in portions if portion.claim.alive], upcoming):
                self._sent.append(deque(sent))
            measured = [portion for portion in portions if portion.measure]
            while len(self._sent) > (0 if measured else SENT_MAX):  # what was refused is to be told as that
                self._end_turn()
            for portion in measured:
                if portion.claim.alive:
                    with self._caught(portion.claim):
                        self._measure(portion)

    def settle(self) -> None:
        """Looks at every answer that is still to come: nothing else is waiting to be done."""
        with self._lock:
            while self._sent:
                self._end_turn()

    def trim(self, claims: Iterable[Claim]) -> None:
        """Removes from the store's outbox what is published. The last thing that is done: `settle` has been called, and
        nothing is published any more. Where it does not work the next owner does it."""
        with self._lock:
            for claim in claims:
                if claim.alive:
                    try:
                        claim.partition.trim()
                    except (Fenced, Moved, StoreUnavailable) as error:
                        _log.warning("partition %d: its outbox is left as it is: %s", claim.number, error)

    def _begin(
        self, portions: Sequence[Portion], upcoming: Callable[[], Sequence[Portion]]
    ) -> list[tuple[Portion, Done]]:
        """Decoding and deciding cost a good part by the call: one call does it for all the partitions."""
        marks = [time.perf_counter()]
        ripe = [portion for portion in portions if self._is_ripe(portion)]
        batches = self._intake.batches([portion.claim.partition.unread(portion.records) for portion in ripe])
        self._end_answered()
        marks.append(time.perf_counter())
        for (claim, customers), rows in zip(self._asked_ahead, self._store.ahead(), strict=True):
            claim.partition.tell_ahead(customers, rows)
        tasks = []
        for portion, batch in zip(ripe, batches, strict=True):
            with self._caught(portion.claim):
                told = batch, portion.records, portion.now, portion.outcomes, portion.customer_events
                tasks.append((portion, portion.claim.partition.prepare(*told)))
        found = self._store.load_all([(portion.claim.number, task.missing) for portion, task in tasks])
        tasks, prepared = [], tasks
        for (portion, task), rows in zip(prepared, found, strict=True):
            with self._caught(portion.claim):
                portion.claim.partition.supply(task, rows)
                tasks.append((portion, task))
        self._ask_ahead([task for _, task in tasks], upcoming)
        marks.append(time.perf_counter())
        outcomes = self._engine.steps([task.part for _, task in tasks], self._rules())
        marks.append(time.perf_counter())
        sent = []
        for (portion, task), outcome in zip(tasks, outcomes, strict=True):
            with self._caught(portion.claim):
                done = portion.claim.partition.send(task, outcome)
                if done.sent:
                    sent.append((portion, done))
                else:
                    self._finish(portion, done)
        self._store.flush()
        marks.append(time.perf_counter())
        for step, (before, after) in zip(STEPS, pairwise(marks), strict=True):
            self._metrics.step_seconds[step].observe(after - before)
        return sent

    def _ask_ahead(self, tasks: Sequence[Task], upcoming: Callable[[], Sequence[Portion]]) -> None:
        """Where memory lacks rows: to look which takes a while. What is asked for only when it is needed has to wait
        for the commits before."""
        ahead = upcoming() if any(task.absent for task in tasks) else ()
        self._asked_ahead = [
            (portion.claim, portion.claim.partition.ask_ahead(portion.records))
            for portion in ahead
            if portion.claim.alive
        ]
        self._store.ask_ahead([(claim.number, customers) for claim, customers in self._asked_ahead])

    def _is_ripe(self, portion: Portion) -> bool:
        """Whether there is something to do; at rest the outbox is still trimmed."""
        claim = portion.claim
        with self._caught(claim):
            if not portion.empty and portion.follows != claim.partition.reached:
                raise Moved(f"partition {claim.number}: what was read before {portion.follows} is missing")
            return not portion.empty or portion.now is not None or portion.measure
        return False

    def _end_answered(self) -> None:
        """What is sent on top of a refused commit is refused as well, so it is no matter when an answer is seen."""
        while self._sent and self._store.has_answer():
            self._end(*self._sent[0].popleft())
            if not self._sent[0]:
                self._sent.popleft()

    def _end_turn(self) -> None:
        for portion, done in self._sent.popleft():
            self._end(portion, done)

    def _end(self, portion: Portion, done: Done) -> None:
        with self._caught(portion.claim):
            self._store.answered()
            if portion.claim.alive:  # else whoever owns the partition now finds what was committed
                portion.claim.committed = done.position.offsets
                self._finish(portion, done)

    def _finish(self, portion: Portion, done: Done) -> None:
        self._count(portion, done)
        clock = max(done.position.clock, portion.now or 0)
        offsets = portion.claim.acknowledged(done.position.offsets)
        self._publisher.add(portion.claim, done.outbox, offsets, clock)
        portion.claim.proved = True

    @contextmanager
    def _caught(self, claim: Claim) -> Iterator[None]:
        """Ends the claim where the store or the records do not let it go on."""
        try:
            yield
        except STANDING_STILL as error:
            self._refused(claim, error)
        except (Fenced, Moved, StoreUnavailable) as error:
            if claim.alive:
                reason = next(reason for kind, reason in _REFUSALS.items() if isinstance(error, kind))
                self._metrics.commits_refused[reason].inc()
                _log.warning("partition %d: %s: %s", claim.number, type(error).__name__, error)
            self._refused(claim, error)

    def _refused(self, claim: Claim, error: Exception) -> None:
        if claim.alive:
            claim.alive = False
            self._claims.reclaim(claim, error)

    def _count(self, portion: Portion, done: Done) -> None:
        metrics = self._metrics
        if portion.records:
            committed = metrics.partition(portion.claim.number).committed_timestamp_seconds
            committed.set(portion.records[-1].timestamp_ms / 1_000)
            metrics.batch_events.observe(len(portion.records))
        if not portion.empty:
            metrics.commits.inc()
        for counter, count in (
            (metrics.events, done.events),
            (metrics.duplicate_events, done.duplicates),
            (metrics.late_events, done.late),
            (metrics.offers_none_fitting, done.unfitting),
            (metrics.outcomes_unmatched, done.unmatched),
            (metrics.customer_events, done.customer_events),
            (metrics.unknown_types, done.unknown_types),
            (metrics.unknown_channels, done.unknown_channels),
        ):
            if count:  # mostly there is none: to count nothing costs as much as to count
                counter.inc(count)
        for rule, count in done.suppressed.items():
            metrics.alerts_suppressed[rule].inc(count)
        for bands, count in done.looks.items():
            metrics.churn_looks[bands].inc(count)
        for outcome, count in done.outcomes.items():
            metrics.outcomes[outcome].inc(count)
        for alert in done.alerts:
            metrics.alerts[alert.kind, alert.status].inc()
        for letter in done.dead_letters:
            metrics.dead_letters[letter.reason].inc()

    def _measure(self, portion: Portion) -> None:
        number, position = portion.claim.number, portion.claim.partition.position
        if self._store.read(number) != position:  # at rest nothing is committed, and so nothing else would notice
            raise Moved(f"partition {number} does not stand at version {position.version} of epoch {position.epoch}")
        gauges = self._metrics.partition(number)
        due, outbox = self._store.depths(number)
        gauges.due_customers.set(due)
        gauges.outbox_entries.set(outbox)
        portion.claim.next_due = self._store.next_due(number)
