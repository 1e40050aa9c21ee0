"""One step of one partition: a batch of events and the customers who are due, in; rows, due times and alerts, out.

Pure: the outcome depends on the rows, the events in their order, and stream time; not on how the stream was cut into
batches. The kernel advances one customer after another, and stops at moments that need a decision; these are decided
afterwards, in the order of the stream, because a decision may depend on another customer's (budgets, learning). What is
decided changes a row's dealings only, which the kernel does not read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from handlers.advance import (
    AFTER,
    AT_LOOK,
    DONE,
    FULL,
    MOMENT_AT,
    MOMENT_BITS,
    MOMENT_CUSTOMER,
    MOMENT_EVENT,
    MOMENT_LATE,
    MOMENT_NOTES,
    MOMENT_OUT,
    MOMENT_RAISED,
    MOMENT_TIER,
    MOMENT_UNFITTING,
    MOMENTS,
    NOTE_AT,
    NOTE_CUSTOMER,
    NOTE_EVENT,
    NOTE_INPUTS,
    NOTE_LOG_ODDS,
    NOTES_FULL,
    SILENT,
    advance,
    new_work,
)
from handlers.batch import I8, Batch
from handlers.churn import Judged
from handlers.churn_model import ChurnModel, Scorer
from handlers.churn_watch import watch_of
from handlers.dealings import Rule
from handlers.decisions import Decisions
from handlers.features import FEATURES
from handlers.jit import F8
from handlers.layout import VERSION
from handlers.ledger import LEDGER, Ledger
from handlers.measures import SPEC
from handlers.moments import DEPOSIT_MATURING, RETURNED, RUN_OFF
from handlers.notes import Note, woven
from handlers.row import ROW_BYTES_MAX, new_scratch
from handlers.rules import Rules as Rules
from handlers.screen import screen_of
from handlers.shadow import Look, looks
from handlers.snapshot import Snapshot
from handlers.upgrade import current
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


def needed_rows(batch: Batch, due: Sequence[tuple[str, int]], notes: Sequence[Note] = ()) -> list[str]:
    """The rows that a step must be given, each once."""
    names = [*batch.customers, *(note.said.customer_id for note in notes), *(customer for customer, _ in due), LEDGER]
    return list(dict.fromkeys(names))


class Engine:
    """Steps of one partition. Holds no customer's state between steps, only room to work in."""

    def __init__(self, topic: str, partition: int) -> None:
        self._topic = topic
        self._partition = partition
        self._scratch = new_scratch()
        self._work = new_work(len(FEATURES))
        self._buffer = np.empty(_BUFFER_BYTES, np.uint8)
        self._model: ChurnModel | None = None
        self._scorer: Scorer | None = None
        self._rival: ChurnModel | None = None
        self._challenger: Scorer | None = None
        self._screened: tuple[Offer, ...] = ()
        self._screen = screen_of(())

    def step(
        self,
        batch: Batch,
        rows: Mapping[str, bytes | None],
        due: Sequence[tuple[str, int]],
        rules: Rules,
        notes: Sequence[Note] = (),
    ) -> Outcome:
        """Folds the batch and lets due times pass up to batch.clock_end.

        `rows` holds what is stored under each of `needed_rows`; `due` names everybody whose due time is not after
        batch.clock_end. Raises LayoutError for a row of an unknown version.
        """
        noted: list[tuple[int, Note]] = []
        if notes:
            batch, noted = woven(batch, notes)
        present = set(batch.customers)
        customers = batch.customers + [customer for customer, _ in due if customer not in present]
        stored = [row or b"" for row in map(rows.get, customers)]
        if not {row[0] for row in stored if row} <= {VERSION}:
            stored = [current(row) if row else row for row in stored]
        ends = np.cumsum(np.fromiter(map(len, stored), np.int64, len(stored)))
        raw = np.frombuffer(b"".join(stored), np.uint8)
        order = np.argsort(batch.row, kind="stable")
        event_ends = np.cumsum(np.bincount(batch.row, minlength=len(customers)), dtype=np.int64)
        due_before, due_after = np.zeros(len(customers), np.int64), np.zeros(len(customers), np.int64)
        row_ends, tails = np.zeros(len(customers), np.int64), np.zeros(len(customers), np.int64)
        if rules.offers is not self._screened:
            self._screened, self._screen = rules.offers, screen_of(rules.offers)
        screen = self._screen
        wanted = RETURNED | int(np.bitwise_or.reduce(screen.offers[:, 0], initial=0))
        tiers = np.array(rules.policy.tiers_minor, np.int64)
        columns = np.stack(
            [batch.at, batch.amount, batch.balance, batch.type, batch.channel, batch.undoes_at, batch.clock]
        )
        if rules.churn is not self._model:
            self._model, self._scorer = rules.churn, None if rules.churn is None else Scorer(rules.churn)
        if rules.challenger is not self._rival:
            self._rival = rules.challenger
            self._challenger = None if rules.challenger is None else Scorer(rules.challenger)
        weights = None if self._scorer is None else self._scorer.weights
        watch = watch_of(weights, rules.policy, noted=self._challenger is not None)
        seen_by_both: list[F8] = []
        moment = np.zeros(MOMENTS, np.int64)
        outcome = Outcome({}, {}, [], batch.clock_end, 0)
        pending = [
            _Pending((place, AFTER, 0, note.said.customer_id), _NOTE, note.at, note=note) for place, note in noted
        ]
        flushed = 0
        while True:
            state = advance(
                self._scratch, self._work, SPEC, moment, raw, ends, order, event_ends, columns, batch.account,
                batch.clock_end, wanted, screen, tiers, watch, due_before, due_after, self._buffer, row_ends, tails,
            )  # fmt: skip
            if moment[MOMENT_NOTES] and state in (NOTES_FULL, DONE):
                seen_by_both.append(self._work.notes[: moment[MOMENT_NOTES]].copy())
                moment[MOMENT_NOTES] = 0
            if state == NOTES_FULL:
                continue
            if state in (FULL, DONE):
                at = int(moment[MOMENT_CUSTOMER])
                flat = self._buffer[: moment[MOMENT_OUT]].tobytes()
                cuts = [0, *row_ends[flushed:at].tolist()]
                outcome.rows.update(zip(customers[flushed:at], [flat[a:b] for a, b in pairwise(cuts)], strict=True))
                flushed, moment[MOMENT_OUT] = at, 0
                if state == DONE:
                    break
                continue
            found = self._found(state, customers[moment[MOMENT_CUSTOMER]], batch, moment)
            if self._scorer is not None and (state == SILENT or found.bits & RUN_OFF):
                found = found._replace(judged=Judged(watch.inputs.copy(), self._work.run_off.copy()))
            pending.append(found)
        changed = np.flatnonzero(due_before != due_after)
        outcome.due = {customers[k]: int(due_after[k]) or None for k in changed.tolist()}
        outcome.late = int(moment[MOMENT_LATE])
        outcome.unfitting = int(moment[MOMENT_UNFITTING])
        if seen_by_both:
            outcome.looks = self._looks(np.concatenate(seen_by_both), customers, batch, rules)
        if pending:
            pending.sort(key=lambda one: one.key)
            lengths = dict(zip(customers, tails.tolist(), strict=True))
            self._decide(pending, batch, rules, rows, outcome, lengths)
        return outcome

    def _found(self, state: int, customer: str, batch: Batch, moment: I8) -> _Pending:
        """What the kernel has stopped for, with a copy of what is to be decided over."""
        event, at, tier = int(moment[MOMENT_EVENT]), int(moment[MOMENT_AT]), int(moment[MOMENT_TIER])
        values = self._work.values.copy()
        if state in (SILENT, AT_LOOK):
            return _Pending(
                _passed(batch, event, at, customer),
                state,
                at,
                tier=tier,
                values=values,
                share=float(self._work.share[0]),
            )
        bits, raised = int(moment[MOMENT_BITS]), int(moment[MOMENT_RAISED])
        return _Pending((event, AFTER, 0, customer), state, at, bits, raised, tier, values)

    def _looks(self, notes: F8, customers: Sequence[str], batch: Batch, rules: Rules) -> list[Look]:
        """What both models say at the looks that the kernel has written down."""
        assert self._challenger is not None
        who = [customers[k] for k in notes[:, NOTE_CUSTOMER].astype(np.int64).tolist()]
        at, event = notes[:, NOTE_AT].astype(np.int64).tolist(), notes[:, NOTE_EVENT].astype(np.int64).tolist()
        rival = self._challenger.logits(np.ascontiguousarray(notes[:, NOTE_INPUTS:]))
        found = looks(who, at, notes[:, NOTE_LOG_ODDS], rival, rules.policy)
        places = [_passed(batch, *one) for one in zip(event, at, who, strict=True)]
        return [found[k] for k in sorted(range(len(found)), key=places.__getitem__)]

    def _decide(
        self,
        pending: list[_Pending],
        batch: Batch,
        rules: Rules,
        rows: Mapping[str, bytes | None],
        outcome: Outcome,
        tails: Mapping[str, int],
    ) -> None:
        def tail(customer: str) -> bytes:
            row = outcome.rows[customer]
            return row[len(row) - tails[customer] :]

        decisions = Decisions(self._topic, self._partition, rules, Ledger(rows.get(LEDGER)), tail, self._scorer)
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
