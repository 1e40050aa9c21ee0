"""Rows held in memory, bounded: what was used lately stays, the rest is read again from the store when needed."""

import numpy as np

from handlers.kernel.jit import I8, Mask
from handlers.kernel.text import WORD
from handlers.state.row_arena import RowArena
from handlers.state.row_table import RowTable


class RowCache:
    """Two generations of rows: the older is thrown away whole when the younger has filled its half of the bound."""

    def __init__(self, bytes_max: int) -> None:
        self._young, self._old = [RowArena(bytes_max // 2 // WORD) for _ in range(2)]

    def __len__(self) -> int:
        """Rows held, those of both generations twice. From any thread."""
        return len(self._young) + len(self._old)

    @property
    def size(self) -> int:
        """Memory taken, about, in bytes. From any thread."""
        return self._young.size + self._old.size

    def get(self, partition: int, ids: I8) -> tuple[RowTable, list[int]]:
        """The rows, empty for those that are not held, and the places of these."""
        rows, absent = self._young.rows(partition, ids)
        if absent and len(self._old):
            asked = np.array(absent)
            there = self._old.find(partition, ids[asked]) >= 0
            again, _ = self._old.rows(partition, ids[asked[there]])
            rows = rows.replaced(asked[there].tolist(), [again.row(place) for place in range(len(again))])
            absent = asked[~there].tolist()
            self.put(partition, again)
        return rows, absent

    def missing(self, partition: int, ids: I8) -> Mask:
        """Whose rows are not held."""
        lacking: Mask = (self._young.find(partition, ids) < 0) & (self._old.find(partition, ids) < 0)
        return lacking

    def put(self, partition: int, rows: RowTable) -> None:
        """Holds rows as they are after a commit."""
        put = self._young.put(partition, rows)
        while put < len(rows):
            self._young, self._old = self._old, self._young
            self._young.clear()
            before, put = put, self._young.put(partition, rows, put)
            if put == before:  # longer than half of the bound: it is read from the store each time
                self._old.forget(self._old.find(partition, rows.ids[put : put + 1]))
                put += 1

    def drop(self, partition: int) -> None:
        """Forgets every row of a partition."""
        self._young.drop(partition)
        self._old.drop(partition)
