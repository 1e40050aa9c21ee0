"""What partitions bring to a step, and all of it laid side by side for the kernel."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from handlers.advance import TOLD
from handlers.batch import CUSTOMER, Batch
from handlers.jit import I8, jit
from handlers.layout import VERSION, LayoutError
from handlers.ledger import LEDGER
from handlers.notes import Note, woven


class Part(NamedTuple):
    """What one partition brings to a step."""

    partition: int
    batch: Batch
    names: Sequence[str]
    """`needed_rows`."""
    rows: Sequence[bytes | None]
    """What is stored under each of them, in the present layout (upgrade.current)."""
    due: Sequence[tuple[str, int]]
    """Everybody whose due time (epoch ms) is not after batch.clock_end."""
    notes: Sequence[Note] = ()

    @property
    def ledger(self) -> bytes | None:
        """The row of that name."""
        return self.rows[-1]


def part_of(
    partition: int,
    batch: Batch,
    stored: Mapping[str, bytes],
    due: Sequence[tuple[str, int]] = (),
    notes: Sequence[Note] = (),
) -> Part:
    """For whoever holds all rows by name."""
    names = needed_rows(batch, due, notes)
    return Part(partition, batch, names, list(map(stored.get, names)), due, notes)


def needed_rows(batch: Batch, due: Sequence[tuple[str, int]], notes: Sequence[Note] = ()) -> list[str]:
    """The rows that a step must be given, each once, the ledger last."""
    if not notes and not due:  # as mostly, and customers of a batch are there once
        return [*batch.customers, LEDGER]
    names = [*batch.customers, *(note.said.customer_id for note in notes), *(customer for customer, _ in due), LEDGER]
    return list(dict.fromkeys(names))


class Bundle:
    """Several partitions' batches as the kernel takes them: customers and entries of one after those of the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.batches: list[Batch] = []
        self.noted: list[list[tuple[int, Note]]] = []
        """Notes of each partition, by the place of their entry in its batch."""
        self.customers: list[str] = []
        self.starts = [0]
        """Where the customers of each partition start, and at last where they end."""
        self.event_starts = [0]
        stored: list[bytes | None] = []
        for part in parts:
            batch, noted = woven(part.batch, part.notes) if part.notes else (part.batch, [])
            customers = batch.customers
            if part.due:
                present = set(customers)
                customers = customers + [customer for customer, _ in part.due if customer not in present]
            self.batches.append(batch)
            self.noted.append(noted)
            self.customers += customers
            self.starts.append(len(self.customers))
            self.event_starts.append(self.event_starts[-1] + len(batch))
            if part.notes or part.due:
                stored += map(dict(zip(part.names, part.rows, strict=True)).get, customers)
            else:  # those of the customers, and then the ledger
                stored += part.rows[:-1]
        count = len(self.customers)
        there = cast(list[bytes], stored) if all(stored) else [row or b"" for row in stored]
        lengths = np.fromiter(map(len, there), np.int64, count)
        self.ends = np.cumsum(lengths)
        self.raw = np.frombuffer(b"".join(there), np.uint8)
        filled = lengths > 0
        if (self.raw[(self.ends - lengths)[filled]] != VERSION).any():  # the kernel would read whatever it found there
            raise LayoutError("a row was not brought to the present layout before the step")
        self.clock_ends = np.repeat([batch.clock_end for batch in self.batches], np.diff(self.starts))
        self.events = np.concatenate([batch.events for batch in self.batches])
        for batch, event, customer in zip(self.batches, self.event_starts, self.starts, strict=False):
            self.events[event : event + len(batch), CUSTOMER] += customer
        self.order, self.event_ends = np.empty(len(self.events), np.int64), np.zeros(count, np.int64)
        _by_customer(self.events, self.order, self.event_ends)
        self.told = np.zeros((TOLD, count), np.int64)


@jit
def _by_customer(events: I8, order: I8, ends: I8) -> None:
    """Sorts the events by customer, each one's in their order, by counting: `order` has their places, `ends` where in
    it each customer's end, and is all zeros before."""
    for e in range(events.shape[0]):
        ends[events[e, CUSTOMER]] += 1
    for k in range(1, ends.shape[0]):
        ends[k] += ends[k - 1]
    for e in range(events.shape[0] - 1, -1, -1):  # from behind each end: what is put there last comes first
        customer = events[e, CUSTOMER]
        ends[customer] -= 1
        order[ends[customer]] = e
    for k in range(ends.shape[0] - 1):
        ends[k] = ends[k + 1]
    if ends.shape[0] > 0:
        ends[-1] = events.shape[0]
