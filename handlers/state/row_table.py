"""Rows and due times of many customers as arrays: what a step takes and gives, a cache holds and a store is sent."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from handlers.kernel.customer_ids import ids_of, names_of
from handlers.kernel.jit import I8, NONE, U8

LEDGER = "\0ledger"
"""The name of a partition's own row (offers/counts.py) among its customers'. No customer_id may hold that byte."""

_ZERO = np.zeros(1, np.int64)


class RowTable(Mapping[str, bytes]):
    """Rows by customer, each once. Kernels read the arrays; whoever takes it for the mapping that it is lays all of
    them out by name."""

    __slots__ = ("_named", "ends", "ids", "raw", "starts")

    def __init__(self, ids: I8, raw: U8, starts: I8, ends: I8) -> None:
        """The row of ids[k] (of shape (n, ID_WORDS)) is raw[starts[k]:ends[k]], empty for one that is not there."""
        self.ids, self.raw, self.starts, self.ends = ids, raw, starts, ends
        self._named: dict[str, bytes] | None = None

    @classmethod
    def of(cls, rows: Mapping[str, bytes]) -> "RowTable":
        """Any rows. Raises ValueError for a name that is too long (ids_of)."""
        return rows if isinstance(rows, RowTable) else cls.laid(ids_of(list(rows)), list(rows.values()))

    @classmethod
    def laid(cls, ids: I8, rows: Sequence[bytes]) -> "RowTable":
        """These rows, one behind the other."""
        ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
        raw = np.frombuffer(bytearray().join(rows), np.uint8)  # of bytes it would be another type to the kernels
        return cls(ids, raw, np.concatenate([_ZERO, ends[:-1]])[: len(rows)], ends)

    def row(self, place: int) -> bytes:
        """The one at that place."""
        found: bytes = self.raw[self.starts[place] : self.ends[place]].tobytes()
        return found

    def with_ids(self, ids: I8) -> "RowTable":
        """With these after all, whose rows are not there."""
        none = np.zeros(len(ids), np.int64)
        starts, ends = np.concatenate([self.starts, none]), np.concatenate([self.ends, none])
        return RowTable(np.concatenate([self.ids, ids]), self.raw, starts, ends)

    def replaced(self, places: Sequence[int], rows: Sequence[bytes]) -> "RowTable":
        """With other rows at these places, in their order."""
        if not rows:
            return self
        starts, ends = self.starts.copy(), self.ends.copy()
        cuts = np.cumsum([len(self.raw), *map(len, rows)])
        starts[places], ends[places] = cuts[:-1], cuts[1:]
        return RowTable(self.ids, np.concatenate([self.raw, np.frombuffer(b"".join(rows), np.uint8)]), starts, ends)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __getitem__(self, customer: str) -> bytes:
        return self._by_name()[customer]

    def _by_name(self) -> dict[str, bytes]:
        if self._named is None:
            self._named = dict(zip(names_of(self.ids), map(self.row, range(len(self))), strict=True))
        return self._named


class DueTable(Mapping[str, int | None]):
    """When customers must be looked at again, epoch ms; None is never. As Rows."""

    __slots__ = ("_named", "at", "ids")

    def __init__(self, ids: I8, at: I8) -> None:
        """NONE is never."""
        self.ids, self.at = ids, at
        self._named: dict[str, int | None] | None = None

    @classmethod
    def of(cls, due: Mapping[str, int | None]) -> "DueTable":
        """Any due times. Raises ValueError for a name that is too long (ids_of)."""
        if isinstance(due, DueTable):
            return due
        times = [NONE if at is None else at for at in due.values()]
        return cls(ids_of(list(due)), np.array(times, np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __getitem__(self, customer: str) -> int | None:
        return self._by_name()[customer]

    def _by_name(self) -> dict[str, int | None]:
        if self._named is None:
            times = [None if at == NONE else at for at in self.at.tolist()]
            self._named = dict(zip(names_of(self.ids), times, strict=True))
        return self._named
