"""One step: a batch of events and the customers who are due, in; rows, due times and alerts, out.

Several partitions can take a step together, because a step costs by the call; each comes to the same as by itself.
Pure: the outcome depends on the rows, the events in their order, and stream time; not on how the stream was cut into
batches. The kernel advances one customer after another and writes down the moments that need a decision; these are
decided afterwards, in the order of the stream, because a decision may depend on another customer's (budgets, learning).
What is decided changes a row's dealings only, which the kernel does not read.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from handlers.advance import (
    AFTER,
    CURSOR,
    CURSOR_CUSTOMER,
    CURSOR_MOMENTS,
    CURSOR_NOTES,
    CURSOR_OUT,
    DONE,
    DUE_AFTER,
    DUE_BEFORE,
    LATES,
    ROW_END,
    TAIL,
    UNFITTINGS,
    advance,
)
from handlers.batch import I8, Batch
from handlers.bundle import Bundle, Part
from handlers.churn import Judged
from handlers.churn_model import ChurnModel, Scorer
from handlers.churn_watch import watch_of
from handlers.dealings import Rule
from handlers.decisions import Decisions
from handlers.fold import new_work
from handlers.found import (
    AT_LOOK,
    NOTE_AT,
    NOTE_CUSTOMER,
    NOTE_EVENT,
    NOTE_INPUTS,
    NOTE_LOG_ODDS,
    SILENT,
    new_found,
)
from handlers.jit import F8
from handlers.ledger import LEDGER, Ledger
from handlers.measures import SPEC
from handlers.moments import DEPOSIT_MATURING, RETURNED, RUN_OFF
from handlers.notes import Note
from handlers.row import ROW_BYTES_MAX, new_scratch
from handlers.rules import Rules as Rules
from handlers.screen import screen_of
from handlers.shadow import Look, looks
from handlers.snapshot import Snapshot
from handlers.waiting import waiting_of
from schemas.alert import Alert
from schemas.offer import Offer
from schemas.units import rfc3339

_BUFFER_BYTES = 16 * ROW_BYTES_MAX


@dataclass(slots=True)
class Outcome:
    """What a step changes."""

    rows: dict[str, bytes]
    """By customer, and by LEDGER where the ledger has changed."""
    due: dict[str, int | None]
    """Only where the due time changed; None is never."""
    alerts: list[Alert]
    """In stream order: by the event or the moment of stream time that caused them."""
    clock: int
    late: int
    """Events that only lifetime figures could take."""
    unfitting: int = 0
    """Moments at which no offer fitted."""
    suppressed: Counter[Rule] = field(default_factory=Counter)
    """Alerts that were not sent, by rule (dealings.RULES)."""
    unmatched: int = 0
    """Outcomes of alerts that are not known, or no longer."""
    looks: list[Look] = field(default_factory=list)
    """What champion and challenger said, in stream order; none without a challenger."""


_NOTE = -1


class _Pending(NamedTuple):
    """Something to decide on."""

    key: tuple[int, int, int, str]
    """Its place in the stream: reached at this entry of the batch; before, at or after it; due time; customer."""
    what: int
    """SILENT, AT_LOOK, AT_EVENT or _NOTE."""
    at: int
    bits: int = 0
    raised: int = 0
    tier: int = 0
    values: I8 | None = None
    share: float = 0.0
    judged: Judged | None = None
    note: Note | None = None


def _passed(batch: Batch, event: int, at: int, customer: str) -> tuple[int, int, int, str]:
    """The place in the stream of a due time; `event` is this customer's before it, -1 if none in the batch."""
    reached = int(np.searchsorted(batch.clock, at))
    return (reached, AFTER - 1, at, customer) if reached > event else (event, AFTER + 1, at, customer)


