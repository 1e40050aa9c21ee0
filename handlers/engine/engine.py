"""One step: a batch of events and the customers who are due, in; rows, due times and alerts, out.

Several partitions can take a step together, because a step costs by the call; each comes to the same as by itself.
Pure: the outcome depends on the rows, the events in their order, and stream time; not on how the stream was cut into
batches. The kernel advances one customer after another and writes down the moments that need a decision; these are
decided afterwards, in the order of the stream, because a decision may depend on another customer's (budgets, learning).
What is decided changes a row's contact history only, which the kernel does not read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from handlers.aggregates.spec import FEATURE_SPEC, new_work
from handlers.churn.challenger import (
    CHECK_AT,
    CHECK_CUSTOMER,
    CHECK_EVENT,
    CHECK_INPUTS,
    CHECK_LOG_ODDS,
    Comparison,
    compare,
)
from handlers.contact.history import CONTACT, SuppressionReason
from handlers.contact.open_histories import OpenHistories
from handlers.engine.advance import (
    CURSOR,
    CURSOR_CHECKS,
    CURSOR_CUSTOMER,
    CURSOR_FINDINGS,
    CURSOR_OUT,
    DONE,
    DUE_AFTER,
    DUE_BEFORE,
    LATES,
    OTHERS,
    ROW_END,
    UNFITTINGS,
    UNREADABLE,
    UNTIMELIES,
    advance,
)
from handlers.engine.beliefs import KNOWN, Deciding, deciders
from handlers.engine.findings import new_findings
from handlers.engine.order import Pending, decide, findings_of, noted, passed
from handlers.engine.rules import Rules, compiled
from handlers.engine.step_input import LEDGER_ID, PartitionInput, StepInput
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import F8, NONE, U8
from handlers.state.codec import LayoutError
from handlers.state.row import ROW_BYTES_MAX, new_open_row
from handlers.state.row_table import DueTable, RowTable
from handlers.state.sections import joined, split
from schemas.alert import Alert

_BUFFER_BYTES = 16 * ROW_BYTES_MAX
_ZERO = np.zeros(1, np.int64)


@dataclass(slots=True)
class StepResult:
    """What a step changes."""

    rows: RowTable
    """Of the customers, and of LEDGER where the ledger has changed."""
    due: DueTable
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
    suppressed: Counter[SuppressionReason] = field(default_factory=Counter)
    """Alerts that were not sent, by rule (contact.history.SUPPRESSION_REASONS)."""
    unmatched: int = 0
    """Outcomes of alerts that are not known, or no longer."""
    comparisons: list[Comparison] = field(default_factory=list)
    """What champion and challenger said, in stream order; none without a challenger."""


class Engine:
    """Holds no customer's state between steps, only room to work in."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._row = new_open_row()
        self._room = new_work()
        self._findings = new_findings()
        self._buffer = np.empty(_BUFFER_BYTES, np.uint8)
        self._rules = Rules()
        self._compiled = compiled(self._rules)

    def step(self, part: PartitionInput, rules: Rules) -> StepResult:
        """`steps` of one partition alone."""
        return self.steps([part], rules)[0]

    def steps(self, parts: Sequence[PartitionInput], rules: Rules) -> list[StepResult]:
        """Folds each partition's batch and lets due times pass up to its clock_end."""
        if not parts:
            return []
        step_input = StepInput(parts)
        if rules is not self._rules:
            self._rules, self._compiled = rules, compiled(rules, self._compiled)
        ready = self._compiled
        seen_by_both: list[F8] = []
        cursor = np.zeros(CURSOR, np.int64)
        findings: list[list[Pending]] = [[] for _ in parts]
        pieces: list[U8] = []
        ends, done = step_input.told[ROW_END], 0
        state = None
        while state != DONE:
            state = advance(
                self._row, self._room, self._findings, FEATURE_SPEC, cursor, step_input.raw, step_input.starts,
                step_input.ends, step_input.order, step_input.event_ends, step_input.events, step_input.clock_ends,
                step_input.outages, step_input.outages_of, ready.wait, ready.wanted, KNOWN, ready.screen, ready.tiers,
                ready.watch, self._buffer,
                step_input.told,
            )  # fmt: skip
            if state == UNREADABLE:
                raise LayoutError("a row is cut short, or a length in it is broken")
            first, done = done, int(cursor[CURSOR_CUSTOMER])
            ends[first:done] += sum(map(len, pieces))
            pieces.append(self._buffer[: cursor[CURSOR_OUT]].copy())
            judged = ready.scorer is not None
            for place, moment in findings_of(
                self._findings, int(cursor[CURSOR_FINDINGS]), step_input, ready.wait, judged=judged
            ):
                findings[place].append(moment)
            if cursor[CURSOR_CHECKS]:
                seen_by_both.append(self._findings.checks[: cursor[CURSOR_CHECKS]].copy())
            cursor[CURSOR_OUT] = cursor[CURSOR_FINDINGS] = cursor[CURSOR_CHECKS] = 0
        results = _results(parts, step_input, np.concatenate(pieces))
        for place, (part, result) in enumerate(zip(parts, results, strict=True)):
            findings[place] += noted(step_input.batches[place], step_input.noted[place])
            if findings[place]:
                self._decide(findings[place], part, step_input, place, result)
        if seen_by_both:
            checks = np.concatenate(seen_by_both)
            for place, result in enumerate(results):
                result.comparisons = self._looks(checks, step_input, place)
        return results

    def _decide(
        self, findings: list[Pending], part: PartitionInput, step_input: StepInput, place: int, result: StepResult
    ) -> None:
        ready, rows = self._compiled, result.rows
        places = {one.customer: one.place for one in findings}
        others = step_input.told[OTHERS, step_input.row_starts[place] :]

        cuts: dict[str, tuple[bytes, dict[int, bytes]]] = {}
        """By customer what the kernel has opened of the row, and the other sections."""

        def stored(customer: str) -> bytes:
            row = rows.row(places[customer])
            end = len(row) - int(others[places[customer]])
            cuts[customer] = row[:end], split(row[end:])
            return cuts[customer][1].get(CONTACT, b"")

        histories = OpenHistories(stored, self._rules.policy, self._rules.control_key, ready.offers)
        asked = deciders(Deciding(part.partition, self._rules, ready, histories, part.ledger))
        where = {"topic": self._topic, "partition": part.partition}
        result.alerts = decide(findings, step_input.batches[place], where, asked, part.now)
        changed: dict[int, bytes] = {}
        for one, history in histories.encoded().items():
            opened, sections = cuts[one]
            changed[places[one]] = opened + joined({**sections, CONTACT: history})
        result.suppressed = histories.suppressed
        for _, decider in asked:
            for name, count in decider.counted().items():
                setattr(result, name, getattr(result, name) + count)
            if (row := decider.partition_row()) is not None:
                changed[len(rows)] = row
                rows = rows.with_ids(LEDGER_ID)
        result.rows = rows.replaced(list(changed), list(changed.values()))

    def _looks(self, checks: F8, step_input: StepInput, place: int) -> list[Comparison]:
        """What both models say at the looks of one partition that the kernel has written down."""
        challenger = self._compiled.challenger
        assert challenger is not None
        whose = checks[:, CHECK_CUSTOMER].astype(np.int64)
        its = (whose >= step_input.row_starts[place]) & (whose < step_input.row_starts[place + 1])
        checks, who = checks[its], names_of(step_input.ids[whose[its]])
        at, event = checks[:, CHECK_AT].astype(np.int64).tolist(), checks[:, CHECK_EVENT].astype(np.int64)
        event = np.maximum(event - step_input.event_starts[place], -1)
        rival = challenger.logits(np.ascontiguousarray(checks[:, CHECK_INPUTS:]))
        found = compare(who, at, checks[:, CHECK_LOG_ODDS], rival, self._rules.policy)
        batch = step_input.batches[place]
        wait = self._compiled.wait
        places = [passed(batch, *one, wait) for one in zip(event.tolist(), at, who, strict=True)]
        return [found[k] for k in sorted(range(len(found)), key=places.__getitem__)]


