"""Rows of older versions, brought up to the present layout as they are read."""

import numpy as np

from handlers.contact.history import ContactHistory, sent_churn
from handlers.kernel.byte_codec import get as number_at
from handlers.kernel.jit import I8
from handlers.state.codec import VERSION, LayoutError
from handlers.state.day_list import put_days
from handlers.state.row import (
    CHANNEL_COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    LAST,
    NEWEST,
    RAISED_DUE,
    ROW_BYTES_MAX,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    new_open_row,
)
from schemas.units import DAY_MS

_LIFE_FIELDS_1 = 11
_TYPES_1 = 15
_NONE = b"\0"
"""The varint of nothing: no deposit to look at, no tier known, no product watched."""


def current(row: bytes) -> bytes:
    """The row in the present layout. Raises LayoutError for a version that this program doesn't know."""
    if row and row[0] == VERSION:
        return row
    if row and row[0] == 1:
        return _from_1(row)
    found = row[0] if row else "none"
    raise LayoutError(f"row layout version {found}; this program reads versions 1 and {VERSION}")


class _Reader:
    """A row of version 1, read number by number."""

    def __init__(self, row: bytes) -> None:
        self.at = 1
        self._row = np.frombuffer(row, np.uint8)

    def number(self) -> int:
        found, self.at = number_at(self._row, self.at)
        return found

    def byte(self) -> int:
        self.at += 1
        return int(self._row[self.at - 1])


def _from_1(row: bytes) -> bytes:
    """Version 1 kept cooldowns of offers by hash among the aggregates, and no other dealings; its days were varints."""
    reader = _Reader(row)
    number = reader.number
    life = [number() for _ in range(_LIFE_FIELDS_1)]
    life_end = reader.at
    for _ in range(number()):
        length = number()
        reader.at += length
        number()
        number()
    accounts_end = reader.at
    cooling = [(number(), number()) for _ in range(number())]
    tiles_start = reader.at
    for _ in range(2):
        for _ in range(number()):
            number()
            for _ in range((number() & 3).bit_count()):
                number()
    tiles_end = reader.at
    newest = (life[FIRST] + life[LAST] + life[NEWEST]) // DAY_MS
    days = np.empty(ROW_BYTES_MAX, np.uint8)
    days_end = put_days(_days_1(reader, newest), days, 0, newest)
    history = ContactHistory(cooling=dict(cooling))
    if raised := life[RAISED_DUE]:
        history.contacts.append(sent_churn(raised))
    return b"".join(
        (
            bytes([VERSION]),
            row[1:life_end],
            2 * _NONE,
            row[life_end:accounts_end],
            _NONE,
            row[tiles_start:tiles_end],
            days[:days_end].tobytes(),
            history.encoded(),
        )
    )


def _days_1(reader: _Reader, newest: int) -> OpenRow:
    """The days, all of them as if they had just changed."""
    number = reader.number
    s = new_open_row()
    s.size[DAYS] = number()
    tile = newest
    for k in range(s.size[DAYS] - 1, -1, -1):
        day = s.day[k]
        tile -= number()
        flags = reader.byte()
        day[TILE], day[TILE_COUNT] = tile, number()
        day[TILE_IN] = number() if flags & 1 else 0
        day[TILE_OUT] = number() if flags & 2 else 0
        day[DAY_OWN] = number() if flags & 4 else day[TILE_COUNT]
        if flags & 8:
            day[DAY_LARGEST] = day[TILE_IN] if flags & 16 else number()
        if flags & 32:
            day[DAY_HAS_BALANCE], day[DAY_LOW] = 1, number()
            day[DAY_HIGH] = day[DAY_LOW] + number()
        if flags & 64:
            _mix_1(reader, day[DAY_MIX:])
    return s


def _mix_1(reader: _Reader, mix: I8) -> None:
    head = reader.byte()
    if head < 128:
        mix[head // _TYPES_1] = mix[CHANNEL_COUNT + head % _TYPES_1] = 1
        return
    for _ in range(head - 128):
        entry = reader.number()
        mix[entry & 31] = entry >> 5
