"""What partitions bring to a step, and all of it laid side by side for the kernel."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

import numpy as np

from handlers.engine.advance import TOLD
from handlers.engine.by_customer import by_customer
from handlers.intake.customer_records import CustomerRecord
from handlers.intake.events import (
    ACCOUNT,
    AMOUNT,
    AT,
    BALANCE,
    CHANNEL,
    CLOCK,
    CUSTOMER,
    EVENT_FIELDS,
    OFFSET,
    TYPE,
    EventBatch,
)
from handlers.intake.stream_time import StreamTime
from handlers.kernel.customer_ids import ACCOUNT_WORDS, distinct, ids_of, names_of
from handlers.kernel.jit import I8
from handlers.kernel.text import words_of
from handlers.offers.triggers import CARD, CARD_TENTHS, DEPOSIT, FORGET, LOAN, LOAN_TENTHS, NOTED, PRODUCT
from handlers.state.codec import PADDING, VERSION, LayoutError
from handlers.state.row_table import LEDGER, RowTable
from schemas.customer_event import CustomerEvent
from schemas.units import moment_ms

LEDGER_ID = ids_of([LEDGER])
NO_OUTAGES = StreamTime().outages
_PADDING = np.zeros(PADDING, np.uint8)


class PartitionInput(NamedTuple):
    """What one partition brings to a step."""

    partition: int
    batch: EventBatch
    rows: RowTable
    """What is stored of `needed_ids`, in the present layout (upgrade.current)."""
    due: Sequence[tuple[str, int]]
    """Everybody whose due time (epoch ms) is at least the policy's `settle_hours` before batch.clock_end."""
    notes: Sequence[CustomerRecord] = ()
    outages: I8 | None = None
    """Of its feed (StreamTime.outages)."""
    now: int = 0
    """The clock on the wall, epoch ms: what would be over by then is not sent. 0 where stream time alone counts."""

    @property
    def ledger(self) -> bytes:
        """The row of that name, empty where there is none."""
        return self.rows.row(-1)


def partition_input(
    partition: int,
    batch: EventBatch,
    stored: Mapping[str, bytes],
    due: Sequence[tuple[str, int]] = (),
    notes: Sequence[CustomerRecord] = (),
) -> PartitionInput:
    """For whoever holds all rows by name."""
    ids = needed_ids(batch, due, notes)
    rows = RowTable.laid(ids, [stored.get(name, b"") for name in names_of(ids)])
    return PartitionInput(partition, batch, rows, due, notes)


def needed_ids(batch: EventBatch, due: Sequence[tuple[str, int]], notes: Sequence[CustomerRecord] = ()) -> I8:
    """Whose rows a step must be given, each once: customers of the batch, of the notes, who is due, and at last the
    ledger. (n, ID_WORDS)."""
    ids = batch.ids
    if notes or due:
        ids = np.concatenate([ids, ids_of([note.said.customer_id for note in notes] + [name for name, _ in due])])
        ids = ids[distinct(ids)[1]]
    return np.concatenate([ids, LEDGER_ID])


def placed(notes: Iterable[CustomerRecord], batch: EventBatch) -> list[CustomerRecord]:
    """The notes among the events of a batch that was read from the same stream, by their offsets."""
    found = []
    for note in sorted(notes, key=lambda note: note.offset):
        before = int(np.searchsorted(batch.offset, note.offset))
        clock = max(note.clock, int(batch.clock[before - 1])) if before else note.clock
        found.append(replace(note, before=before, clock=clock))
    return found


def woven(batch: EventBatch, notes: Sequence[CustomerRecord]) -> tuple[EventBatch, list[tuple[int, CustomerRecord]]]:
    """The batch with an entry that is no transaction for each note, and the notes by the place of theirs in it."""
    ordered = sorted(notes, key=lambda note: note.before)
    places = [note.before for note in ordered]
    ids = np.concatenate([batch.ids, ids_of([note.said.customer_id for note in ordered])])
    rows, firsts = distinct(ids)
    entries = np.empty((len(ordered), EVENT_FIELDS), np.int64)
    entries[:, AT] = [note.at for note in ordered]
    entries[:, (TYPE, AMOUNT, BALANCE)] = [_entry(note) for note in ordered]
    entries[:, CHANNEL] = 0
    entries[:, PRODUCT] = [_product(note) for note in ordered]
    entries[:, CLOCK] = [note.clock for note in ordered]
    entries[:, OFFSET] = [note.offset for note in ordered]
    entries[:, CUSTOMER] = rows[len(batch.ids) :]
    entries[:, ACCOUNT:] = words_of([_account(note) for note in ordered], ACCOUNT_WORDS)
    was_at = np.insert(np.arange(len(batch)), places, -1)
    events = np.insert(batch.events, places, entries, axis=0)
    together = replace(
        batch,
        ids=ids[firsts],
        events=events,
        event_id=lambda n: batch.event_id(int(was_at[n])),
        original_id=lambda n: batch.original_id(int(was_at[n])),
    )
    return together, [(place + shift, note) for shift, (place, note) in enumerate(zip(places, ordered, strict=True))]


