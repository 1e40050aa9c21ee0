"""What a step has found to be decided on, in the order of the stream."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from handlers.aggregates.snapshot import FeatureValues
from handlers.churn.alerts import ScoredInputs
from handlers.engine.decisions import Decisions
from handlers.engine.findings import AT_PRODUCT_DUE, FINDING_CUSTOMER, SILENT, Findings
from handlers.engine.step_input import StepInput
from handlers.intake.customer_records import CustomerRecord
from handlers.intake.events import CUSTOMER, OFFSET, EventBatch
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import I8
from handlers.offers.triggers import DEPOSIT_MATURING, RETURNED, REVERSED, RUN_OFF
from schemas.alert import Alert
from schemas.units import rfc3339

Key = tuple[int, int, int, str]
"""A place in the stream: reached at this entry of the batch; an order; due time; customer."""

BEFORE, AFTER, AT_ONCE_AFTER = range(3)
"""Order of alerts at one event: before it is folded, after it, and due at once after it."""


class Finding(NamedTuple):
    """One moment, or one note."""

    key: Key
    place: int
    """The customer's among those of the partition."""
    what: int
    """SILENT, AT_LOOK, AT_EVENT, or NOTE."""
    at: int
    bits: int = 0
    raised: int = 0
    tier: int = 0
    values: I8 | None = None
    judged: ScoredInputs | None = None
    clock: int = 0
    """Stream time by which it is decided, epoch ms."""
    note: CustomerRecord | None = None

    @property
    def customer(self) -> str:
        return self.key[3]


CUSTOMER_RECORD = -1


def passed(batch: EventBatch, event: int, at: int, customer: str, wait: int) -> Key:
    """The place in the stream of a due time, which is looked at `wait` ms after it; `event` is this customer's before
    it, -1 if none in the batch."""
    reached = int(np.searchsorted(batch.clock, at + wait))
    return (reached, BEFORE, at, customer) if reached > event else (event, AT_ONCE_AFTER, at, customer)


def findings_of(
    found: Findings, count: int, step_input: StepInput, wait: int, *, judged: bool
) -> Iterator[tuple[int, Finding]]:
    """What the kernel has written down, copied, each with the place of its partition among the parts. `judged` is
    whether a model has judged the silences, `wait` as for `passed`."""
    values, inputs, run_off = (each[:count].copy() for each in (found.values, found.inputs, found.run_off))
    customers = names_of(step_input.ids[found.heads[:count, FINDING_CUSTOMER]])
    for n, (what, k, event, at, bits, raised, tier, clock) in enumerate(found.heads[:count].tolist()):
        part = bisect_right(step_input.row_starts, k) - 1
        batch = step_input.batches[part]
        customer, place = customers[n], k - step_input.row_starts[part]
        event = event - step_input.event_starts[part] if event >= 0 else event
        is_due = what in (SILENT, AT_PRODUCT_DUE)
        key = passed(batch, event, clock, customer, wait) if is_due else (event, AFTER, 0, customer)
        by_model = ScoredInputs(inputs[n], run_off[n]) if judged and (what == SILENT or bits & RUN_OFF) else None
        yield part, Finding(key, place, what, at, bits, raised, tier, values[n], by_model, clock)


def noted(batch: EventBatch, notes: Iterable[tuple[int, CustomerRecord]]) -> list[Finding]:
    """The notes of a batch, by the place of their entry in it."""
    return [
        Finding(
            (at, AFTER, 0, note.said.customer_id), int(batch.events[at, CUSTOMER]), CUSTOMER_RECORD, note.at, note=note
        )
        for at, note in notes
    ]


def decide(pending: Sequence[Finding], batch: EventBatch, decisions: Decisions, now: int) -> list[Alert]:
    """The alerts to send, in the order of the stream; what else has changed is in `decisions`. `now` (epoch ms) is the
    clock on the wall, 0 where none is asked."""
    alerts = []
    for one in sorted(pending, key=lambda one: one.key):
        decisions.now = max(now, one.clock)
        alerts += _decided(one, batch, decisions)
    return alerts


def _decided(one: Finding, batch: EventBatch, decisions: Decisions) -> list[Alert]:
    if one.note is not None:
        return decisions.note(one.note)
    assert one.values is not None
    customer, at, seen = one.customer, one.at, FeatureValues(one.values)
    if one.what == SILENT:
        return decisions.silent(customer, at, seen, one.tier, one.judged)
    if one.what == AT_PRODUCT_DUE:
        due = rfc3339(at)
        return decisions.moment(customer, DEPOSIT_MATURING, at, {"due_at": due}, f"deposit {due}", seen, one.tier)
    event, alerts = one.key[0], []
    name = batch.event_id(event)
    cause = {"offset": int(batch.events[event, OFFSET]), "event_id": name}
    if one.bits & RETURNED:
        alerts += decisions.returned(customer, one.raised, at, cause)
    if one.bits & REVERSED:
        alerts += decisions.reversed(customer, batch.original_id(event), at, cause)
    if one.bits & RUN_OFF:
        assert one.judged is not None
        alerts += decisions.runs_off(customer, at, cause, seen, one.tier, one.judged)
    if bits := one.bits & ~(RETURNED | REVERSED | RUN_OFF):
        alerts += decisions.moment(customer, bits, at, cause, name, seen, one.tier)
    return alerts
