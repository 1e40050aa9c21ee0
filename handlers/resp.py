"""Ids, rows and due times as arguments of a Redis command: bulk strings of RESP, packed by kernels.

A bulk string is "$<length>\\r\\n<bytes>\\r\\n". Here each begins with the line's end of the one before, and none has
its own: so does what streams/redis_commands.py packs.
"""

from typing import NamedTuple

import numpy as np

from handlers.batch import NONE
from handlers.copying import copy_bytes
from handlers.ids import ID_WORDS
from handlers.jit import I8, jit
from handlers.rows import DueTimes, Rows
from handlers.varint import U8
from handlers.words import WORD

_HEAD_BYTES_MAX = 16
"""Of a bulk string beside its own: at most so many."""
_NUMBER_BYTES_MAX = 20
_CR, _LF, _DOLLAR, _MINUS, _ZERO = b"\r\n$-0"


class Bulk(NamedTuple):
    """Arguments that are packed."""

    parts: int
    data: memoryview


def keys(prefix: bytes, ids: I8) -> Bulk:
    """The prefix and an id, of each id."""
    to = np.empty(len(ids) * (_HEAD_BYTES_MAX + len(prefix) + ID_WORDS * WORD), np.uint8)
    end = _put_keys(np.frombuffer(bytearray(prefix), np.uint8), ids, to)
    return Bulk(len(ids), to[:end].data)


def values(rows: Rows) -> Bulk:
    """The rows."""
    to = np.empty(len(rows) * _HEAD_BYTES_MAX + int((rows.ends - rows.starts).sum()), np.uint8)
    return Bulk(len(rows), to[: _put_values(rows.raw, rows.starts, rows.ends, to)].data)


def scores(due: DueTimes) -> Bulk:
    """Time and customer, of each that is due at all."""
    its = due.at != NONE
    ids, at = due.ids[its], due.at[its]
    to = np.empty(len(ids) * (2 * _HEAD_BYTES_MAX + _NUMBER_BYTES_MAX + ID_WORDS * WORD), np.uint8)
    return Bulk(2 * len(ids), to[: _put_scores(ids, at, to)].data)


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
def _put_keys(prefix: U8, ids: I8, to: U8) -> int:
    at = 0
    for k in range(ids.shape[0]):
        length = _id_length(ids[k])
        at = _put_head(to, at, prefix.shape[0] + length)
        at = copy_bytes(prefix, 0, prefix.shape[0], to, at)
        at = _put_id(to, at, ids[k], length)
    return at


@jit
def _put_values(raw: U8, starts: I8, ends: I8, to: U8) -> int:
    at = 0
    for k in range(starts.shape[0]):
        at = _put_head(to, at, ends[k] - starts[k])
        at = copy_bytes(raw, starts[k], ends[k], to, at)
    return at


@jit
def _put_scores(ids: I8, times: I8, to: U8) -> int:
    at = 0
    for k in range(ids.shape[0]):
        digits = _put_number(to, at, times[k]) - at  # only to see how many
        at = _put_number(to, _put_head(to, at, digits), times[k])
        length = _id_length(ids[k])
        at = _put_id(to, _put_head(to, at, length), ids[k], length)
    return at
