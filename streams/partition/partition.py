"""One owned partition: decode a batch, load the rows, fold and decide, commit.

Everything but the commit's answer is a function of the records and of what the store held.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, compress

import msgspec
import numpy as np
import orjson

from handlers.churn.challenger import by_bands
from handlers.contact.history import SuppressionReason
from handlers.engine.engine import Engine, StepResult
from handlers.engine.rules import Rules
from handlers.engine.step_input import PartitionInput, needed_ids
from handlers.intake.customer_records import CustomerRecord, CustomerRecordIntake
from handlers.intake.dedup import BLOCK, DuplicateChanges, DuplicateFilter
from handlers.intake.events import EventBatch, Record
from handlers.intake.inputs import SIDE_INPUTS, Effect
from handlers.intake.stream_time import TIME, WALL_LEAP_MS, StreamTime
from handlers.intake.transactions import TransactionIntake, UndecodedBatch
from handlers.kernel.customer_ids import ids_of, names_of
from handlers.kernel.jit import NONE
from handlers.profile.upgrade import current
from handlers.state.codec import LayoutError
from handlers.state.row_table import LEDGER, DueTable, RowTable
from schemas.alert import Alert, cloud_event_headers
from schemas.dead_letter import DeadLetter, dead_letter_headers
from schemas.transaction import CUSTOMER_ID_LENGTH
from schemas.units import HOUR_MS, LATEST
from streams.partition.mapped_memory import mapped_zeros
from streams.partition.poison_breaker import PoisonBreaker
from streams.partition.row_cache import RowCache
from streams.partition.stages import CommittedBatch, PreparedBatch
from streams.store.port import Changes, Offsets, Outgoing, Position, Store, StoreUnavailable

DUE_MAX = 10_000
"""Customers who are looked at in one commit because they are due; more than that take several."""


CLOCKS_DIFFER_MS_MAX = 3 * HOUR_MS
"""A record that says to be later than that by the worker's clock is worth no more to stream time."""

PARTITIONS = "\0partitions"
"""The name among a partition's rows of how many there were when its state was made."""


