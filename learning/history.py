"""A bank's history in memory, as columns: read once through the same intake as the live stream, then cut by time.

About 110 bytes an event. A file of a stream is in the order of its publication; files are merged by stream time, each
in its own order. A file in some other order (by customer, say) was never a stream: it is sorted by occurred_at.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from handlers.aggregates.features import NOT_OWN
from handlers.intake.customer_records import CustomerRecord, CustomerRecordIntake
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import AT, CLOCK, CUSTOMER, OFFSET, EventBatch, Events
from handlers.intake.inputs import CUSTOMER_EVENTS, TRANSACTIONS
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.kernel.customer_ids import ids_of
from handlers.kernel.jit import I8, NONE
from learning.chance import B1
from learning.order import LATE_SHARES_MAX
from learning.records import by_topic, record
from learning.refusals import Refusals
from schemas.customer_event import CustomerEvent
from schemas.units import DAY_MS

CHUNK = 5_000


class HistoryError(ValueError):
    """The history can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What whoever reads a history should be told of it."""

    refusals: Refusals = field(default_factory=Refusals)
    sorted_files: int = 0
    """Files that were not in the order of a stream."""
    duplicates: int = 0
    """Transactions whose event_id had come before."""
    early_reversals: int = 0
    """Reversals that came before the transaction they name."""
    unknown_types: int = 0
    unknown_channels: int = 0
    """Transactions whose type or channel is none of the contract's."""


class Closing(NamedTuple):
    """A product that a customer closed."""

    customer: int
    """Place in History.customers."""
    product: str
    at: int
    """Epoch ms."""


@dataclass(frozen=True, slots=True)
class History(Events):
    """Events in stream order; their clock is the running maximum of `at`."""

    customers: list[str]
    """Customer ids; `customer` holds places in it."""
    events: I8
    closings: "tuple[Closing, ...]"
    """Products that customers who have transactions closed."""
    notices: "Notices"
    currency: str
    """That of every amount."""

    @property
    def ends_at(self) -> int:
        """Stream time at the last event, epoch ms."""
        return int(self.clock[-1])

    def until(self, moment: int) -> "History":
        """What was known before `moment` (epoch ms): the events before stream time first reached it."""
        known = int(np.searchsorted(self.clock, moment))
        closings = tuple(one for one in self.closings if one.at < moment)
        return replace(self, events=self.events[:known], closings=closings)

    def own(self) -> "OwnTimes":
        """When the customers themselves did something."""
        own = made_by_customers(self.type, self.undoes_at)
        return OwnTimes(self.customer[own], self.at[own])

    def batch(self, start: int, stop: int) -> EventBatch:
        """Events start..stop-1 as the engine takes them."""
        events = self.events[start:stop].copy()
        seen, events[:, CUSTOMER] = np.unique(events[:, CUSTOMER], return_inverse=True)
        events[:, OFFSET] = np.arange(start, stop)
        return EventBatch(
            ids=ids_of([self.customers[index] for index in seen.tolist()]),
            events=events,
            event_id=lambda _: "",
            original_id=lambda _: "",
            clock_end=int(events[-1, CLOCK]),
            dead_letters=[],
            duplicates=0,
            unknown_types=0,
            unknown_channels=0,
        )


def made_by_customers(kind: I8, undoes_at: I8) -> B1:
    """Which events, by the columns `type` and `undoes_at`, the customers made: neither the bank nor others did, and
    they are no reversals. (n,)."""
    own: B1 = ~np.isin(kind, NOT_OWN) & (undoes_at == NONE)
    return own


