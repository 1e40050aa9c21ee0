"""The state of one number of partitions becomes that of a larger one, in the store alone and while nobody else writes.

Kafka's partitioner sends a customer to another partition when there are more, so whatever is known of the customer must
go there. In a Redis Cluster partitions lie on different nodes and no write spans two of them, so there is one write
that decides, to partition 0, and all before it and all after it may be done again:

1. Customers' rows are copied to where they are to be, and events' hashes behind those of their new partition. Under the
   old number nobody looks for them there: until 2 the old state is whole and as it was.
2. The plan, with all that follows from the old state and is about to be overwritten, is written in one commit. From
   here on the new number holds.
3. Each partition gets its stream time, its ledger and its event ids as the plan says, due times are copied, and what
   has moved away is removed.
4. Each partition notes the new number, and the plan goes. Until a partition has noted it no worker begins there.

Every write but a removal is a commit of an owner, so a worker that claims a partition meanwhile stops it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import gcd

import msgspec

from handlers.intake.dedup import BLOCK, DuplicateChanges
from handlers.intake.joining import JoinedFilter, StoredFilter, joined_filter, joined_time
from handlers.intake.stream_time import TIME
from handlers.offers.counts import Counts, divided, made_to
from handlers.profile.customer import contact_history
from handlers.state.row_table import LEDGER
from streams.partition.partition import PARTITIONS
from streams.store.port import Changes, Position, Store

PLAN = "\0repartition"
"""The name among the rows of partition 0 of what is under way."""

MOVES = "\0moves"
"""The name among them of where the partitions stood whenever that was done: `verify` recomputes it."""

_CHUNK = 1_000
"""Customers in one commit."""

Home = Callable[[str, int], int]
"""The partition of a customer's records among so many."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What one partition becomes."""

    clock: int
    time: bytes
    ledger: bytes
    events: int
    oldest: int


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """Of a move that has begun; with `parts`, one for each new partition, it can only go on."""

    made_with: int
    partitions: int
    parts: list[Part] = []


class Before(msgspec.Struct, frozen=True, array_like=True):
    """Where partitions stood when their state was moved to a larger number."""

    partitions: int
    """Into how many it was moved."""
    offsets: list[tuple[int, ...]]
    """By old partition, of the next record of each topic."""


class Misplaced(Exception):
    """Customers are in partitions where Kafka's partitioner does not send them; the text says how many, and where."""


def plan_of(store: Store) -> Plan | None:
    """What is under way, if anything is. Raises StoreUnavailable."""
    (stored,) = store.load(0, [PLAN])
    return _decoder.decode(stored) if stored else None


def moves_of(store: Store) -> list[Before]:
    """Every time that the state was moved, in order. Raises StoreUnavailable."""
    (stored,) = store.load(0, [MOVES])
    return _moves.decode(stored) if stored else []


def counts_of(store: Store, partitions: int) -> dict[int, int]:
    """With how many partitions the state was made, as each of the first so many knows it that does."""
    stored = ((number, store.load(number, [PARTITIONS])[0]) for number in range(partitions))
    return {number: int(count) for number, count in stored if count}