def _entry(note: CustomerRecord) -> tuple[int, int, int]:
    """What the kernel is told: type, the level of balance to watch for, and when a deposit matures."""
    said = note.said
    if not isinstance(said, CustomerEvent):
        return NOTED, 0, 0
    if said.kind == "product_closed":
        return FORGET, 0, 0
    if said.account_id is None:
        return NOTED, 0, 0
    if said.kind == "product_taken":
        if said.product_kind == "card" and said.limit_minor is not None:
            return CARD, -(said.limit_minor * CARD_TENTHS // 10), 0
        if said.product_kind == "loan" and said.amount_minor is not None:
            return LOAN, -(said.amount_minor * LOAN_TENTHS // 10), 0
        if said.product_kind == "deposit" and said.matures_at is not None:
            return DEPOSIT, 0, moment_ms(said.matures_at)
    return NOTED, 0, 0


def _product(note: CustomerRecord) -> int:
    """By which the kernel knows the product again: 31 bits of its code's checksum, never 0 for one that is named."""
    code = note.said.product if isinstance(note.said, CustomerEvent) else None
    return 0 if code is None else (crc32(code.encode()) & 0x7FFFFFFF) or 1


def _account(note: CustomerRecord) -> str:
    return (note.said.account_id or "") if isinstance(note.said, CustomerEvent) else ""


class StepInput:
    """Several partitions' batches as the kernel takes them: customers and entries of one after those of the other."""

    def __init__(self, parts: Sequence[PartitionInput]) -> None:
        self.batches: list[EventBatch] = []
        self.noted: list[list[tuple[int, CustomerRecord]]] = []
        """Notes of each partition, by the place of their entry in its batch."""
        self.row_starts = [0]
        """Where the customers of each partition start, and at last where they end."""
        self.event_starts = [0]
        raw_start, starts, ends = 0, [], []
        for part in parts:
            batch, noted = woven(part.batch, part.notes) if part.notes else (part.batch, [])
            self.batches.append(batch)
            self.noted.append(noted)
            self.row_starts.append(self.row_starts[-1] + len(part.rows) - 1)
            self.event_starts.append(self.event_starts[-1] + len(batch))
            starts.append(part.rows.starts[:-1] + raw_start)
            ends.append(part.rows.ends[:-1] + raw_start)
            raw_start += len(part.rows.raw)
        self.ids = np.concatenate([part.rows.ids[:-1] for part in parts])
        self.raw = np.concatenate([*(part.rows.raw for part in parts), _PADDING])
        self.starts, self.ends = np.concatenate(starts), np.concatenate(ends)
        if (self.raw[self.starts[self.ends > self.starts]] != VERSION).any():  # the kernel would read whatever is there
            raise LayoutError("a row was not brought to the present layout before the step")
        self.outages = np.stack([NO_OUTAGES if part.outages is None else part.outages for part in parts])
        self.outages_of = np.repeat(np.arange(len(parts)), np.diff(self.row_starts))
        self.clock_ends = np.repeat([batch.clock_end for batch in self.batches], np.diff(self.row_starts))
        self.events = np.concatenate([batch.events for batch in self.batches])
        for batch, event, customer in zip(self.batches, self.event_starts, self.row_starts, strict=False):
            self.events[event : event + len(batch), CUSTOMER] += customer
        count = len(self.ids)
        self.order, self.event_ends = np.empty(len(self.events), np.int64), np.zeros(count, np.int64)
        by_customer(self.events, self.order, self.event_ends)
        self.told = np.zeros((TOLD, count), np.int64)
