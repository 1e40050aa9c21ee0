"""History through the same handlers, with no broker and no Redis: what a live run over the same records would do."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from handlers.churn.challenger import Comparison
from handlers.engine.engine import Engine, StepResult
from handlers.engine.rules import Rules
from handlers.engine.step_input import PartitionInput, needed_ids, placed
from handlers.intake.customer_records import CustomerRecord, CustomerRecordIntake
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import EventBatch
from handlers.intake.inputs import SIDE_INPUTS, TRANSACTIONS
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import I8, NONE
from handlers.profile.customer import profile
from handlers.state.row_arena import RowArena
from handlers.state.row_table import LEDGER, RowTable
from learning.order import Order
from learning.records import by_topic
from schemas.alert import Alert
from schemas.dead_letter import DeadLetter
from schemas.units import HOUR_MS

_WORDS_MIN = 1 << 17
"""Room for rows to begin with."""


class _Read(NamedTuple):
    """What a number of lines are."""

    batch: EventBatch
    notes: list[CustomerRecord]
    outages: I8


class Replay:
    """One pass over JSON Lines, as one partition whose clock is the stream's own.

    A line whose field `record` names a topic of SIDE_INPUTS is a record of that topic, any other a transaction.

    Iterate over `alerts` to the end first; then `profiles`, `rows`, `dead_letters` and `clock` are complete.
    """

    def __init__(self, intake: TransactionIntake, rules: Rules, topic: str, batch: int) -> None:
        if batch < 1:
            raise ValueError("a batch holds at least one record")
        self.clock = 0
        self.events = self.duplicates = self.early_reversals = self.unknown_types = self.unknown_channels = 0
        self.dead_letters: list[DeadLetter] = []
        self.suppressed: Counter[str] = Counter()
        self.unfitting = self.unmatched = 0
        self.untimely = 0
        self.order = Order()
        self._intake = intake
        self._notes = [CustomerRecordIntake(source, keyed=False) for source in SIDE_INPUTS]
        self._rules = rules
        self._engine = Engine(topic)
        self._seen = DuplicateFilter()
        self._size = batch
        self._arena = RowArena(_WORDS_MIN)
        self._due_at: dict[str, int] = {}
        self._due: list[tuple[int, str]] = []

    def alerts(
        self,
        lines: Iterable[bytes],
        looked: Callable[[Comparison], object] | None = None,
        folded: Callable[[EventBatch], object] | None = None,
    ) -> Iterator[Alert]:
        """Folds the lines, which come without their ends, and yields the alerts in stream order. The n-th line has
        offset n, from 0.

        `looked` is told what champion and challenger said, where there is a challenger, in stream order;
        `folded` of each batch of transactions.

        The next lines are read in a thread of its own while these are folded: the kernels of both need no lock of the
        interpreter.
        """
        read = self._read(lines)
        with ThreadPoolExecutor(1, "reading") as reader:
            ahead = reader.submit(next, read, None)
            while (now := ahead.result()) is not None:
                ahead = reader.submit(next, read, None)
                outcome = self._step(now)
                if folded is not None:
                    folded(now.batch)
                if looked is not None:
                    for look in outcome.comparisons:
                        looked(look)
                yield from outcome.alerts

    @property
    def rows(self) -> RowTable:
        """All of them, that of LEDGER included."""
        return self._arena.held(0)

    def profiles(self) -> Iterator[tuple[str, dict[str, int | float | None]]]:
        """Every customer's features at the end of the stream, by customer id."""
        rows = self.rows
        for customer in sorted(rows.keys() - {LEDGER}):
            yield customer, profile(rows[customer], self.clock)

    def _read(self, lines: Iterable[bytes]) -> Iterator[_Read]:
        """Batch after batch. Of this object it uses what `_step` does not."""
        unread, first, time = iter(lines), 0, StreamTime()
        while chunk := list(islice(unread, self._size)):
            records = by_topic(first, chunk)
            first += len(chunk)
            clock = time.clock
            batch = self._intake.batch(0, records[TRANSACTIONS.name], time, self._seen)
            notes = []
            for intake in self._notes:
                read, letters = intake.notes(0, records[intake.source.name], clock=clock)
                notes += read
                batch.dead_letters += letters
            batch.dead_letters.sort(key=lambda letter: letter.offset)
            self._seen.take()  # nobody stores it
            yield _Read(batch, placed(notes, batch), time.outages.copy())

    def _step(self, read: _Read) -> StepResult:
        batch, notes, outages = read
        self.events += len(batch)
        self.order.add(batch)
        self.duplicates += batch.duplicates
        self.early_reversals += batch.early_reversals
        self.unknown_types += batch.unknown_types
        self.unknown_channels += batch.unknown_channels
        self.dead_letters += batch.dead_letters
        due = self._passed(batch.clock_end - self._rules.policy.settle_hours * HOUR_MS)
        ids = needed_ids(batch, due, notes)
        rows, _ = self._arena.rows(0, ids)
        outcome = self._engine.step(PartitionInput(0, batch, rows, due, notes, outages), self._rules)
        self.suppressed += outcome.suppressed
        self.unfitting += outcome.unfitting
        self.untimely += outcome.untimely
        self.unmatched += outcome.unmatched
        put = self._arena.put(0, outcome.rows)
        while put < len(outcome.rows):
            self._arena.grow()
            put = self._arena.put(0, outcome.rows, put)
        self.clock = outcome.clock
        for customer, at in zip(names_of(outcome.due.ids), outcome.due.at.tolist(), strict=True):
            if at == NONE:
                self._due_at.pop(customer, None)
            else:
                self._due_at[customer] = at
                heapq.heappush(self._due, (at, customer))
        return outcome

    def _passed(self, until: int) -> list[tuple[str, int]]:
        """Who is due; entries of the heap that have been overtaken by a later due time are dropped as they surface."""
        passed = []
        while self._due and self._due[0][0] <= until:
            at, customer = heapq.heappop(self._due)
            if self._due_at.get(customer) == at:
                del self._due_at[customer]
                passed.append((customer, at))
        return passed
