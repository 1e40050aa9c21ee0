"""Rows held in memory, bounded: what was used lately stays, the rest is read again from the store when needed."""

ENTRY_BYTES = 250
"""What Python and the dict take for a row beside its bytes."""


class RowCache:
    """Two generations of rows: the older is dropped whole when the younger has grown to half of the bound."""

    def __init__(self, bytes_max: int) -> None:
        self._half = bytes_max // 2
        self._young: dict[tuple[int, str], bytes] = {}
        self._old: dict[tuple[int, str], bytes] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, partition: int, customer: str) -> bytes | None:
        """The row, None if it isn't held."""
        key = (partition, customer)
        row = self._young.get(key)
        if row is None:
            row = self._old.get(key)
            if row is not None:
                self._keep(key, row)
        return row

    def put(self, partition: int, customer: str, row: bytes) -> None:
        """Holds a committed row."""
        self._keep((partition, customer), row)

    def drop(self, partition: int) -> None:
        """Forgets every row of a partition."""
        for generation in (self._young, self._old):
            for key in [key for key in generation if key[0] == partition]:
                del generation[key]
        self._young_bytes = sum(len(row) + ENTRY_BYTES for row in self._young.values())

    def _keep(self, key: tuple[int, str], row: bytes) -> None:
        held = self._young.get(key)
        self._young_bytes += len(row) - len(held) if held is not None else len(row) + ENTRY_BYTES
        self._young[key] = row
        if self._young_bytes > self._half:
            self._old, self._young, self._young_bytes = self._young, {}, 0
