"""What a step has found to be decided on, in the order of the stream."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from handlers.aggregates.snapshot import Snapshot
from handlers.churn.alerts import Judged
from handlers.engine.decisions import Decisions
from handlers.engine.findings import AT_LOOK, MOMENT_CUSTOMER, SILENT, Found
from handlers.engine.step_input import Bundle
from handlers.intake.customer_records import Note
from handlers.intake.events import CUSTOMER, OFFSET, Batch
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import I8
from handlers.offers.triggers import DEPOSIT_MATURING, RETURNED, RUN_OFF
from schemas.alert import Alert
from schemas.units import rfc3339

Key = tuple[int, int, int, str]
"""A place in the stream: reached at this entry of the batch; an order; due time; customer."""

BEFORE, AFTER, AT_ONCE_AFTER = range(3)
"""Order of alerts at one event: before it is folded, after it, and due at once after it."""


class Pending(NamedTuple):
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
    judged: Judged | None = None
    clock: int = 0
    """Stream time by which it is decided, epoch ms."""
    note: Note | None = None

    @property
    def customer(self) -> str:
        return self.key[3]


NOTE = -1


def passed(batch: Batch, event: int, at: int, customer: str, wait: int) -> Key:
    """The place in the stream of a due time, which is looked at `wait` ms after it; `event` is this customer's before
    it, -1 if none in the batch."""
    reached = int(np.searchsorted(batch.clock, at + wait))
    return (reached, BEFORE, at, customer) if reached > event else (event, AT_ONCE_AFTER, at, customer)


def moments(found: Found, count: int, bundle: Bundle, wait: int, *, judged: bool) -> Iterator[tuple[int, Pending]]:
    """What the kernel has written down, copied, each with the place of its partition among the parts. `judged` is
    whether a model has judged the silences, `wait` as for `passed`."""
    values, inputs, run_off = (each[:count].copy() for each in (found.values, found.inputs, found.run_off))
    customers = names_of(bundle.ids[found.heads[:count, MOMENT_CUSTOMER]])
    for n, (what, k, event, at, bits, raised, tier, clock) in enumerate(found.heads[:count].tolist()):
        part = bisect_right(bundle.row_starts, k) - 1
        batch = bundle.batches[part]
        customer, place = customers[n], k - bundle.row_starts[part]
        event = event - bundle.event_starts[part] if event >= 0 else event
        is_due = what in (SILENT, AT_LOOK)
        key = passed(batch, event, clock, customer, wait) if is_due else (event, AFTER, 0, customer)
        by_model = Judged(inputs[n], run_off[n]) if judged and (what == SILENT or bits & RUN_OFF) else None
        yield part, Pending(key, place, what, at, bits, raised, tier, values[n], by_model, clock)


def noted(batch: Batch, notes: Iterable[tuple[int, Note]]) -> list[Pending]:
    """The notes of a batch, by the place of their entry in it."""
    return [
        Pending((at, AFTER, 0, note.said.customer_id), int(batch.events[at, CUSTOMER]), NOTE, note.at, note=note)
        for at, note in notes
    ]


def decide(pending: Sequence[Pending], batch: Batch, decisions: Decisions, now: int) -> list[Alert]:
    """The alerts to send, in the order of the stream; what else has changed is in `decisions`. `now` (epoch ms) is the
    clock on the wall, 0 where none is asked."""
    alerts = []
    for one in sorted(pending, key=lambda one: one.key):
        decisions.now = max(now, one.clock)
        alerts += _decided(one, batch, decisions)
    return alerts


def _decided(one: Pending, batch: Batch, decisions: Decisions) -> list[Alert]:
    if one.note is not None:
        return decisions.note(one.note)
    assert one.values is not None
    customer, at, seen = one.customer, one.at, Snapshot(one.values)
    if one.what == SILENT:
        return decisions.silent(customer, at, seen, one.tier, one.judged)
    if one.what == AT_LOOK:
        due = rfc3339(at)
        return decisions.moment(customer, DEPOSIT_MATURING, at, {"due_at": due}, f"deposit {due}", seen, one.tier)
    event, alerts = one.key[0], []
    name = batch.event_id(event)
    cause = {"offset": int(batch.events[event, OFFSET]), "event_id": name}
    if one.bits & RETURNED:
        alerts += decisions.returned(customer, one.raised, at, cause)
    if one.bits & RUN_OFF:
        assert one.judged is not None
        alerts += decisions.runs_off(customer, at, cause, seen, one.tier, one.judged)
    if bits := one.bits & ~(RETURNED | RUN_OFF):
        alerts += decisions.moment(customer, bits, at, cause, name, seen, one.tier)
    return alerts