class Move:
    """From `made_with` partitions, that many owned at least, to `len(owned)`; `owned` says where each stands that was
    claimed. Raises Fenced or Moved where another has claimed one since, and StoreUnavailable: then it is done again,
    from the claims on."""

    def __init__(self, store: Store, made_with: int, owned: Mapping[int, Position], home: Home) -> None:
        self._store = store
        self._made_with = made_with
        self._partitions = len(owned)
        self._at = dict(owned)
        self._home = home

    def whole(self) -> None:
        """All steps, in a store that nobody can cut short."""
        self.begin()
        self.copy()
        plan = plan_of(self._store)
        assert plan is not None
        self.apply(plan)
        self.finish(())

    def check(self) -> None:
        """Raises Misplaced unless each customer's row is where the partitioner sends the customer."""
        wrong = {
            number: len(names)
            for number in range(self._made_with)
            if (names := [name for name in self._store.customers(number) if self._of_old(name) != number])
        }
        if wrong:
            first, count = next(iter(wrong.items()))
            raise Misplaced(f"{sum(wrong.values())} customers ({count} of them in partition {first})")

    def begin(self) -> None:
        """Notes what is under way, so that copies are known from what was there."""
        self._note(Plan(self._made_with, self._partitions))

    def copy(self) -> None:
        """Steps 1 and 2."""
        counted: list[dict[str, Counts]] = [{} for _ in range(self._partitions)]
        for number in range(self._made_with):
            self._copy_rows(number, counted)
        ledgers = divided([self._row(number, LEDGER) for number in range(self._made_with)], counted)
        parts = [self._part(number, row) for number, row in enumerate(ledgers)]
        before = Before(self._partitions, [tuple(self._at[number].offsets) for number in range(self._made_with)])
        self._note(Plan(self._made_with, self._partitions, parts), [*moves_of(self._store), before])

    def apply(self, plan: Plan) -> None:
        """Step 3. All of it may be done again until a partition has noted the new number."""
        for number, part in enumerate(plan.parts):
            at = self._at[number]
            rows = {name: row for name, row in ((LEDGER, part.ledger), (TIME, part.time)) if row}
            seen = DuplicateChanges(part.events - at.events, [], list(range(at.oldest, part.oldest)))
            self._at[number] = self._store.commit(number, at, at.offset, part.clock, Changes(rows, seen=seen))
        for number in range(self._made_with):
            self._copy_due(number)
        for number in range(self._made_with):
            for names in _chunks([name for name in self._store.customers(number) if self._of_new(name) != number]):
                self._write(number, Changes())  # as the owner still
                self._store.forget(number, names)

    def finish(self, noted: Iterable[int]) -> None:
        """Step 4; `noted` are partitions that have noted the new number already."""
        for number in sorted(set(range(self._partitions)).difference(noted), reverse=True):
            self._write(number, Changes({PARTITIONS: b"%d" % self._partitions}))
        self._store.forget(0, [PLAN])

    def _of_old(self, customer: str) -> int:
        return self._home(customer, self._made_with)

    def _of_new(self, customer: str) -> int:
        return self._home(customer, self._partitions)

    def _copy_rows(self, number: int, counted: Sequence[dict[str, Counts]]) -> None:
        # Whoever does not belong here by the old number is a copy, made before the move was cut short.
        for names in _chunks([name for name in self._store.customers(number) if self._of_old(name) == number]):
            leaving: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
            for name, row in zip(names, self._store.load(number, names), strict=True):
                if row is None:
                    continue
                to = self._of_new(name)
                made_to(contact_history(row), counted[to])
                if to != number:
                    leaving[to][name] = row
            for to, rows in leaving.items():
                self._write(to, Changes(rows))

    def _part(self, number: int, ledger: bytes) -> Part:
        """What the partition is to be, once its event ids are copied."""
        whence = range(number % gcd(self._made_with, self._partitions), self._made_with)
        whence = whence[:: gcd(self._made_with, self._partitions)]
        clock, time = joined_time((self._at[source].clock, self._row(source, TIME)) for source in whence)
        own = self._filter(number) if number < self._made_with else StoredFilter(0, 0, {}, 0)
        joined: JoinedFilter = joined_filter(own, [self._filter(source) for source in whence if source != number])
        for piece in joined.pieces:
            self._write(number, Changes(seen=DuplicateChanges(0, [piece], [])))
        return Part(clock, time, ledger, joined.events, joined.oldest)

    def _filter(self, number: int) -> StoredFilter:
        at = self._at[number]
        segments = self._store.seen(number, range(at.oldest, at.events // BLOCK + 1)) if at.events else {}
        return StoredFilter(at.events, at.oldest, segments, at.clock)

    def _copy_due(self, number: int) -> None:
        leaving: defaultdict[int, dict[str, int | None]] = defaultdict(dict)
        for name, at in self._store.all_due(number):
            to = self._of_new(name)
            if to == number:
                continue
            leaving[to][name] = at
            if len(leaving[to]) == _CHUNK:
                self._write(to, Changes(due=leaving.pop(to)))
        for to, due in leaving.items():
            self._write(to, Changes(due=due))

    def _note(self, plan: Plan, moves: list[Before] | None = None) -> None:
        rows = {PLAN: msgspec.msgpack.encode(plan)} | ({MOVES: msgspec.msgpack.encode(moves)} if moves else {})
        self._write(0, Changes(rows))

    def _row(self, number: int, name: str) -> bytes | None:
        return self._store.load(number, [name])[0]

    def _write(self, number: int, changes: Changes) -> None:
        at = self._at[number]
        self._at[number] = self._store.commit(number, at, at.offset, at.clock, changes)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK))


_decoder = msgspec.msgpack.Decoder(Plan)
_moves = msgspec.msgpack.Decoder(list[Before])
