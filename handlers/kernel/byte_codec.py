"""Bytes of a row: numbers as varints, numbers of fixed width, and copying from one row to another.

A varint is LEB128 of the number's zigzag: small ones, of either sign, take one byte. Of fixed width, a code of two bits
says how many bytes the zigzag takes, lowest first; a number of width 0 is 0; codes 1, 2 and 3 are 2, 3 and 8 bytes.
"""

import numpy as np

from handlers.kernel.jit import U8, jit


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


@jit
def copy_bytes(source: U8, start: int, end: int, to: U8, at: int) -> int:
    """Writes source[start:end] from place `at` on; returns the place after it. The two do not overlap.

    The loop runs over views: there every place is from 0 on, as the compiler can see, which then copies many bytes at
    once. By places that might count from the end it takes twenty times as long.
    """
    bytes_from, bytes_to = source[start:end], to[at : at + end - start]
    for b in range(bytes_from.shape[0]):
        bytes_to[b] = bytes_from[b]
    return at + end - start
