"""Rows of older versions, brought up to the present layout as they are read."""

import numpy as np

from handlers.dealings import Dealings, sent_churn
from handlers.layout import VERSION, LayoutError, get
from handlers.row import RAISED_DUE

_LIFE_FIELDS_1 = 11
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


def _from_1(row: bytes) -> bytes:
    """Version 1 kept cooldowns of offers by hash among the aggregates, and no other dealings."""
    cursor = np.ones(1, np.int64)
    read = np.frombuffer(row, np.uint8)
    life = [int(get(read, cursor)) for _ in range(_LIFE_FIELDS_1)]
    life_end = int(cursor[0])
    for _ in range(get(read, cursor)):
        cursor[0] += get(read, cursor)
        get(read, cursor)
        get(read, cursor)
    accounts_end = int(cursor[0])
    cooling = [(int(get(read, cursor)), int(get(read, cursor))) for _ in range(get(read, cursor))]
    rest = int(cursor[0])
    dealings = Dealings(cooling=dict(cooling))
    if raised := life[RAISED_DUE]:
        dealings.contacts.append(sent_churn(raised))
    return b"".join(
        (
            bytes([VERSION]),
            row[1:life_end],
            2 * _NONE,
            row[life_end:accounts_end],
            _NONE,
            row[rest:],
            dealings.encoded(),
        )
    )