class Partition:
    """The state of one partition while this process owns it. Used by one thread at a time.

    A batch is decoded (`unread`), prepared, supplied with rows, decided on and sent; several partitions' are decoded,
    loaded and decided on together. `prepare` raises PoisonFlood when too many records are refused, it and `supply`
    LayoutError for a row that a newer program wrote: then nothing is written. They and `send` raise Fenced, Moved or
    StoreUnavailable: nothing is then known to be written, and the owner must `claim` again and seek to where it has
    `reached` before it goes on.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        intake: TransactionIntake,
        engine: Engine,
        notes: Sequence[CustomerRecordIntake],
        rules: Callable[[], Rules],
        alerts_topic: str,
        dead_letters_topic: str,
        cache: RowCache,
        refused_share_max: float = 1.0,
    ) -> None:
        self.number = number
        self.published = 0
        """Outbox entries up to this sequence are published; the next commit removes them."""
        self.sequence_min = 0
        """Numbers of outbox entries up to this one were given before the store went back."""
        self.position = Position(0, 0, 0, 0, 0, 0, 0)
        self.partitions = 0
        """How many partitions the topics have; 0 where nobody has looked."""
        self.start = Offsets()
        """Where Kafka's topics started when the partition was first claimed."""
        self._seen, self._time = DuplicateFilter(), StreamTime()
        self._made_with = 0
        self._looked = self._doubted = 0
        """The clock on the wall, as it was last believed, and as it was last seen and not believed."""
        self._store = store
        self._intake = intake
        self._engine = engine
        self._notes = notes
        self._breaker = PoisonBreaker(refused_share_max)
        self._rules = rules
        self._alerts_topic = alerts_topic
        self._dead_letters_topic = dead_letters_topic
        self._cache = cache
        self._ahead: dict[str, bytes | None] = {}
        """Rows that were asked for ahead, None until they come, as they stand at `position`."""
        self._next_due: int | None = None
        self._trimmed = 0
        self._forget_overdue()

    @property
    def reached(self) -> Offsets:
        """The next record of each topic to read."""
        return Offsets(*map(max, self.start, self.position.offsets))

    def claim(self) -> Position:
        """Takes the partition, forgetting what was held of it in memory. Raises StoreUnavailable, LayoutError."""
        self._cache.drop(self.number)
        self._ahead = {}
        self._forget_overdue()
        self.position, self.start = self._store.claim(self.number), Offsets()
        self._next_due = self._store.next_due(self.number)
        events, oldest = self.position.events, self.position.oldest
        segments = self._store.seen(self.number, range(oldest, events // BLOCK + 1)) if events else {}
        self._seen = DuplicateFilter(events, oldest, segments, mapped_zeros)
        stored, made_with = self._store.load(self.number, [TIME, PARTITIONS]) if self.position.version else (None, None)
        self._made_with = int(made_with or 0)
        self._doubted = 0
        try:
            self._time = StreamTime(self.position.clock, stored or b"")
        except ValueError as error:
            raise LayoutError(f"partition {self.number}: {error}") from error
        return self.position

    def made_with(self) -> int:
        """With how many partitions the state was made, as this partition knows it, or else any other of them; 0 where
        none does. Raises StoreUnavailable."""
        if self._made_with:
            return self._made_with
        noted = set()
        for found in self._store.load_all([(number, [PARTITIONS]) for number in range(self.partitions)]):
            if isinstance(found, StoreUnavailable):
                raise found
            noted.add(int(found[0] or 0))
        return max(noted - {self.partitions, 0}, default=max(noted, default=0))

    def oldest_entry(self) -> tuple[int, Outgoing] | None:
        """The first entry of the outbox that is left in the store, with its number. Raises StoreUnavailable."""
        return next(iter(self._store.outbox(self.number, 0, 1)), None)

    def trim(self) -> None:
        """Removes from the outbox in the store what is published, with no batch. Every commit that was sent must have
        been answered. Raises as `send`."""
        known = self.published
        if known > self._trimmed:
            changes = Changes(published=known, sequence_min=self.sequence_min)
            offset, clock = self.position.offset, self.position.clock
            self.position = self._store.commit(self.number, self.position, offset, clock, changes)
            self._trimmed = known

    def process(
        self,
        records: Sequence[Record],
        now: int | None,
        *beside: Sequence[Record],
        wall: int = 0,
    ) -> CommittedBatch:
        """One batch of this partition alone, from decoding to the answer to its commit. `beside` are records of each of
        SIDE_INPUTS; of those that are not given there are none."""
        (batch,) = self._intake.batches([self.unread(records, now or wall)])
        given = [*beside, *[()] * (len(SIDE_INPUTS) - len(beside))]
        task = self.prepare(batch, records, now, given, wall)
        self.supply(task, self._store.load(self.number, task.missing))
        outcome = self._engine.step(task.part, self._rules())
        done = self.send(task, outcome)
        if done.sent:
            self._store.answered()
        return done

    def unread(self, records: Sequence[Record], wall: int = 0) -> UndecodedBatch:
        """For `Intake.batches`. Where `wall` is the clock on the wall (epoch ms), no record is worth much more to
        stream time."""
        return UndecodedBatch(
            self.number, records, self._time, self._seen, wall + CLOCKS_DIFFER_MS_MAX if wall else LATEST
        )

    def outage_ms(self, now: int) -> int:
        """For how long nothing has come at `now` (epoch ms), where that is not usual: silences wait."""
        return self._time.outage_ms(now)

    def looked_at(self, due: int) -> int:
        """When whoever is due at `due` is looked at, where there is no outage of the feed, both epoch ms."""
        return due + self._wait

    def ask_ahead(self, records: Sequence[Record]) -> list[str]:
        """Customers of records that will be read next, as far as their keys tell, whose rows memory does not hold: they
        may be asked for now (Store.ask_ahead), and be told by `tell_ahead` before those records are prepared."""
        keys = {record.key for record in records}
        names = [key.decode() for key in keys if key and len(key) <= CUSTOMER_ID_LENGTH and key.isascii()]
        self._ahead = dict.fromkeys(compress(names, self._cache.missing(self.number, ids_of(names))))
        return list(self._ahead)

    def tell_ahead(self, customers: Sequence[str], rows: list[bytes | None] | StoreUnavailable) -> None:
        """Rows as they stood when they were asked for. Which have changed since are no longer in `_ahead`."""
        told = [] if isinstance(rows, StoreUnavailable) else zip(customers, rows, strict=True)
        self._ahead = {customer: row for customer, row in told if customer in self._ahead}

    def prepare(
        self,
        batch: EventBatch,
        records: Sequence[Record],
        now: int | None,
        beside: Sequence[Sequence[Record]],
        wall: int = 0,
    ) -> PreparedBatch:
        """What `Engine.steps` needs for the batch, which is of these records, as far as memory holds it; no records is
        a tick.

        `beside` are records of each of SIDE_INPUTS; when they take effect its row says.
        `now` (epoch ms) tells who is due when the partition is caught up and silence counts in real time, but leaves
        stream time to the records. `wall` is the clock on the wall at any other time as well: what would be over by
        then is not sent.
        """
        self._breaker.watch(records, batch.dead_letters)
        wall = self._believed(max(now or 0, wall), records[-1].timestamp_ms if records else 0)
        if now is not None:
            batch.clock_end = max(batch.clock_end, self._time.held(min(now, wall)))
        notes = self._read_notes(records, beside, batch) if any(beside) else []
        task = self._task(batch, self._due(batch, wall), notes, self.reached.after(records, *beside), wall)
        self._ahead = {}
        return task

    def _believed(self, wall: int, arrived: int) -> int:
        """The clock on the wall, if it is not a leap ahead of all that is known, the last record's arrival included:
        then its next look must say so too."""
        doubted, self._doubted = self._doubted, 0
        if wall <= max(self._time.clock, self._looked, arrived) + WALL_LEAP_MS:
            self._looked = max(self._looked, wall)
            return wall
        if doubted:
            self._looked = min(doubted, wall)
            return self._looked
        self._doubted = wall
        return max(self._time.clock, self._looked)

    def _task(
        self,
        batch: EventBatch,
        due: Sequence[tuple[str, int]],
        notes: Sequence[CustomerRecord],
        offsets: Offsets,
        now: int = 0,
    ) -> PreparedBatch:
        ids = needed_ids(batch, due, notes)
        rows, absent = self._cache.get(self.number, ids)
        places, names = absent, names_of(ids[absent]) if absent else []
        if absent and (ahead := self._ahead):
            told = [(place, name) for place, name in zip(places, names, strict=True) if name in ahead]
            rows = rows.replaced([place for place, _ in told], [_as_of_now(name, ahead[name]) for _, name in told])
            places = [place for place, name in zip(places, names, strict=True) if name not in ahead]
            names = [name for name in names if name not in ahead]
        return PreparedBatch(
            PartitionInput(self.number, batch, rows, due, notes, self._time.outages, now),
            places,
            names,
            len(absent),
            offsets,
        )

    def supply(self, task: PreparedBatch, found: list[bytes | None] | StoreUnavailable) -> None:
        """Brings the missing rows, as the store has them."""
        if isinstance(found, StoreUnavailable):
            raise found
        if not task.missing:
            return
        rows = [_as_of_now(name, row) for name, row in zip(task.missing, found, strict=True)]
        task.part = task.part._replace(rows=task.part.rows.replaced(task.missing_at, rows))
        if task.missing[-1] == LEDGER and not rows[-1]:  # so that it need not be asked for each time
            self._cache.put(self.number, RowTable.of({LEDGER: b""}))

    def send(self, task: PreparedBatch, outcome: StepResult) -> CommittedBatch:
        """Sends the commit. The caller asks for the answer (Store.answered) in the order of the batches, and may begin
        the next batch before."""
        batch, notes = task.part.batch, task.part.notes
        outbox = [self._letter(letter) for letter in batch.dead_letters] + [self._alert(a) for a in outcome.alerts]
        moved = task.offsets != self.reached
        version = self.position.version
        rows, time = RowTable.of(outcome.rows), self._time.take()
        beside = {} if time is None else {TIME: time}
        if moved and self.partitions and not self._made_with:
            beside[PARTITIONS], self._made_with = b"%d" % self.partitions, self.partitions
        stored = self._commit(
            task.offsets, self._time.clock, rows, beside, outcome.due, outbox, self._seen.take(), moved,
            outcome.clock - self._wait, self._store.send,
        )  # fmt: skip
        entries, outcomes = self._crowd_entries + stored, [*self._overdue, outcome]
        self._forget_overdue()
        suppressed: Counter[SuppressionReason] = Counter()
        for one in outcomes:
            suppressed.update(one.suppressed)
        return CommittedBatch(
            self.position.version > version,
            self.position,
            entries,
            len(batch),
            [alert for one in outcomes for alert in one.alerts],
            batch.dead_letters,
            batch.duplicates,
            batch.early_reversals,
            outcome.late,
            outcome.untimely,
            sum(one.unfitting for one in outcomes),
            suppressed,
            batch.unknown_types,
            batch.unknown_channels,
            Counter(note.counted_as for note in notes),
            outcome.unmatched,
            by_bands([look for one in outcomes for look in one.comparisons]),
        )

    def _read_notes(
        self, records: Sequence[Record], beside: Sequence[Sequence[Record]], batch: EventBatch
    ) -> list[CustomerRecord]:
        """Those that can be used, at their places in the batch; its dead letters have the others."""
        notes: list[CustomerRecord] = []
        places = self._placed(records, beside, batch)
        for intake, its, before, clock in sorted(
            places, key=lambda place: place[0].source.effect is not Effect.AFTER_ALL
        ):
            read, refused = intake.notes(self.number, its, before, clock)
            notes += read
            batch.dead_letters += refused
        return notes

    def _placed(
        self, records: Sequence[Record], beside: Sequence[Sequence[Record]], batch: EventBatch
    ) -> Iterator[tuple[CustomerRecordIntake, Sequence[Record], int, int]]:
        """Records that take effect at one place: how many of the batch's events come before, and stream time there."""
        stamps = list(accumulate((record.timestamp_ms for record in records), max))
        for intake, its in zip(self._notes, beside, strict=True):
            if intake.source.effect is Effect.AFTER_ALL:
                yield intake, its, len(batch), batch.clock_end
                continue
            for one in its:
                earlier = bisect_right(stamps, one.timestamp_ms)
                before, clock = len(batch), batch.clock_end
                if earlier < len(records):
                    before = int(np.searchsorted(batch.offset, records[earlier].offset))
                    clock = int(batch.clock[before - 1]) if before else self.position.clock
                yield intake, [one], before, clock

    def _due(self, coming: EventBatch, now: int) -> list[tuple[str, int]]:
        """An overdue backlog beyond DUE_MAX is brought down first, in commits of its own, earliest first."""
        wait = self._wait
        until = coming.clock_end - wait
        if self._next_due is None or self._next_due > until:
            return []
        present = set(coming.customers)
        due = self._store.due(self.number, until, DUE_MAX + len(present))
        while len(due) >= DUE_MAX + len(present):
            absent = [(customer, at) for customer, at in due if customer not in present]
            (batch,) = self._intake.batches([self.unread([])])
            batch.clock_end = absent[-1][1] + wait
            task = self._task(batch, absent, (), self.reached, now)
            self.supply(task, self._store.load(self.number, task.missing))
            outcome = self._engine.step(task.part, self._rules())
            alerts = [self._alert(alert) for alert in outcome.alerts]
            self._crowd_entries += self._commit(
                self.reached, self.position.clock, outcome.rows, {}, outcome.due, alerts, DuplicateChanges(), True,
                absent[-1][1], self._store.commit,
            )  # fmt: skip
            self._overdue.append(replace(outcome, rows=RowTable.of({}), due=DueTable.of({})))  # which are committed
            due = self._store.due(self.number, until, DUE_MAX + len(present))
        return due

    @property
    def _wait(self) -> int:
        """How long after a due time it is looked at, ms."""
        return self._rules().policy.settle_hours * HOUR_MS

    def _forget_overdue(self) -> None:
        self._overdue: list[StepResult] = []
        """What the commits of an overdue backlog have come to, which is told with the batch."""
        self._crowd_entries: list[tuple[int, Outgoing]] = []

    def _commit(
        self,
        offsets: Offsets,
        clock: int,
        rows: RowTable,
        beside: Mapping[str, bytes],
        due: DueTable,
        outbox: list[Outgoing],
        seen: DuplicateChanges,
        moved: bool,
        until: int,
        commit: Callable[[int, Position, int, int, Changes], Position],
    ) -> list[tuple[int, Outgoing]]:
        """Writes what has changed, whoever was due up to `until` included; a tick at which nothing happened writes
        nothing. `beside` are rows that no step asks for."""
        if not moved and not rows and self.published <= self._trimmed:
            return []
        before, published = self.position, self.published  # which the publisher moves on meanwhile
        offset, *read_to = offsets
        written = rows
        if beside:
            places = range(len(rows), len(rows) + len(beside))
            written = rows.with_ids(ids_of(list(beside))).replaced(list(places), list(beside.values()))
        changes = Changes(written, due, outbox, published, self.sequence_min, seen, tuple(read_to))
        self.position = commit(self.number, before, offset, clock, changes)
        self._trimmed = published
        self._cache.put(self.number, rows)
        if self._ahead:
            for customer in self._ahead.keys() & rows.keys():
                del self._ahead[customer]
        earliest = min((at for at in due.at.tolist() if at != NONE), default=self._next_due)
        if earliest is not None and (self._next_due is None or earliest < self._next_due):
            self._next_due = earliest
        if self._next_due is not None and self._next_due <= until:
            self._next_due = self._store.next_due(self.number)
        return list(enumerate(outbox, self.position.sequence - len(outbox) + 1))

    def _alert(self, alert: Alert) -> Outgoing:
        value = orjson.dumps(msgspec.to_builtins(alert))
        return Outgoing(self._alerts_topic, alert.customer_id.encode(), value, cloud_event_headers(alert))

    def _letter(self, letter: DeadLetter) -> Outgoing:
        return Outgoing(self._dead_letters_topic, letter.key, letter.value, dead_letter_headers(letter))


def _as_of_now(name: str, row: bytes | None) -> bytes:
    """A row as the store had it, in the present layout; empty where it had none."""
    return current(row) if row and name != LEDGER else row or b""
