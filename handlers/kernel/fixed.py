"""Numbers of fixed width: a code of two bits says how many bytes the zigzag of the number takes, lowest first.

A number of width 0 is 0; codes 1, 2 and 3 are 2, 3 and 8 bytes.
"""

import numpy as np

from handlers.kernel.jit import jit
from handlers.kernel.varint import U8


@jit
def width(code: int | np.int64) -> int:
    """Bytes of a number whose width has that code."""
    return int((0x8320 >> (4 * code)) & 15)


@jit
def width_of(value: int) -> int:
    """The code of the width that a number needs."""
    if value == 0:
        return 0
    zigzag = (value << 1) ^ (value >> 63)
    if 0 <= zigzag < 1 << 16:
        return 1
    return 2 if 0 <= zigzag < 1 << 24 else 3


@jit
def put_fixed(to: U8, at: int, value: int, code: int) -> int:
    """Writes a number in the width of that code; returns the place after it."""
    zigzag = (value << 1) ^ (value >> 63)
    for b in range(width(code)):
        to[at + b] = (zigzag >> (8 * b)) & 255
    return at + width(code)


@jit
def get_fixed(row: U8, at: int, code: int | np.int64) -> int:
    """The number that stands there in the width of that code."""
    zigzag = np.int64(0)
    for b in range(width(code)):
        zigzag |= np.int64(row[at + b]) << (8 * b)
    return int(((zigzag >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(zigzag & 1))