class Engine:
    """Holds no customer's state between steps, only room to work in."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._scratch = new_scratch()
        self._room = new_work()
        self._found = new_found()
        self._buffer = np.empty(_BUFFER_BYTES, np.uint8)
        self._model: ChurnModel | None = None
        self._scorer: Scorer | None = None
        self._rival: ChurnModel | None = None
        self._challenger: Scorer | None = None
        self._screened: tuple[Offer, ...] = ()
        self._waiting = waiting_of(())
        self._screen = screen_of(self._waiting)

    def step(self, part: Part, rules: Rules) -> Outcome:
        """`steps` of one partition alone."""
        return self.steps([part], rules)[0]

    def steps(self, parts: Sequence[Part], rules: Rules) -> list[Outcome]:
        """Folds each partition's batch and lets due times pass up to its clock_end."""
        if not parts:
            return []
        bundle = Bundle(parts)
        if rules.offers is not self._screened:
            self._screened, self._waiting = rules.offers, waiting_of(rules.offers)
            self._screen = screen_of(self._waiting)
        screen = self._screen
        wanted = RETURNED | int(np.bitwise_or.reduce(screen.offers[:, 0], initial=0))
        tiers = np.array(rules.policy.tiers_minor, np.int64)
        if rules.churn is not self._model:
            self._model, self._scorer = rules.churn, None if rules.churn is None else Scorer(rules.churn)
        if rules.challenger is not self._rival:
            self._rival = rules.challenger
            self._challenger = None if rules.challenger is None else Scorer(rules.challenger)
        weights = None if self._scorer is None else self._scorer.weights
        watch = watch_of(weights, rules.policy, noted=self._challenger is not None)
        seen_by_both: list[F8] = []
        cursor = np.zeros(CURSOR, np.int64)
        pending: list[list[_Pending]] = [[] for _ in parts]
        rows: list[bytes] = []
        state = None
        while state != DONE:
            state = advance(
                self._scratch, self._room, self._found, SPEC, cursor, bundle.raw, bundle.ends, bundle.order,
                bundle.event_ends, bundle.columns, bundle.account, bundle.clock_ends, wanted, screen, tiers, watch,
                self._buffer, bundle.told,
            )  # fmt: skip
            flat = self._buffer[: cursor[CURSOR_OUT]].tobytes()
            cuts = [0, *bundle.told[ROW_END, len(rows) : cursor[CURSOR_CUSTOMER]].tolist()]
            rows += [flat[a:b] for a, b in pairwise(cuts)]
            for place, found in self._moments(bundle, int(cursor[CURSOR_MOMENTS])):
                pending[place].append(found)
            if cursor[CURSOR_NOTES]:
                seen_by_both.append(self._found.notes[: cursor[CURSOR_NOTES]].copy())
            cursor[CURSOR_OUT] = cursor[CURSOR_MOMENTS] = cursor[CURSOR_NOTES] = 0
        outcomes = [self._outcome(part, bundle, place, pending[place], rows, rules) for place, part in enumerate(parts)]
        if seen_by_both:
            notes = np.concatenate(seen_by_both)
            for place, outcome in enumerate(outcomes):
                outcome.looks = self._looks(notes, bundle, place, rules)
        return outcomes

    def _outcome(
        self, part: Part, bundle: Bundle, place: int, pending: list[_Pending], rows: list[bytes], rules: Rules
    ) -> Outcome:
        its = slice(bundle.starts[place], bundle.starts[place + 1])
        customers, told = bundle.customers[its], bundle.told[:, its]
        changed = np.flatnonzero(told[DUE_BEFORE] != told[DUE_AFTER])
        outcome = Outcome(
            rows=dict(zip(customers, rows[its], strict=True)),
            due={customers[k]: int(told[DUE_AFTER, k]) or None for k in changed.tolist()},
            alerts=[],
            clock=part.batch.clock_end,
            late=int(told[LATES].sum()),
            unfitting=int(told[UNFITTINGS].sum()),
        )
        pending += [
            _Pending((at, AFTER, 0, note.said.customer_id), _NOTE, note.at, note=note)
            for at, note in bundle.noted[place]
        ]
        if pending:
            pending.sort(key=lambda one: one.key)
            tails = dict(zip(customers, told[TAIL].tolist(), strict=True))
            self._decide(pending, part.partition, bundle.batches[place], rules, part.rows, outcome, tails)
        return outcome

    def _moments(self, bundle: Bundle, count: int) -> Iterator[tuple[int, _Pending]]:
        """What the kernel has written down, each with the place of its partition among the parts."""
        found = self._found
        values, shares = found.values[:count].copy(), found.shares[:count].tolist()
        inputs, run_off = found.inputs[:count].copy(), found.run_off[:count].copy()
        for n, (what, k, event, at, bits, raised, tier) in enumerate(found.heads[:count].tolist()):
            place = bisect_right(bundle.starts, k) - 1
            customer = bundle.customers[k]
            event = event - bundle.event_starts[place] if event >= 0 else event
            passed = what in (SILENT, AT_LOOK)
            key = _passed(bundle.batches[place], event, at, customer) if passed else (event, AFTER, 0, customer)
            by_model = self._scorer is not None and (what == SILENT or bits & RUN_OFF)
            judged = Judged(inputs[n], run_off[n]) if by_model else None
            yield place, _Pending(key, what, at, bits, raised, tier, values[n], shares[n], judged)

    def _looks(self, notes: F8, bundle: Bundle, place: int, rules: Rules) -> list[Look]:
        """What both models say at the looks of one partition that the kernel has written down."""
        assert self._challenger is not None
        whose = notes[:, NOTE_CUSTOMER].astype(np.int64)
        its = (whose >= bundle.starts[place]) & (whose < bundle.starts[place + 1])
        notes, who = notes[its], [bundle.customers[k] for k in whose[its].tolist()]
        at, event = notes[:, NOTE_AT].astype(np.int64).tolist(), notes[:, NOTE_EVENT].astype(np.int64)
        event = np.maximum(event - bundle.event_starts[place], -1)
        rival = self._challenger.logits(np.ascontiguousarray(notes[:, NOTE_INPUTS:]))
        found = looks(who, at, notes[:, NOTE_LOG_ODDS], rival, rules.policy)
        batch = bundle.batches[place]
        places = [_passed(batch, *one) for one in zip(event.tolist(), at, who, strict=True)]
        return [found[k] for k in sorted(range(len(found)), key=places.__getitem__)]

    def _decide(
        self,
        pending: list[_Pending],
        partition: int,
        batch: Batch,
        rules: Rules,
        rows: Mapping[str, bytes | None],
        outcome: Outcome,
        tails: Mapping[str, int],
    ) -> None:
        def tail(customer: str) -> bytes:
            row = outcome.rows[customer]
            return row[len(row) - tails[customer] :]

        ledger = Ledger(rows.get(LEDGER))
        decisions = Decisions(self._topic, partition, rules, ledger, tail, self._waiting, self._scorer)
        for one in pending:
            customer, at = one.key[3], one.at
            if one.note is not None:
                outcome.alerts += decisions.note(one.note)
                continue
            assert one.values is not None
            if one.what == SILENT:
                seen = Snapshot(one.values)
                outcome.alerts += decisions.silent(customer, at, seen, one.tier, one.share, one.judged)
                continue
            if one.what == AT_LOOK:
                name = f"deposit {rfc3339(at)}"
                due_at = {"due_at": rfc3339(at)}
                outcome.alerts += decisions.moment(
                    customer, DEPOSIT_MATURING, at, due_at, name, Snapshot(one.values), one.tier
                )
                continue
            event = one.key[0]
            cause = {"offset": int(batch.offset[event]), "event_id": batch.event_ids[event]}
            if one.bits & RETURNED:
                outcome.alerts += decisions.returned(customer, one.raised, at, cause)
            if one.bits & RUN_OFF:
                assert one.judged is not None
                outcome.alerts += decisions.runs_off(customer, at, cause, Snapshot(one.values), one.tier, one.judged)
            if bits := one.bits & ~(RETURNED | RUN_OFF):
                name, seen = batch.event_ids[event], Snapshot(one.values)
                outcome.alerts += decisions.moment(customer, bits, at, cause, name, seen, one.tier)
        for customer, dealings in decisions.dealings.items():
            row = outcome.rows[customer]
            outcome.rows[customer] = row[: len(row) - tails[customer]] + dealings.encoded()
        if decisions.ledger.changed:
            outcome.rows[LEDGER] = decisions.ledger.encoded()
        outcome.unfitting += decisions.unfitting
        outcome.suppressed = decisions.suppressed
        outcome.unmatched = decisions.unmatched
