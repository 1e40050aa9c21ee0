"""Ids of accounts as bytes: -bytes shared with the id before it, if these are two or more; how many more; these."""

import numpy as np

from handlers.kernel.byte_codec import get, put
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, U8, jit

_BYTES_MAX = 8 * ACCOUNT_WORDS


@jit
def put_id(to: U8, at: int, entries: I8, k: int) -> int:
    """Writes that of entry k, by what it shares with the one before; returns the place after it."""
    words = entries[k]
    last = ACCOUNT_WORDS - 1
    while last >= 0 and words[last] == 0:
        last -= 1
    length = 8 * (last + 1)
    while length > 0 and (words[last] >> (((length - 1) & 7) << 3)) & 255 == 0:
        length -= 1
    shared = 0
    if k > 0:
        before = entries[k - 1]
        while shared < length and ((words[shared >> 3] ^ before[shared >> 3]) >> ((shared & 7) << 3)) & 255 == 0:
            shared += 1
    if shared > 1:  # else it would not be shorter
        at = put(to, at, -shared)
    else:
        shared = 0
    at = put(to, at, length - shared)
    for b in range(shared, length):
        to[at + b - shared] = (words[b >> 3] >> ((b & 7) << 3)) & 255
    return at + length - shared


@jit
def get_id(row: U8, at: int, entries: I8, k: int) -> int:
    """Reads that of entry k; returns the place after it, -1 where no id has that length."""
    words = entries[k]
    words[:ACCOUNT_WORDS] = 0
    length, at = get(row, at)
    shared = 0
    if length < 0:
        shared = -length
        length, at = get(row, at)
    if length < 0 or length > _BYTES_MAX or shared < 0 or shared > _BYTES_MAX - length or (k == 0 and shared > 0):
        return -1
    if shared > 0:
        for b in range(shared):
            words[b >> 3] |= entries[k - 1, b >> 3] & (np.int64(255) << ((b & 7) << 3))
    for b in range(shared, shared + length):
        words[b >> 3] |= np.int64(row[at + b - shared]) << ((b & 7) << 3)
    return at + length
