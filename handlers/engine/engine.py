"""One step: a batch of events and the customers who are due, in; rows, due times and alerts, out.

Several partitions can take a step together, because a step costs by the call; each comes to the same as by itself.
Pure: the outcome depends on the rows, the events in their order, and stream time; not on how the stream was cut into
batches. The kernel advances one customer after another and writes down the moments that need a decision; these are
decided afterwards, in the order of the stream, because a decision may depend on another customer's (budgets, learning).
What is decided changes a row's dealings only, which the kernel does not read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from handlers.aggregates.evaluate import SPEC
from handlers.churn.challenger import NOTE_AT, NOTE_CUSTOMER, NOTE_EVENT, NOTE_INPUTS, NOTE_LOG_ODDS, Look, looks
from handlers.contact.history import Rule
from handlers.engine.advance import (
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
    UNTIMELIES,
    advance,
)
from handlers.engine.decisions import Decisions
from handlers.engine.findings import new_found
from handlers.engine.order import Pending, decide, moments, noted, passed
from handlers.engine.rules import Rules, prepared
from handlers.engine.step_input import LEDGER_ID, Bundle, Part
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import F8, NONE, U8
from handlers.offers.counts import Ledger
from handlers.state.row import ROW_BYTES_MAX, new_scratch, new_work
from handlers.state.row_table import DueTimes, Rows
from schemas.alert import Alert

_BUFFER_BYTES = 16 * ROW_BYTES_MAX
_ZERO = np.zeros(1, np.int64)


@dataclass(slots=True)
class Outcome:
    """What a step changes."""

    rows: Rows
    """Of the customers, and of LEDGER where the ledger has changed."""
    due: DueTimes
    """Only where the due time changed."""
    alerts: list[Alert]
    """In stream order: by the event or the moment of stream time that caused them."""
    clock: int
    late: int
    """Events that only lifetime figures could take."""
    unfitting: int = 0
    """Moments at which no offer fitted."""
    untimely: int = 0
    """Events that came too late to bring a moment."""
    suppressed: Counter[Rule] = field(default_factory=Counter)
    """Alerts that were not sent, by rule (dealings.RULES)."""
    unmatched: int = 0
    """Outcomes of alerts that are not known, or no longer."""
    looks: list[Look] = field(default_factory=list)
    """What champion and challenger said, in stream order; none without a challenger."""


class Engine:
    """Holds no customer's state between steps, only room to work in."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._scratch = new_scratch()
        self._room = new_work()
        self._found = new_found()
        self._buffer = np.empty(_BUFFER_BYTES, np.uint8)
        self._rules = Rules()
        self._prepared = prepared(self._rules)

    def step(self, part: Part, rules: Rules) -> Outcome:
        """`steps` of one partition alone."""
        return self.steps([part], rules)[0]

    def steps(self, parts: Sequence[Part], rules: Rules) -> list[Outcome]:
        """Folds each partition's batch and lets due times pass up to its clock_end."""
        if not parts:
            return []
        bundle = Bundle(parts)
        if rules is not self._rules:
            self._rules, self._prepared = rules, prepared(rules, self._prepared)
        ready = self._prepared
        seen_by_both: list[F8] = []
        cursor = np.zeros(CURSOR, np.int64)
        pending: list[list[Pending]] = [[] for _ in parts]
        pieces: list[U8] = []
        ends, done = bundle.told[ROW_END], 0
        state = None
        while state != DONE:
            state = advance(
                self._scratch, self._room, self._found, SPEC, cursor, bundle.raw, bundle.starts, bundle.ends,
                bundle.order, bundle.event_ends, bundle.events, bundle.clock_ends, bundle.outages,
                bundle.outages_of, ready.wait, ready.wanted, ready.screen, ready.tiers, ready.watch, self._buffer,
                bundle.told,
            )  # fmt: skip
            first, done = done, int(cursor[CURSOR_CUSTOMER])
            ends[first:done] += sum(map(len, pieces))
            pieces.append(self._buffer[: cursor[CURSOR_OUT]].copy())
            judged = ready.scorer is not None
            for place, moment in moments(self._found, int(cursor[CURSOR_MOMENTS]), bundle, ready.wait, judged=judged):
                pending[place].append(moment)
            if cursor[CURSOR_NOTES]:
                seen_by_both.append(self._found.notes[: cursor[CURSOR_NOTES]].copy())
            cursor[CURSOR_OUT] = cursor[CURSOR_MOMENTS] = cursor[CURSOR_NOTES] = 0
        outcomes = _outcomes(parts, bundle, np.concatenate(pieces))
        for place, (part, outcome) in enumerate(zip(parts, outcomes, strict=True)):
            pending[place] += noted(bundle.batches[place], bundle.noted[place])
            if pending[place]:
                self._decide(pending[place], part, bundle, place, outcome)
        if seen_by_both:
            notes = np.concatenate(seen_by_both)
            for place, outcome in enumerate(outcomes):
                outcome.looks = self._looks(notes, bundle, place)
        return outcomes

    def _decide(self, pending: list[Pending], part: Part, bundle: Bundle, place: int, outcome: Outcome) -> None:
        ready, rows = self._prepared, outcome.rows
        places = {one.customer: one.place for one in pending}
        tails = bundle.told[TAIL, bundle.row_starts[place] :]

        def cut(customer: str) -> tuple[bytes, bytes]:
            """The row's figures, and its dealings."""
            row = rows.row(places[customer])
            end = len(row) - int(tails[places[customer]])
            return row[:end], row[end:]

        def tail(customer: str) -> bytes:
            return cut(customer)[1]

        ledger = Ledger(part.ledger)
        decisions = Decisions(self._topic, part.partition, self._rules, ledger, tail, ready.waiting, ready.scorer)
        outcome.alerts = decide(pending, bundle.batches[place], decisions, part.now)
        changed = {places[one]: cut(one)[0] + dealings.encoded() for one, dealings in decisions.dealings.items()}
        if ledger.changed:
            changed[len(rows)] = ledger.encoded()
            rows = rows.with_ids(LEDGER_ID)
        outcome.rows = rows.replaced(list(changed), list(changed.values()))
        outcome.unfitting += decisions.unfitting
        outcome.suppressed = decisions.suppressed
        outcome.unmatched = decisions.unmatched

    def _looks(self, notes: F8, bundle: Bundle, place: int) -> list[Look]:
        """What both models say at the looks of one partition that the kernel has written down."""
        challenger = self._prepared.challenger
        assert challenger is not None
        whose = notes[:, NOTE_CUSTOMER].astype(np.int64)
        its = (whose >= bundle.row_starts[place]) & (whose < bundle.row_starts[place + 1])
        notes, who = notes[its], names_of(bundle.ids[whose[its]])
        at, event = notes[:, NOTE_AT].astype(np.int64).tolist(), notes[:, NOTE_EVENT].astype(np.int64)
        event = np.maximum(event - bundle.event_starts[place], -1)
        rival = challenger.logits(np.ascontiguousarray(notes[:, NOTE_INPUTS:]))
        found = looks(who, at, notes[:, NOTE_LOG_ODDS], rival, self._rules.policy)
        batch = bundle.batches[place]
        wait = self._prepared.wait
        places = [passed(batch, *one, wait) for one in zip(event.tolist(), at, who, strict=True)]
        return [found[k] for k in sorted(range(len(found)), key=places.__getitem__)]


