"""Ids, rows and due times as arguments of a Redis command: bulk strings of RESP, packed by a kernel.

A bulk string is "$<length>\\r\\n<bytes>\\r\\n". Here each begins with the line's end of the one before, and none has
its own: so does what streams/store/commands.py packs.
"""

import numpy as np

from handlers.kernel.byte_codec import copy_bytes
from handlers.kernel.customer_ids import ID_WORDS
from handlers.kernel.jit import I8, NONE, U8, jit
from handlers.kernel.text import WORD
from handlers.state.row_table import DueTable, RowTable

_HEAD_BYTES_MAX = 16
"""Of a bulk string beside its own: at most so many."""
_NUMBER_BYTES_MAX = 20
_CR, _LF, _DOLLAR, _MINUS, _ZERO = b"\r\n$-0"


def change(prefix: bytes, rows: RowTable, numbers: bytes, others: bytes, due: DueTable) -> memoryview:
    """Arguments one behind the other: `prefix` and id of each row, `numbers`, the rows, `others`, and of each that is
    due at all its time and its id. `numbers` and `others` are packed already."""
    to = np.empty(
        len(rows) * (2 * _HEAD_BYTES_MAX + len(prefix) + ID_WORDS * WORD)
        + len(numbers)
        + len(rows.raw)  # at least the rows' own
        + len(others)
        + len(due) * (2 * _HEAD_BYTES_MAX + _NUMBER_BYTES_MAX + ID_WORDS * WORD),
        np.uint8,
    )
    end = _put_change(
        np.frombuffer(prefix, np.uint8), np.frombuffer(numbers, np.uint8), np.frombuffer(others, np.uint8),
        rows.ids, rows.raw, rows.starts, rows.ends, due.ids, due.at, to,
    )  # fmt: skip
    return to[:end].data


@jit
def _put_number(to: U8, at: int, number: int) -> int:
    """In decimal, from place `at` on; returns the place after it. Not for NONE."""
    if number < 0:
        to[at] = _MINUS
        at, number = at + 1, -number
    end, rest = at + 1, number // 10
    while rest > 0:
        end, rest = end + 1, rest // 10
    for place in range(end - 1, at - 1, -1):
        to[place] = _ZERO + number % 10
        number //= 10
    return end


@jit
def _put_head(to: U8, at: int, length: int) -> int:
    to[at], to[at + 1], to[at + 2] = _CR, _LF, _DOLLAR
    at = _put_number(to, at + 3, length)
    to[at], to[at + 1] = _CR, _LF
    return at + 2


@jit
def _id_length(one: I8) -> int:
    """Bytes before the padding."""
    last = ID_WORDS - 1
    while last > 0 and one[last] == 0:
        last -= 1
    length, word = last * WORD, np.uint64(one[last])
    while word != 0:
        length, word = length + 1, word >> np.uint64(8)
    return length


@jit
def _put_id(to: U8, at: int, one: I8, length: int) -> int:
    for k in range(length):
        to[at + k] = (one[k // WORD] >> (8 * (k % WORD))) & 255
    return at + length


@jit
def _put_change(
    prefix: U8,
    numbers: U8,
    others: U8,
    ids: I8,
    raw: U8,
    starts: I8,
    ends: I8,
    due_ids: I8,
    times: I8,
    to: U8,
) -> int:
    at = 0
    for k in range(ids.shape[0]):
        length = _id_length(ids[k])
        at = _put_head(to, at, prefix.shape[0] + length)
        at = copy_bytes(prefix, 0, prefix.shape[0], to, at)
        at = _put_id(to, at, ids[k], length)
    at = copy_bytes(numbers, 0, numbers.shape[0], to, at)
    for k in range(ids.shape[0]):
        at = _put_head(to, at, ends[k] - starts[k])
        at = copy_bytes(raw, starts[k], ends[k], to, at)
    at = copy_bytes(others, 0, others.shape[0], to, at)
    for k in range(due_ids.shape[0]):
        if times[k] != NONE:
            digits = _put_number(to, at, times[k]) - at  # only to see how many
            at = _put_number(to, _put_head(to, at, digits), times[k])
            length = _id_length(due_ids[k])
            at = _put_id(to, _put_head(to, at, length), due_ids[k], length)
    return at
