"""What a partition remembers of the stream for all of its customers, where it takes customers of other partitions over:
event ids that were seen, and stream time with its outages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handlers.intake.dedup import BLOCK, Piece
from handlers.intake.stream_time import OUTAGES, OUTAGES_MAX, StreamTime

_BYTES, _OLD_BYTES = 16, 8
"""Of an event in a stored segment, of this version and of the one before (dedup.py)."""


class StoredFilter(NamedTuple):
    """A duplicate filter as the store has it."""

    events: int
    oldest: int
    segments: Mapping[int, bytes]
    clock: int
    """Stream time of its partition, epoch ms."""


class JoinedFilter(NamedTuple):
    """What the store is to hold: pieces to write, and then the filter's `events` and `oldest`."""

    events: int
    oldest: int
    pieces: list[Piece]


def joined_filter(own: StoredFilter, others: Sequence[StoredFilter]) -> JoinedFilter:
    """A filter that remembers what all of them do. Until `events` and `oldest` are stored, the pieces change nothing of
    what `own` remembers. Whose an event is cannot be told from its hash: so each is taken over whole."""
    others = [other for other in others if other.events]
    if not others:
        return JoinedFilter(own.events, own.oldest, [])
    number, used = divmod(own.events, BLOCK)
    oldest, clock = own.oldest, max(own.clock, *(other.clock for other in others))
    # Longer it may be: whoever was cut short has written behind it before.
    if (used and len(own.segments.get(number, b"")) < used * _BYTES) or (
        own.oldest == 0 and any(other.oldest for other in others)
    ):
        # Written by an older program; or it would say that nothing was ever forgotten, which is not so any more.
        others = [own, *others]
        number = oldest = number + 1
        used = 0
    full, unfilled = _split(others)
    pieces = []

    def close() -> None:
        nonlocal number, used
        data = bytes((BLOCK - used) * _BYTES) + np.int64(clock).tobytes()
        pieces.append(Piece(number, used * _BYTES, data))
        number, used = number + 1, 0

    if full and used:
        close()
    for data in full:
        pieces.append(Piece(number, 0, data))
        number += 1
    for data in unfilled:
        if used + len(data) // _BYTES > BLOCK:  # an event stands in one segment
            close()
        pieces.append(Piece(number, used * _BYTES, data))
        used += len(data) // _BYTES
        if used == BLOCK:
            close()
    return JoinedFilter(number * BLOCK + used, oldest, pieces)


def _split(filters: Sequence[StoredFilter]) -> tuple[list[bytes], list[bytes]]:
    """Segments that are full, by the time at which they were filled, and what is in those that are not."""
    full: list[tuple[int, bytes]] = []
    unfilled: list[bytes] = []
    for one in filters:
        number, used = divmod(one.events, BLOCK)
        held = [data for n in range(one.oldest, number) if (data := one.segments.get(n))]
        full += [(int.from_bytes(data[-8:], "little"), data) for data in held]
        last = one.segments.get(number, b"")[: used * _BYTES]
        if 0 < len(last) <= used * _OLD_BYTES:
            full.append((one.clock, last.ljust(BLOCK * _OLD_BYTES, b"\0") + np.int64(one.clock).tobytes()))
        elif last:
            unfilled.append(last[: len(last) // _BYTES * _BYTES])
    return [data for _, data in sorted(full, key=lambda segment: segment[0])], unfilled


def joined_time(clocks: Iterable[tuple[int, bytes | None]]) -> tuple[int, bytes]:
    """Stream time, and what is stored beside it (StreamTime.take), from those of several partitions: the earliest, so
    that nobody is judged before the own feed has come so far, with the outages of all. Raises ValueError as StreamTime.
    """
    known = [(clock, stored or b"") for clock, stored in clocks if clock]
    if not known:
        return 0, b""
    clock, stored = min(known)
    if len(known) == 1:
        return clock, stored
    time = StreamTime(clock, stored)
    outages: list[tuple[int, int]] = []
    for start, end in sorted(each for one in known for each in _outages(StreamTime(*one))):
        if outages and start <= outages[-1][1]:
            outages[-1] = outages[-1][0], max(end, outages[-1][1])
        else:
            outages.append((start, end))
    time.state[OUTAGES:] = 0
    for place, outage in enumerate(reversed(outages[-OUTAGES_MAX:])):
        time.state[OUTAGES + 2 * place : OUTAGES + 2 * place + 2] = outage
    return clock, time.take() or stored


def _outages(time: StreamTime) -> list[tuple[int, int]]:
    found = time.outages.reshape(-1, 2).tolist()
    return [(start, end) for start, end in found if start]