def _results(parts: Sequence[PartitionInput], step_input: StepInput, raw: U8) -> list[StepResult]:
    """Of each part what the kernel alone has changed; the new rows stand in `raw`, one behind the other."""
    told, starts = step_input.told, step_input.row_starts
    counts = np.zeros((3, len(step_input.ids) + 1), np.int64)
    np.cumsum(told[[LATES, UNFITTINGS, UNTIMELIES]], axis=1, out=counts[:, 1:])
    late, unfitting, untimely = np.diff(counts[:, starts]).tolist()
    ends = np.concatenate([_ZERO, told[ROW_END]])
    moved = np.flatnonzero(told[DUE_BEFORE] != told[DUE_AFTER])
    due = told[DUE_AFTER, moved]
    due[due == 0] = NONE
    whose = step_input.ids[moved]
    cuts, its_raw = np.searchsorted(moved, starts).tolist(), ends[starts].tolist()
    found = []
    for place, part in enumerate(parts):
        its = slice(*starts[place : place + 2])
        its_moved, (start, end) = slice(*cuts[place : place + 2]), its_raw[place : place + 2]
        found.append(
            StepResult(
                rows=RowTable(step_input.ids[its], raw[start:end], ends[its] - start, ends[1:][its] - start),
                due=DueTable(whose[its_moved], due[its_moved]),
                alerts=[],
                clock=part.batch.clock_end,
                late=late[place],
                unfitting=unfitting[place],
                untimely=untimely[place],
            )
        )
    return found
