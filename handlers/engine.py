"""One step of one partition: a batch of events and the customers who are due, in; rows, due times and alerts, out.

Pure: the outcome depends on the rows, the events in their order, and stream time; not on how the stream was cut into
batches. The kernel advances one customer after another until a moment that needs a decision, and goes on after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handlers import offers as next_best_offer
from handlers import rhythm
from handlers.advance import (
    AFTER,
    DONE,
    FULL,
    MOMENT_AT,
    MOMENT_BITS,
    MOMENT_CUSTOMER,
    MOMENT_EVENT,
    MOMENT_LATE,
    MOMENT_OUT,
    MOMENT_RAISED,
    MOMENTS,
    SILENT,
    advance,
    new_work,
)
from handlers.batch import Batch
from handlers.features import FEATURES
from handlers.fold import RETURNED
from handlers.layout import ROW_BYTES_MAX, check_version
from handlers.measures import SPEC
from handlers.row import OFFER_HASH, OFFER_UNTIL, OFFERS, OFFERS_MAX, Scratch, new_scratch
from handlers.snapshot import Snapshot
from schemas.alert import Alert
from schemas.offer import Offer
from schemas.units import DAY_MS

_BUFFER_BYTES = 16 * ROW_BYTES_MAX


@dataclass(slots=True, frozen=True)
class Rules:
    """What the bank has decided to look for."""

    offers: tuple[Offer, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What a step changes."""

    rows: dict[str, bytes]
    due: dict[str, int | None]
    """Only where the due time changed; None is never."""
    alerts: list[Alert]
    """In stream order: by the event or the moment of stream time that caused them."""
    clock: int
    late: int
    """Events that only lifetime figures could take."""
    unfitting: int
    """Moments at which no offer fitted."""


class Engine:
    """Steps of one partition. Holds no customer's state between steps, only room to work in."""

    def __init__(self, topic: str, partition: int) -> None:
        self._where = {"topic": topic, "partition": partition}
        self._scratch = new_scratch()
        self._work = new_work(len(FEATURES))
        self._buffer = np.empty(_BUFFER_BYTES, np.uint8)

    def step(
        self, batch: Batch, rows: Mapping[str, bytes | None], due: Sequence[tuple[str, int]], rules: Rules
    ) -> Outcome:
        """Folds the batch and lets due times pass up to batch.clock_end.

        `rows` holds the stored row of each customer in the batch and in `due`; `due` names everybody whose due time
        is not after batch.clock_end. Raises LayoutError for a row of an unknown version.
        """
        present = set(batch.customers)
        customers = batch.customers + [customer for customer, _ in due if customer not in present]
        stored = [rows.get(customer) or b"" for customer in customers]
        for row in stored:
            if row:
                check_version(row)
        ends = np.cumsum([len(row) for row in stored], dtype=np.int64) if stored else np.zeros(0, np.int64)
        raw = np.frombuffer(b"".join(stored), np.uint8)
        order = np.argsort(batch.row, kind="stable")
        event_ends = np.cumsum(np.bincount(batch.row, minlength=len(customers)), dtype=np.int64)
        due_before, due_after = np.zeros(len(customers), np.int64), np.zeros(len(customers), np.int64)
        row_ends = np.zeros(len(customers), np.int64)
        wanted = next_best_offer.wanted_bits(rules.offers) | RETURNED
        columns = np.stack(
            [batch.at, batch.amount, batch.balance, batch.type, batch.channel, batch.undoes_at, batch.clock]
        )
        moment = np.zeros(MOMENTS, np.int64)
        outcome = Outcome({}, {}, [], batch.clock_end, 0, 0)
        found: list[tuple[tuple[int, int, int, str], Alert]] = []
        flushed = 0
        while True:
            state = advance(
                self._scratch, self._work, SPEC, moment, raw, ends, order, event_ends, columns, batch.account,
                batch.clock_end, wanted, due_before, due_after, self._buffer, row_ends,
            )  # fmt: skip
            if state in (FULL, DONE):
                at = int(moment[MOMENT_CUSTOMER])
                flat = self._buffer[: moment[MOMENT_OUT]].tobytes()
                start = 0
                for customer, end in zip(customers[flushed:at], row_ends[flushed:at].tolist(), strict=True):
                    outcome.rows[customer] = flat[start:end]
                    start = end
                flushed, moment[MOMENT_OUT] = at, 0
                if state == DONE:
                    break
                continue
            customer = customers[moment[MOMENT_CUSTOMER]]
            if state == SILENT:
                found.append(self._silent(customer, batch, moment))
            else:
                found += self._decided(customer, batch, moment, rules, outcome)
        changed = np.flatnonzero(due_before != due_after)
        outcome.due = {customers[k]: int(due_after[k]) or None for k in changed.tolist()}
        outcome.late = int(moment[MOMENT_LATE])
        found.sort(key=lambda entry: entry[0])
        outcome.alerts = [alert for _, alert in found]
        return outcome

    def _silent(self, customer: str, batch: Batch, moment: np.ndarray) -> tuple[tuple[int, int, int, str], Alert]:
        due = int(moment[MOMENT_AT])
        reached = int(np.searchsorted(batch.clock, due))
        own_last = int(moment[MOMENT_EVENT])  # this customer's event before, -1 if none in the batch
        key = (reached, AFTER - 1, due, customer) if reached > own_last else (own_last, AFTER + 1, due, customer)
        share = float(self._work.share[0])
        return key, rhythm.raised(customer, due, self._where, Snapshot(self._work.values), share)

    def _decided(
        self, customer: str, batch: Batch, moment: np.ndarray, rules: Rules, outcome: Outcome
    ) -> list[tuple[tuple[int, int, int, str], Alert]]:
        event, at, bits = int(moment[MOMENT_EVENT]), int(moment[MOMENT_AT]), int(moment[MOMENT_BITS])
        cause: dict[str, object] = {**self._where, "offset": int(batch.offset[event])}
        event_id = batch.event_ids[event]
        found = []
        if bits & RETURNED:
            raised = int(moment[MOMENT_RAISED])
            alert = rhythm.retracted(customer, raised, at, {**cause, "event_id": event_id})
            found.append(((event, AFTER, 0, customer), alert))
        if bits & ~RETURNED:
            seen = Snapshot(self._work.values)
            cooling = _cooling(self._scratch)
            offer = next_best_offer.best(rules.offers, bits, cooling, at, seen)
            if offer is None:
                outcome.unfitting += 1
            elif _cool(self._scratch, offer, at):
                alert = next_best_offer.proposed(customer, offer, bits, event_id, at, cause, seen)
                found.append(((event, AFTER, 1, customer), alert))
        return found


def _cooling(s: Scratch) -> dict[int, int]:
    made = s.offers[: s.size[OFFERS]]
    return dict(zip(made[:, OFFER_HASH].tolist(), made[:, OFFER_UNTIL].tolist(), strict=True))


def _cool(s: Scratch, offer: Offer, at: int) -> bool:
    """Notes the offer's cooldown in the row, over cooldowns that have ended. False if there is no room left."""
    until = at + offer.cooldown_days * DAY_MS
    key = next_best_offer.offer_hash(offer.offer_id)
    kept = [(k, u) for k, u in _cooling(s).items() if u > at and k != key]
    if len(kept) >= OFFERS_MAX:
        return False
    for place, entry in enumerate(sorted([*kept, (key, until)])):
        s.offers[place] = entry
    s.size[OFFERS] = len(kept) + 1
    return True
