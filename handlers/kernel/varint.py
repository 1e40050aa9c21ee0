"""Numbers as LEB128 varints of their zigzag: small ones, of either sign, take one byte."""

import numpy as np
from numpy.typing import NDArray

from handlers.kernel.jit import jit

U8 = NDArray[np.uint8]


@jit
def put(to: U8, at: int, value: int) -> int:
    """Writes the number at place `at`; returns the place after it."""
    z = (value << 1) ^ (value >> 63)
    while z >= 128 or z < 0:
        to[at] = (z & 127) | 128
        z = (z >> 7) & 0x01FFFFFFFFFFFFFF
        at += 1
    to[at] = z
    return at + 1


@jit
def get(row: U8, at: int) -> tuple[int, int]:
    """The number at place `at`, and the place after it."""
    z = np.int64(row[at])
    at += 1
    if z >= 128:
        z &= 127
        shift = 7
        while True:
            b = np.int64(row[at])
            at += 1
            z |= (b & 127) << shift
            if b < 128:
                break
            shift += 7
    return int(((z >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(z & 1)), at
