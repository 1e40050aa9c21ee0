"""The end of a row as bytes: sections, each [tag, length, bytes], that may stand in any order and be added to.

    tag         1 byte
    length      of the bytes, a varint
    bytes       of a belief: its numbers as varints, without the zeros at the end
                of WATCHED: each watched product: the account's id (codec.py), kind, level, when
                of others: not opened here

A section that has nothing in it is left out. What a program does not know, a section or more numbers in one that it
knows, it writes again as it was: a worker of before loses nothing of what a newer one has kept.
"""

from handlers.kernel.byte_codec import copy_bytes, get, put
from handlers.kernel.jit import I8, U8, jit
from handlers.state.id_codec import get_id, put_id
from handlers.state.row import (
    SECTION_NUMBERS_MAX,
    SECTIONS_MAX,
    WATCH_AT,
    WATCH_KIND,
    WATCHES,
    WATCHES_MAX,
    OpenRow,
)

WATCHED = 3
"""The tag of watched products."""

BROKEN = -1
"""In the place of a place: the bytes cannot be what they should be."""

_SHORT = 63
"""The longest length that a varint of one byte has."""


@jit
def opened(tag: int, known: int) -> bool:
    """Whether the section is read into the open row; `known` has the bits of the tags of beliefs."""
    return tag == WATCHED or (tag < SECTIONS_MAX and (known >> tag) & 1 != 0)


@jit
def _put_numbers(numbers: I8, n: int, to: U8, at: int) -> int:
    for k in range(n):
        at = put(to, at, numbers[k])
    return at


@jit
def _put_watches(s: OpenRow, to: U8, at: int) -> int:
    for k in range(s.size[WATCHES]):
        at = put_id(to, at, s.watches, k)
        for field in range(WATCH_KIND, WATCH_AT + 1):
            at = put(to, at, s.watches[k, field])
    return at


@jit
def put_sections(s: OpenRow, to: U8, at: int, known: int) -> int:
    """Writes those that are opened, by tag; returns the place after them."""
    for tag in range(1, SECTIONS_MAX):
        if not opened(tag, known):
            continue
        n = SECTION_NUMBERS_MAX
        if tag == WATCHED:
            n = int(s.size[WATCHES])
        else:
            while n > 0 and s.sections[tag, n - 1] == 0:
                n -= 1
        if n == 0:
            continue
        to[at] = tag
        start = at + 2
        end = _put_watches(s, to, start) if tag == WATCHED else _put_numbers(s.sections[tag], n, to, start)
        length = end - start
        if length > _SHORT:  # rare: it is written again behind the longer length
            start = put(to, at + 1, length)
            end = _put_watches(s, to, start) if tag == WATCHED else _put_numbers(s.sections[tag], n, to, start)
        put(to, at + 1, length)
        at = end
    return at


@jit
def _get_watches(s: OpenRow, row: U8, at: int, end: int) -> bool:
    n = 0
    while at < end:
        if n == WATCHES_MAX:
            return False
        at = get_id(row, at, s.watches, n)
        if at == BROKEN or at > end:
            return False
        for field in range(WATCH_KIND, WATCH_AT + 1):
            s.watches[n, field], at = get(row, at)
        n += 1
    s.size[WATCHES] = n
    return at == end


@jit
def get_sections(s: OpenRow, row: U8, at: int, end: int, known: int) -> bool:
    """Reads row[at:end] into an open row whose sections are empty; False where it is broken."""
    while at < end:
        tag = int(row[at])
        length, at = get(row, at + 1)
        if length < 0 or length > end - at:
            return False
        stop = at + length
        if tag == WATCHED:
            if not _get_watches(s, row, at, stop):
                return False
        elif opened(tag, known):
            k = 0
            while at < stop and k < SECTION_NUMBERS_MAX:
                s.sections[tag, k], at = get(row, at)
                k += 1
            if at != stop:
                return False
        at = stop
    return at == end


@jit
def copy_others(row: U8, at: int, end: int, to: U8, place: int, known: int) -> int:
    """Copies those of row[at:end] that are not opened, as they stand there, to `place`; returns the place after."""
    while at < end:
        start = at
        tag = int(row[at])
        length, at = get(row, at + 1)
        at += length
        if not opened(tag, known):
            place = copy_bytes(row, start, at, to, place)
    return place
