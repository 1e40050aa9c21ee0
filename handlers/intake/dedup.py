"""Which events a partition has seen lately: a duplicate event_id inside the horizon changes nothing.

The horizon: the last EVENTS_MIN events of the partition and everything of the last HORIZON_MS of its stream time, but
never more than EVENTS_MAX events. An event is remembered by a 64-bit hash of its id (8 bytes an event in the store,
about 16 to 32 in memory). That two different ids have the same hash, and the later one is dropped, is to be expected
once in 2^64 / EVENTS_MIN events: 1.8 in 10^13.

They are looked up in a table, which doubles while events go on, a few places with each: in one go a partition would
stand still for a tenth of a second.

Hashes stand in segments of SEGMENT; a full segment ends with the stream time at which it was filled. Only whole
segments are forgotten, at the very event that fills another, so that batches do not show.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from handlers.intake.stream_time import CLOCK, StreamTime, follow, follow_heartbeat
from handlers.kernel.jit import I8, NONE, Mask, jit
from handlers.kernel.text import LAST_SHIFT, MULTIPLIER, PADDING, SHIFT, WORD, Text, text_of, word
from schemas.transaction import EVENT_ID_LENGTH
from schemas.units import DAY_MS

BLOCK = 65_536
EVENTS_MIN = 16 * BLOCK
EVENTS_MAX = 64 * BLOCK
HORIZON_MS = DAY_MS

_HASH_BYTES = 8
_WORDS = EVENT_ID_LENGTH // WORD
_FREE = 0
"""An empty place in the table; the hash 0 is taken for 1."""

_MOVED = 32
"""Places of the table before that are looked at with each record: all of 2 * EVENTS_MIN within a segment, so that it is
gone when the first segment is forgotten."""


class Piece(NamedTuple):
    """Bytes to write into a stored segment, from that byte on."""

    segment: int
    start: int
    data: bytes


@dataclass(slots=True)
class DuplicateChanges:
    """What is to be stored since the last `take`."""

    events: int = 0
    """How many were accepted."""
    pieces: list[Piece] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    """Segments to remove."""


@jit
def event_hash(text: Text, at: int, end: int) -> int:
    """A 64-bit hash of the event id (at most 64 characters of printable ASCII) that stands there, never 0.

    Multiply and xor-shift over the id's eight words: what rounds of splitmix64 do (Steele, Lea & Flood 2014).
    """
    found = MULTIPLIER
    for k in range(_WORDS):
        found = (found ^ np.uint64(word(text, at + k * WORD, end))) * MULTIPLIER
        found ^= found >> SHIFT
    found *= MULTIPLIER
    signed = np.int64(found ^ (found >> LAST_SHIFT))
    return int(signed) if signed != _FREE else 1


def event_hashes(event_ids: Sequence[str]) -> I8:
    """`event_hash` of each; shape (n,)."""
    text = text_of("".join(event_ids).encode("ascii") + PADDING)
    cuts = accumulate(map(len, event_ids), initial=0)
    return np.array([event_hash(text, at, end) for at, end in pairwise(cuts)], np.int64)


Zeros = Callable[[int], I8]
"""An array of so many zeros. A table is large, and where its memory comes from is known to who runs the process."""


def _zeros(places: int) -> I8:
    return np.zeros(places, np.int64)


class DuplicateFilter:
    """The memory of one partition. `events` is how many it has ever accepted, `oldest` its oldest kept segment."""

    def __init__(
        self, events: int = 0, oldest: int = 0, segments: Mapping[int, bytes] | None = None, zeros: Zeros = _zeros
    ) -> None:
        """From what was stored: segments `oldest` to events // SEGMENT. One that is missing or short (of a store that
        was written by hand) is taken for forgotten. `zeros` gives the memory of the table."""
        self._zeros = zeros
        self.oldest = oldest
        self._full: deque[tuple[I8, int]] = deque()
        self._open = np.zeros(BLOCK, np.int64)
        self._used = events % BLOCK
        self._changes = DuplicateChanges()
        self._stored = self._used
        for number in range(oldest, events // BLOCK):
            data = (segments or {}).get(number, b"")
            whole = np.frombuffer(data.ljust((BLOCK + 1) * _HASH_BYTES, b"\0"), np.int64)
            self._full.append((whole[:BLOCK].copy(), int(whole[BLOCK])))
        last = (segments or {}).get(events // BLOCK, b"")[: self._used * _HASH_BYTES]
        self._open[: len(last) // _HASH_BYTES] = np.frombuffer(last, np.int64)
        self._table = self._new_table(2 * (len(self._full) * BLOCK + self._used) + BLOCK)
        self._before, self._moved = _NO_TABLE, 0
        """The smaller table before, and how many of its places have been looked at for what is to be in the new one."""
        for hashes, _ in self._full:
            _insert(self._table, hashes)
        _insert(self._table, self._open[: self._used])

    def sift(self, hashes: I8, moments: I8, ids: I8, time: StreamTime) -> tuple[I8, Mask]:
        """Stream time after each record, and which records are duplicates; both of shape (n,).

        `hashes` has 0 for a record that is no event, `moments` what it is worth to stream time or NONE where it tells
        none (epoch ms), `ids` its customer, (n, ID_WORDS). Events that are no duplicates are remembered, and `time`
        follows them.
        """
        clocks, repeated = np.empty(len(hashes), np.int64), np.zeros(len(hashes), np.bool_)
        at = 0
        while at < len(hashes):
            self._make_room(len(hashes) - at)
            at, self._used, self._moved = _sift(
                self._table, self._before, self._moved, self._open, self._used, hashes, moments, ids, at, time.state,
                clocks, repeated,
            )  # fmt: skip
            if self._moved == len(self._before):
                self._before, self._moved = _NO_TABLE, 0
            if self._used == BLOCK:
                self._turn_over(time.clock)
        return clocks, repeated

    @property
    def events(self) -> int:
        """Events ever accepted."""
        return (self.oldest + len(self._full)) * BLOCK + self._used

    def take(self) -> DuplicateChanges:
        """What has come since the last `take`, to be stored with the offset."""
        self._note()
        taken, self._changes = self._changes, DuplicateChanges()
        return taken

    def _note(self) -> None:
        if self._used > self._stored:
            data = self._open[self._stored : self._used].tobytes()
            segment = self.oldest + len(self._full)
            self._changes.events += self._used - self._stored
            self._changes.pieces.append(Piece(segment, self._stored * _HASH_BYTES, data))
            self._stored = self._used

    def _turn_over(self, clock: int) -> None:
        """The open segment is full: closes it, and forgets what is beyond the horizon."""
        self._note()
        last = self._changes.pieces[-1]
        self._changes.pieces[-1] = last._replace(data=last.data + np.int64(clock).tobytes())
        self._full.append((self._open, clock))
        self._open, self._used, self._stored = np.zeros(BLOCK, np.int64), 0, 0
        while len(self._full) * BLOCK > EVENTS_MIN and (
            self._full[0][1] < clock - HORIZON_MS or len(self._full) * BLOCK > EVENTS_MAX
        ):
            self._move()
            _remove(self._table, self._full.popleft()[0])
            self._changes.forgotten.append(self.oldest)
            self.oldest += 1

    def _make_room(self, more: int) -> None:
        """The table stays at most half full."""
        held = len(self._full) * BLOCK + self._used
        if 2 * (held + more) > len(self._table):
            self._move()
            self._before = self._table
            self._table = self._new_table(2 * max(len(self._table), held + more))

    def _new_table(self, places: int) -> I8:
        return self._zeros(1 << max(10, (places - 1).bit_length()))

    def _move(self) -> None:
        """All that is still to be moved from the table before."""
        _insert(self._table, self._before[self._moved :])
        self._before, self._moved = _NO_TABLE, 0


_NO_TABLE = np.zeros(0, np.int64)


@jit
def _insert(table: I8, hashes: I8) -> None:
    for k in range(hashes.shape[0]):
        if hashes[k] != _FREE:
            table[_place(table, hashes[k])] = hashes[k]


@jit
def _place(table: I8, found: int) -> int:
    """Where it is, or would be."""
    mask = table.shape[0] - 1
    place = found & mask
    while table[place] != _FREE and table[place] != found:
        place = (place + 1) & mask
    return int(place)


@jit
def _remove(table: I8, hashes: I8) -> None:
    """Takes hashes out; those behind them on their way to their places move up, so that no gap cuts a way."""
    mask = table.shape[0] - 1
    for k in range(hashes.shape[0]):
        place = _place(table, hashes[k])
        if table[place] == _FREE:
            continue
        gap = place
        behind = place
        while True:
            behind = (behind + 1) & mask
            if table[behind] == _FREE:
                break
            home = table[behind] & mask
            if ((behind - home) & mask) >= ((behind - gap) & mask):
                table[gap] = table[behind]
                gap = behind
        table[gap] = _FREE


@jit
def _sift(
    table: I8,
    before: I8,
    moved: int,
    segment: I8,
    used: int,
    hashes: I8,
    moments: I8,
    ids: I8,
    at: int,
    time: I8,
    clocks: I8,
    repeated: Mask,
) -> tuple[int, int, int]:
    """From record `at` on until the segment is full; returns the next record, places used, and how many places of the
    table before have been looked at."""
    while at < hashes.shape[0] and used < segment.shape[0]:
        if moved < before.shape[0]:
            last = min(moved + _MOVED, before.shape[0])
            _insert(table, before[moved:last])
            moved = last
        found = hashes[at]
        if found != _FREE:
            place = _place(table, found)
            known = table[place] == found
            if not known and moved < before.shape[0]:
                known = before[_place(before, found)] == found
            if known:
                repeated[at] = True
                clocks[at] = time[CLOCK]
                at += 1
                continue
            table[place] = found
            segment[used] = found
            used += 1
        if moments[at] != NONE:
            if found != _FREE:
                follow(time, moments[at], ids[at])
            else:
                follow_heartbeat(time, moments[at])
        clocks[at] = time[CLOCK]
        at += 1
    return at, used, moved
