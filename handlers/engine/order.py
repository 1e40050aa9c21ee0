"""What a step has found to be decided on, in the order of the stream."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handlers.aggregates.snapshot import FeatureValues
from handlers.belief.bits import CUSTOMER_RECORD, RETURNED, REVERSED, RUN_OFF, SILENT
from handlers.belief.finding import Decider, Finding
from handlers.churn.alerts import ScoredInputs
from handlers.engine.findings import FINDING_CUSTOMER, Findings
from handlers.engine.step_input import StepInput
from handlers.intake.customer_records import CustomerRecord
from handlers.intake.events import CUSTOMER, OFFSET, EventBatch
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import I8
from handlers.offers.triggers import DEPOSIT_MATURING
from schemas.alert import Alert
from schemas.units import rfc3339

Key = tuple[int, int, int, str]
"""A place in the stream: reached at this entry of the batch; an order; due time; customer."""

BEFORE, AFTER, AT_ONCE_AFTER = range(3)
"""Order of alerts at one event: before it is folded, after it, and due at once after it."""


class Pending(NamedTuple):
    """What the kernel has written down of one customer, or a customer record, with its place in the stream."""

    key: Key
    place: int
    """The customer's among those of the partition."""
    at: int
    at_event: bool = False
    bits: int = 0
    raised: int = 0
    tier: int = 0
    values: I8 | None = None
    scored: ScoredInputs | None = None
    clock: int = 0
    """Stream time by which it is decided, epoch ms."""
    record: CustomerRecord | None = None

    @property
    def customer(self) -> str:
        return self.key[3]


def passed(batch: EventBatch, event: int, at: int, customer: str, wait: int) -> Key:
    """The place in the stream of a due time, which is looked at `wait` ms after it; `event` is this customer's before
    it, -1 if none in the batch."""
    reached = int(np.searchsorted(batch.clock, at + wait))
    return (reached, BEFORE, at, customer) if reached > event else (event, AT_ONCE_AFTER, at, customer)


def findings_of(
    found: Findings, count: int, step_input: StepInput, wait: int, *, judged: bool
) -> Iterator[tuple[int, Pending]]:
    """What the kernel has written down, copied, each with the place of its partition among the parts. `judged` is
    whether a model has judged the silences, `wait` as for `passed`."""
    values, inputs, run_off = (each[:count].copy() for each in (found.values, found.inputs, found.run_off))
    customers = names_of(step_input.ids[found.heads[:count, FINDING_CUSTOMER]])
    for n, (k, event, at_event, at, bits, raised, tier, clock) in enumerate(found.heads[:count].tolist()):
        part = bisect_right(step_input.row_starts, k) - 1
        batch = step_input.batches[part]
        customer, place = customers[n], k - step_input.row_starts[part]
        event = event - step_input.event_starts[part] if event >= 0 else event
        key = (event, AFTER, 0, customer) if at_event else passed(batch, event, clock, customer, wait)
        by_model = ScoredInputs(inputs[n], run_off[n]) if judged and bits & (SILENT | RUN_OFF) else None
        yield part, Pending(key, place, at, bool(at_event), bits, raised, tier, values[n], by_model, clock)


def noted(batch: EventBatch, notes: Iterable[tuple[int, CustomerRecord]]) -> list[Pending]:
    """The customer records of a batch, by the place of their entry in it."""
    return [
        Pending((at, AFTER, 0, note.said.customer_id), int(batch.events[at, CUSTOMER]), note.at, record=note)
        for at, note in notes
    ]


def decide(
    pending: Sequence[Pending],
    batch: EventBatch,
    where: Mapping[str, object],
    deciders: Sequence[tuple[int, Decider]],
    now: int,
) -> list[Alert]:
    """The alerts to send, in the order of the stream. `where` has topic and partition, `deciders` are those of every
    belief, each with the bits that it takes; `now` (epoch ms) is the clock on the wall, 0 where none is asked."""
    alerts: list[Alert] = []
    for one in sorted(pending, key=lambda one: one.key):
        for finding in _findings(one, batch, where, max(now, one.clock)):
            following: Finding | None = finding
            while following is not None:
                asked, following = following, None
                for takes, decider in deciders:
                    if asked.bits & takes:
                        decided = decider.decide(asked)
                        alerts += decided.alerts
                        following = following or decided.follow_up
    return alerts


def _findings(one: Pending, batch: EventBatch, where: Mapping[str, object], now: int) -> Iterator[Finding]:
    """What is decided on one after another."""
    customer, at = one.customer, one.at
    if one.record is not None:
        cause = {**where, "topic": one.record.topic, "offset": one.record.offset}
        if event_id := getattr(one.record.said, "event_id", ""):
            cause["event_id"] = event_id
        yield Finding(customer, CUSTOMER_RECORD, at, now, cause, "", record=one.record)
        return
    assert one.values is not None
    seen = FeatureValues(one.values)
    if not one.at_event:
        due = rfc3339(at)
        name = f"deposit {due}" if one.bits & DEPOSIT_MATURING else due
        yield Finding(customer, one.bits, at, now, {**where, "due_at": due}, name, seen, one.tier, 0, one.scored)
        return
    event = one.key[0]
    name = batch.event_id(event)
    cause = {**where, "offset": int(batch.events[event, OFFSET]), "event_id": name}
    original = batch.original_id(event) if one.bits & REVERSED else ""
    for bits in (RETURNED, REVERSED, RUN_OFF, ~(RETURNED | REVERSED | RUN_OFF)):
        if bits & one.bits:
            found = bits & one.bits
            yield Finding(
                customer, found, at, now, cause, name, seen, one.tier, one.raised, one.scored, original_id=original
            )
