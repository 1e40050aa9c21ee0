"""The state in this process's memory: for `replay`, for tests, and to say in plain Python what a Store does."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from streams.store.port import Changes, Fenced, Moved, Outgoing, Position, StoreUnavailable, after

_NEVER = Position(0, 0, 0, 0, 0, 0, 0)


class MemoryStore:
    """A Store that several owners may share; it ends with the process and is never unavailable."""

    def __init__(self) -> None:
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)
        self._sent: deque[Fenced | Moved | None] = deque()
        self._ahead: list[list[bytes | None] | StoreUnavailable] = []

    def claim(self, partition: int) -> Position:
        state = self._partitions[partition]
        state.position = state.position._replace(epoch=state.position.epoch + 1)
        return state.position

    def load(self, partition: int, customers: Sequence[str]) -> list[bytes | None]:
        rows = self._partitions[partition].rows
        return [rows.get(customer) for customer in customers]

    def load_all(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> list[list[bytes | None] | StoreUnavailable]:
        return [self.load(partition, customers) for partition, customers in wanted]

    def ask_ahead(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> None:
        self._ahead = self.load_all(wanted)

    def ahead(self) -> list[list[bytes | None] | StoreUnavailable]:
        found, self._ahead = self._ahead, []
        return found

    def due(self, partition: int, until: int, limit: int) -> list[tuple[str, int]]:
        return [(customer, at) for at, customer in self._partitions[partition].queue[:limit] if at <= until]

    def next_due(self, partition: int) -> int | None:
        queue = self._partitions[partition].queue
        return queue[0][0] if queue else None

    def seen(self, partition: int, segments: Sequence[int]) -> dict[int, bytes]:
        held = self._partitions[partition].seen
        return {segment: bytes(held[segment]) for segment in segments if segment in held}

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        state = self._partitions[partition]
        if state.position.epoch > at.epoch:
            raise Fenced(f"partition {partition} has a newer owner than epoch {at.epoch}")
        if state.position == _NEVER or state.position != at:
            raise Moved(f"partition {partition} does not stand at version {at.version} of epoch {at.epoch}")
        state.rows.update(changes.rows)
        for customer, when in changes.due.items():
            state.look_again(customer, when)
        sequence = max(at.sequence, changes.sequence_min)
        state.outbox += enumerate(changes.outbox, sequence + 1)
        del state.outbox[: _upto(state.outbox, changes.published)]
        for segment, start, data in changes.seen.pieces:
            held = state.seen.setdefault(segment, bytearray())
            held[start : start + len(data)] = data
        for segment in changes.seen.forgotten:
            state.seen.pop(segment, None)
        state.position = after(at, offset, clock, changes)
        return state.position

    def send(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        try:
            self._sent.append(None)
            self.commit(partition, at, offset, clock, changes)
        except (Fenced, Moved) as error:
            self._sent[-1] = error
        return after(at, offset, clock, changes)

    def flush(self) -> None:
        """Nothing is ever held back."""

    def has_answer(self) -> bool:
        return bool(self._sent)

    def answered(self) -> None:
        error = self._sent.popleft()
        if error is not None:
            raise error

    def outbox(self, partition: int, after: int, limit: int) -> list[tuple[int, Outgoing]]:
        entries = self._partitions[partition].outbox
        start = _upto(entries, after)
        return entries[start : start + limit]

    def depths(self, partition: int) -> tuple[int, int]:
        state = self._partitions[partition]
        return len(state.queue), len(state.outbox)

    def customers(self, partition: int) -> list[str]:
        return [name for name in self._partitions[partition].rows if not name.startswith("\0")]

    def all_due(self, partition: int) -> Iterator[tuple[str, int]]:
        return iter([(customer, at) for at, customer in self._partitions[partition].queue])

    def forget(self, partition: int, customers: Sequence[str]) -> None:
        state = self._partitions[partition]
        for customer in customers:
            state.look_again(customer, None)
            state.rows.pop(customer, None)

    def sample(self, partition: int, most: int) -> list[bytes]:
        rows = self._partitions[partition].rows
        names = sorted(self.customers(partition), key=lambda name: blake2b(name.encode()).digest())
        return [rows[name] for name in names[:most]]

    def read(self, partition: int) -> Position | None:
        position = self._partitions[partition].position
        return None if position == _NEVER else position


@dataclass(slots=True)
class _Partition:
    position: Position = _NEVER
    rows: dict[str, bytes] = field(default_factory=dict)
    queue: list[tuple[int, str]] = field(default_factory=list)
    """(due time, customer) in order."""
    due: dict[str, int] = field(default_factory=dict)
    outbox: list[tuple[int, Outgoing]] = field(default_factory=list)
    seen: dict[int, bytearray] = field(default_factory=dict)

    def look_again(self, customer: str, when: int | None) -> None:
        known = self.due.pop(customer, None)
        if known is not None:
            del self.queue[bisect_left(self.queue, (known, customer))]
        if when is not None:
            self.due[customer] = when
            insort(self.queue, (when, customer))


def _upto(outbox: list[tuple[int, Outgoing]], sequence: int) -> int:
    """How many entries have a sequence up to this one."""
    return bisect_right(outbox, sequence, key=lambda entry: entry[0])
