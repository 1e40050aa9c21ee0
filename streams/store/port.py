"""The port to the state: what the loop asks of Redis. Kept by RedisStore (real and embedded) and by MemoryStore.

One partition's state changes only through `commit`, whole or not at all, and only by the owner of its epoch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple, Protocol, Self

import msgspec

from handlers.intake.dedup import DuplicateChanges
from handlers.intake.events import Record
from handlers.intake.inputs import INPUTS, SIDE_INPUTS


class Fenced(Exception):
    """A newer owner has claimed the partition: this one must stop."""


class Moved(Exception):
    """The stored version is not the one this owner last wrote (failed over to an older copy): claim and read again."""


class StoreUnavailable(Exception):
    """The store could not be reached or could not take the write; nothing is known to have changed."""


NONE_READ = (0,) * len(SIDE_INPUTS)
"""Offsets of the topics beside the transactions, where nothing of them has been read."""


class Offsets(tuple[int, ...]):
    """Of the next record to read of each topic, in the order of INPUTS; 0 for those that are not given. What another
    version of the program has stored may hold topics behind them that this one does not read."""

    __slots__ = ()

    def __new__(cls, *at: int) -> Self:
        return super().__new__(cls, at + (0,) * (len(INPUTS) - len(at)))

    @property
    def transactions(self) -> int:
        return self[0]

    def after(self, *records: Sequence[Record]) -> "Offsets":
        """The next ones once these, of each topic, have been read."""
        return Offsets(*[its[-1].offset + 1 if its else at for at, its in zip(self, records, strict=True)])

    def or_later(self, others: "Offsets") -> "Offsets":
        """Of each topic that which is further on."""
        return Offsets(*map(max, zip_longest(self, others, fillvalue=0)))


class Position(NamedTuple):
    """Where a partition stands. A partition never seen stands at Position(epoch, 0, 0, 0, 0, 0, 0).

    Stored as the numbers of FIELDS.
    """

    epoch: int
    """Raised by each claim; fences older owners."""
    version: int
    """Commits made so far."""
    offset: int
    """Offset of the next record of `transactions` to read."""
    sequence: int
    """Number of the last outbox entry written; the first is 1."""
    clock: int
    """Stream time, epoch ms."""
    events: int
    """Events accepted so far, duplicates left out: where the next event id is remembered (handlers/intake/dedup.py)."""
    oldest: int
    """The oldest segment of event ids that is kept."""
    beside: tuple[int, ...] = NONE_READ
    """Offset of the next record to read of each of SIDE_INPUTS."""

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Self:
        """The position that these are the numbers of."""
        epoch, version, offset, sequence, clock, events, oldest, *beside = numbers
        return cls(epoch, version, offset, sequence, clock, events, oldest, tuple(beside))

    @property
    def numbers(self) -> list[int]:
        """In the order of FIELDS."""
        return [*self[:-1], *self.beside]

    @property
    def offsets(self) -> Offsets:
        """The next record of each topic."""
        return Offsets(self.offset, *self.beside)


FIELDS = (*Position._fields[:-1], *(topic.name for topic in SIDE_INPUTS))
"""Names of what is stored of a position."""


class Outgoing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record waiting in the outbox for Kafka. Stored as msgpack."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class Changes:
    """What one commit writes, besides the new position."""

    rows: Mapping[str, bytes] = field(default_factory=dict)
    """New compact row by customer id, which is at most schemas.transaction.CUSTOMER_ID_LENGTH bytes."""
    due: Mapping[str, int | None] = field(default_factory=dict)
    """When a customer must be looked at again, epoch ms; None takes the customer out of the due set."""
    outbox: list[Outgoing] = field(default_factory=list)
    published: int = 0
    """Outbox entries up to this sequence are known to be published and may be removed."""
    sequence_min: int = 0
    """The outbox goes on after this sequence, where it stands below it."""
    seen: DuplicateChanges = field(default_factory=DuplicateChanges)
    """Event ids to remember, and segments of them to forget."""
    beside: tuple[int, ...] = NONE_READ
    """Offset of the next record to read of each of SIDE_INPUTS, where it has moved on."""


def after(at: Position, offset: int, clock: int, changes: Changes) -> Position:
    """Where a partition that stood at `at` stands when the changes are written."""
    return Position(
        at.epoch,
        at.version + 1,
        offset,
        max(at.sequence, changes.sequence_min) + len(changes.outbox),
        clock,
        at.events + changes.seen.events,
        at.oldest + len(changes.seen.forgotten),
        tuple(map(max, at.beside, changes.beside)),
    )


class Store(Protocol):
    """Every method raises StoreUnavailable. Implementations are used by one thread at a time."""

    def claim(self, partition: int) -> Position:
        """Takes ownership: raises the epoch by one and returns where the partition stands."""

    def load(self, partition: int, customers: Sequence[str]) -> list[bytes | None]:
        """The compact rows, None for a customer never seen, in the order asked."""

    def load_all(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> "list[list[bytes | None] | StoreUnavailable]":
        """`load` of several partitions in one round trip, an error in the place of what can't be read. Never raises."""

    def ask_ahead(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> None:
        """Asks as `load_all` does without waiting for the answer, which `ahead` gives: the rows as they are after what
        was sent before, and before what is sent after. Never raises."""

    def ahead(self) -> "list[list[bytes | None] | StoreUnavailable]":
        """The answer to the last `ask_ahead`; nothing where nothing was asked since. Never raises."""

    def due(self, partition: int, until: int, limit: int) -> list[tuple[str, int]]:
        """Up to `limit` customers due at or before `until`, by (due time, customer id)."""

    def next_due(self, partition: int) -> int | None:
        """The earliest due time, None when nobody is due."""

    def seen(self, partition: int, segments: Sequence[int]) -> dict[int, bytes]:
        """The stored segments of event ids, those that are missing left out."""

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        """Writes all of `changes` if `at` is still where the partition stands, else raises Fenced or Moved.

        Returns the new position, see `after`.
        """

    def send(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        """Asks for a commit without waiting for the answer, which `answered` gives. Returns the position it leads to.

        The next commit may be sent on top of it: where this one is refused, so is that one. It may be held back, with
        others, until `flush` or until an answer is asked for.
        """

    def flush(self) -> None:
        """Lets go of every commit that was sent and held back. Never raises: the answers say what came of it."""

    def has_answer(self) -> bool:
        """Whether `answered` need not wait."""

    def answered(self) -> None:
        """The answer to the oldest commit that was sent and not asked about; raises as `commit`."""

    def outbox(self, partition: int, after: int, limit: int) -> list[tuple[int, Outgoing]]:
        """Up to `limit` entries with a sequence above `after`, in order."""

    def depths(self, partition: int) -> tuple[int, int]:
        """Entries in the due set and in the outbox, for the metrics."""

    def customers(self, partition: int) -> list[str]:
        """Ids of every customer with a row, in any order (walks the whole partition; for verify, not for the loop)."""

    def all_due(self, partition: int) -> Iterator[tuple[str, int]]:
        """Every customer who is due and when, the earliest first, while nobody commits."""

    def forget(self, partition: int, customers: Sequence[str]) -> None:
        """Takes customers' rows and due times out, whoever owns the partition; for repartition, not for the loop."""

    def sample(self, partition: int, most: int) -> list[bytes]:
        """Rows of up to `most` customers, as good as drawn by lot: those whom the store comes across first."""

    def read(self, partition: int) -> Position | None:
        """Where the partition stands, without claiming it; None if never claimed."""
