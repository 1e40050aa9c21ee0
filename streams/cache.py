"""Rows held in memory, bounded: what was used lately stays, the rest is read again from the store when needed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import repeat

ENTRY_BYTES = 200
"""What Python and the dict take for a row beside its bytes."""

_Generation = defaultdict[int, dict[str, bytes]]


class RowCache:
    """Two generations of rows: the older is dropped whole when the younger has grown to half of the bound."""

    def __init__(self, bytes_max: int) -> None:
        self._half = bytes_max // 2
        self._young: _Generation = defaultdict(dict)
        self._old: _Generation = defaultdict(dict)
        self._young_bytes = 0
        self._old_bytes = 0

    def __len__(self) -> int:
        """Rows held. From any thread."""
        return sum(len(rows) for generation in (self._young, self._old) for rows in tuple(generation.values()))

    @property
    def size(self) -> int:
        """Memory taken, about, in bytes. From any thread."""
        return self._young_bytes + self._old_bytes

    def get(self, partition: int, customers: Sequence[str]) -> list[bytes | None]:
        """The rows, None for those that are not held, in the order asked."""
        rows = list(map(self._young[partition].get, customers))
        if old := self._old[partition]:
            asked = zip(customers, rows, strict=True)
            again = {customer: old[customer] for customer, row in asked if row is None and customer in old}
            if again:
                rows = list(map(again.get, customers, rows))
                self.put(partition, again)
        return rows

    def missing(self, partition: int, customers: set[str]) -> set[str]:
        """Those whose rows are not held."""
        return customers.difference(self._young[partition], self._old[partition])

    def put(self, partition: int, rows: Mapping[str, bytes]) -> None:
        """Holds rows as they are after a commit."""
        young = self._young[partition]
        known = len(young)
        self._young_bytes += sum(map(len, rows.values())) - sum(map(len, map(young.get, rows, repeat(b""))))
        young.update(rows)
        self._young_bytes += (len(young) - known) * ENTRY_BYTES
        if self._young_bytes > self._half:
            self._old, self._young = self._young, defaultdict(dict)
            self._old_bytes, self._young_bytes = self._young_bytes, 0

    def drop(self, partition: int) -> None:
        """Forgets every row of a partition."""
        self._young_bytes -= _bytes(self._young.pop(partition, {}))
        self._old_bytes -= _bytes(self._old.pop(partition, {}))


def _bytes(rows: Mapping[str, bytes]) -> int:
    return sum(map(len, rows.values())) + len(rows) * ENTRY_BYTES