class OwnTimes:
    """The moments of own transactions, to be asked what came next."""

    def __init__(self, customer: I8, at: I8) -> None:
        """Both (events,)."""
        self._start = int(at.min()) if len(at) else 0
        self._span = (int(at.max()) - self._start if len(at) else 0) + 2
        self._key = np.sort(customer * self._span + (at - self._start))

    def next_after(self, customers: I8, moment: int) -> I8:
        """Each customer's first own transaction at or after `moment` (epoch ms); NONE where there is none."""
        since = min(max(moment - self._start, 0), self._span - 1)
        position = np.searchsorted(self._key, customers * self._span + since)
        key = np.append(self._key, -1)[position]
        times: I8 = np.where(key // self._span == customers, key % self._span + self._start, NONE)
        return times

    def active_days(self) -> tuple[I8, I8]:
        """Customer and UTC day of every active day, by customer and day."""
        customer, at = self._key // self._span, self._key % self._span + self._start
        day = at // DAY_MS
        fresh = np.ones(len(day), np.bool_)
        fresh[1:] = (customer[1:] != customer[:-1]) | (day[1:] != day[:-1])
        return customer[fresh], day[fresh]


def read(
    files: Sequence[Iterable[bytes]],
    intake: TransactionIntake,
    progress: Callable[[int], None],
    customer_events: Iterable[bytes] = (),
) -> History:
    """The history in files of JSON lines, of which some may be records of other topics (intake.lines.topic_of), and in
    customer events by themselves. `progress` is told the number of events read so far.

    Raises HistoryError where nothing is left.
    """
    names: dict[str, int] = {}
    seen, notes = DuplicateFilter(), CustomerRecordIntake(CUSTOMER_EVENTS, keyed=False)
    closed: list[CustomerRecord] = []
    parts: list[I8] = []
    refusals = Refusals()
    unordered = count = duplicates = early_reversals = unknown_types = unknown_channels = 0
    for number, lines in enumerate(files, 1):
        read_before = len(parts)
        for batch in _batches(lines, intake, seen, notes, closed):
            places = np.array([names.setdefault(name, len(names)) for name in batch.customers], np.int64)
            if len(batch):
                batch.events[:, CUSTOMER] = places[batch.customer]
                parts.append(batch.events)
            for letter in batch.dead_letters:
                line = f"line {letter.offset + 1:,}"
                refusals.add(letter, line if len(files) == 1 else f"file {number}, {line}")
            count += len(batch)
            duplicates += batch.duplicates
            early_reversals += batch.early_reversals
            unknown_types += batch.unknown_types
            unknown_channels += batch.unknown_channels
            progress(count)
        if parts_of_file := parts[read_before:]:
            del parts[read_before:]
            parts.append(events := np.concatenate(parts_of_file))
            at = events[:, AT]
            clock = np.maximum.accumulate(at)
            if any(np.mean(clock - at > late) > share for late, share in LATE_SHARES_MAX):
                unordered += 1
                clock = at
            events[:, CLOCK] = clock
    customer_records, letters = notes.notes(0, (record(n, line) for n, line in enumerate(customer_events)))
    for letter in letters:
        refusals.add(letter, f"customer event {letter.offset + 1:,}")
    if not count:
        why = "".join(f"; {one.first}: {one.field} {one.rule}" for one in islice(refusals, 1))
        raise HistoryError(f"no usable transaction was found{why}")
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(files) > 1 or unordered:
        whole = whole[np.argsort(whole[:, CLOCK], kind="stable")]
    whole[:, CLOCK] = np.maximum.accumulate(whole[:, AT])
    return History(
        list(names),
        whole,
        closings=_closings([*closed, *customer_records], names),
        notices=Notices(refusals, unordered, duplicates, early_reversals, unknown_types, unknown_channels),
        currency=intake.base_currency,
    )


def _batches(
    lines: Iterable[bytes],
    intake: TransactionIntake,
    seen: DuplicateFilter,
    notes: CustomerRecordIntake,
    customer_records: list[CustomerRecord],
) -> Iterator[EventBatch]:
    """The transactions among the lines; customer events are added to `customer_records`, outcomes are
    left out."""
    lines, first, time = iter(lines), 0, StreamTime()
    while chunk := list(islice(lines, CHUNK)):
        records = by_topic(first, chunk)
        first += len(chunk)
        batch = intake.batch(0, records[TRANSACTIONS.name], time, seen)
        seen.take()  # nobody stores it
        accepted, letters = notes.notes(0, records[CUSTOMER_EVENTS.name])
        customer_records += accepted
        batch.dead_letters = sorted(batch.dead_letters + letters, key=lambda letter: letter.offset)
        yield batch


def _closings(customer_records: Iterable[CustomerRecord], names: dict[str, int]) -> tuple[Closing, ...]:
    return tuple(
        Closing(names[note.said.customer_id], note.said.product or "", note.at)
        for note in customer_records
        if isinstance(note.said, CustomerEvent)
        and note.said.kind == "product_closed"
        and note.said.customer_id in names
    )