def _outcomes(parts: Sequence[Part], bundle: Bundle, raw: U8) -> list[Outcome]:
    """Of each part what the kernel alone has changed; the new rows stand in `raw`, one behind the other."""
    told, starts = bundle.told, bundle.row_starts
    counts = np.zeros((3, len(bundle.ids) + 1), np.int64)
    np.cumsum(told[[LATES, UNFITTINGS, UNTIMELIES]], axis=1, out=counts[:, 1:])
    late, unfitting, untimely = np.diff(counts[:, starts]).tolist()
    ends = np.concatenate([_ZERO, told[ROW_END]])
    moved = np.flatnonzero(told[DUE_BEFORE] != told[DUE_AFTER])
    due = told[DUE_AFTER, moved]
    due[due == 0] = NONE
    whose = bundle.ids[moved]
    cuts, its_raw = np.searchsorted(moved, starts).tolist(), ends[starts].tolist()
    found = []
    for place, part in enumerate(parts):
        its = slice(*starts[place : place + 2])
        its_moved, (start, end) = slice(*cuts[place : place + 2]), its_raw[place : place + 2]
        found.append(
            Outcome(
                rows=Rows(bundle.ids[its], raw[start:end], ends[its] - start, ends[1:][its] - start),
                due=DueTimes(whose[its_moved], due[its_moved]),
                alerts=[],
                clock=part.batch.clock_end,
                late=late[place],
                unfitting=unfitting[place],
                untimely=untimely[place],
            )
        )
    return found
