"""The work on what was polled, one batch after the other, in one thread beside the event loop."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from streams.claim import STANDING_STILL, Claim, Portion
from streams.metrics import Metrics, Refusal, Step
from streams.partition import Done
from streams.publisher import Publisher
from streams.store import Fenced, Moved, Store, StoreUnavailable

_log = logging.getLogger("tracker.loop")

SENT_MAX = 3
"""Commits on their way to Redis while the next batch is worked on."""

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
        store: Store,
        publisher: Publisher,
        claims: Recovers,
        metrics: Metrics,
    ) -> None:
        self._lock = lock
        self._store = store
        self._publisher = publisher
        self._claims = claims
        self._metrics = metrics
        self._sent: deque[tuple[Portion, Done]] = deque()

    def work(self, portions: Sequence[Portion]) -> None:
        """Works each portion off and sends its commit; what a partition was answered is looked at SENT_MAX commits
        later, or by `settle`. A partition that the store refuses is claimed again, one that can't go on stands still;
        any other exception is a fault of the program and passes through."""
        self._publisher.wait_for_room()
        for portion in portions:
            with self._lock:
                if portion.claim.alive:
                    self._begin(portion)
                while len(self._sent) > SENT_MAX:
                    self._end(*self._sent.popleft())

    def settle(self) -> None:
        """Looks at every answer that is still to come: nothing else is waiting to be done."""
        with self._lock:
            while self._sent:
                self._end(*self._sent.popleft())

    def _begin(self, portion: Portion) -> None:
        claim = portion.claim
        with self._caught(claim):
            if not portion.empty or portion.now is not None or portion.measure:  # at rest the outbox is still trimmed
                if not portion.empty and portion.follows != claim.partition.reached:
                    raise Moved(f"partition {claim.number}: what was read before {portion.follows} is missing")
                done = claim.partition.begin(portion.records, portion.now, portion.outcomes, portion.customer_events)
                if done.sent:
                    self._sent.append((portion, done))
                else:
                    self._finish(portion, done)
            if portion.measure:
                self._measure(portion)

    def _end(self, portion: Portion, done: Done) -> None:
        with self._caught(portion.claim):
            self._store.answered()
            if portion.claim.alive:  # else whoever owns the partition now finds what was committed
                self._finish(portion, done)

    def _finish(self, portion: Portion, done: Done) -> None:
        self._count(portion, done)
        clock = max(done.position.clock, portion.now or 0)
        self._publisher.add(portion.claim, done.outbox, done.position.offsets, clock)
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
                self._metrics.commits_refused[_REFUSALS[type(error)]].inc()
                _log.warning("partition %d: %s: %s", claim.number, type(error).__name__, error)
            self._refused(claim, error)

    def _refused(self, claim: Claim, error: Exception) -> None:
        if claim.alive:
            claim.alive = False
            self._claims.reclaim(claim, error)

    def _count(self, portion: Portion, done: Done) -> None:
        metrics = self._metrics
        if portion.records:
            portion.claim.timestamp_ms = portion.records[-1].timestamp_ms
            committed = metrics.partition(portion.claim.number).committed_timestamp_seconds
            committed.set(portion.claim.timestamp_ms / 1_000)
            metrics.batch_events.observe(len(portion.records))
        if not portion.empty:
            metrics.commits.inc()
            for step, seconds in done.steps.items():
                metrics.step_seconds[_STEPS[step]].observe(seconds)
        metrics.events.inc(done.events)
        metrics.duplicate_events.inc(done.duplicates)
        metrics.late_events.inc(done.late)
        metrics.offers_none_fitting.inc(done.unfitting)
        for rule, count in done.suppressed.items():
            metrics.alerts_suppressed[rule].inc(count)
        for bands, count in done.looks.items():
            metrics.churn_looks[bands].inc(count)
        for outcome, count in done.outcomes.items():
            metrics.outcomes[outcome].inc(count)
        metrics.outcomes_unmatched.inc(done.unmatched)
        metrics.customer_events.inc(done.customer_events)
        metrics.unknown_types.inc(done.unknown_types)
        metrics.unknown_channels.inc(done.unknown_channels)
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
        next_due = self._store.next_due(number)
        clock = position.clock if portion.now is None else portion.now
        gauges.due_overdue_seconds.set(0 if next_due is None else max(0, clock - next_due) / 1_000)


_STEPS: dict[str, Step] = {"decode": "decode", "load": "load", "decide": "decide", "commit": "commit"}
