"""Which events a partition has seen lately: an event inside the horizon that comes again changes nothing, and what
corrects one is held against it.

Who an event is, its customer, its account and its event_id say together. The horizon: the last EVENTS_MIN events of the
partition and everything of the last HORIZON_MS of its stream time, but never more than EVENTS_MAX. An event is
remembered by a 64-bit hash and by what booking.py must know of it (16 bytes an event in the store, about 32 to 64 in
memory). A correction takes up to PLACES_MAX such places, money of another currency two. That two different events have
the same hash, and the later one is dropped, is to be expected once in 2^64 / EVENTS_MIN events: 1.8 in 10^13.

They are looked up in a table, which doubles while events go on, a few places with each: in one go a partition would
stand still for a tenth of a second.

Events stand in segments of BLOCK places; a full segment ends with the stream time at which it was filled. Only whole
segments are forgotten, at the very event that fills another, so that batches do not show.

Segments of before hold hashes of event_ids alone, 8 bytes each: an event whose event_id is among those is a duplicate,
whoever's it is, until they are forgotten; what they hold of amounts is not known.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from handlers.intake.booking import (
    ACCEPTED,
    EVENT_HASH,
    HASH,
    KIND,
    PLACES_MAX,
    REPEATED,
    TOLD,
    book,
    comes_again,
    judge,
    memory_of,
)
from handlers.intake.events import EVENT_FIELDS
from handlers.intake.hash_table import FREE, empty_list, enter, place_of, remove
from handlers.intake.stream_time import CLOCK, StreamTime, follow, follow_heartbeat
from handlers.kernel.customer_ids import ID_WORDS
from handlers.kernel.hashing import MULTIPLIER, hash_of, over
from handlers.kernel.jit import I8, NONE, jit
from handlers.kernel.text import PADDING, WORD, Text, text_of, word
from schemas.transaction import EVENT_ID_LENGTH
from schemas.units import DAY_MS

BLOCK = 65_536
EVENTS_MIN = 16 * BLOCK
EVENTS_MAX = 64 * BLOCK
HORIZON_MS = DAY_MS

_BYTES, _OLD_BYTES = 16, 8
"""Of an event in a stored segment."""
_CLOCK_BYTES = 8
_WORDS = EVENT_ID_LENGTH // WORD

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
    """How many places were filled."""
    pieces: list[Piece] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    """Segments to remove."""


class Arrivals(NamedTuple):
    """Records as the memory looks at them, all of n rows."""

    hashes: I8
    """Of the events' identities, 0 for a record that is no event."""
    moments: I8
    """What each record is worth to stream time, epoch ms; NONE where it tells none."""
    customers: I8
    """Their ids, (n, ID_WORDS)."""
    told: I8
    """(n, TOLD), see booking.py."""
    events: I8
    """(n, EVENT_FIELDS); what they book is written into them."""

    @classmethod
    def simple(cls, hashes: I8, moments: I8) -> "Arrivals":
        """Events of one customer of which nothing but that they come is to be known."""
        count = len(hashes)
        nobody, told = np.broadcast_to(np.int64(1), (count, ID_WORDS)), np.zeros((count, TOLD), np.int64)
        told[:, HASH] = told[:, EVENT_HASH] = hashes
        return cls(hashes, moments, nobody, told, np.zeros((count, EVENT_FIELDS), np.int64))


@jit
def event_hash(text: Text, at: int, end: int) -> int:
    """A 64-bit hash over the eight words of the event id (at most 64 characters of printable ASCII) that stands there,
    never 0."""
    found = MULTIPLIER
    for k in range(_WORDS):
        found = over(found, word(text, at + k * WORD, end))
    signed = hash_of(found)
    return signed if signed != FREE else 1


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
    """The memory of one partition. `events` is how many places it has ever filled, `oldest` its oldest kept segment."""

    def __init__(
        self, events: int = 0, oldest: int = 0, segments: Mapping[int, bytes] | None = None, zeros: Zeros = _zeros
    ) -> None:
        """From what was stored: segments `oldest` to events // SEGMENT. One that is missing or short (of a store that
        was written by hand) is taken for forgotten. `zeros` gives the memory of the table."""
        self._zeros = zeros
        self.oldest = oldest
        self._full: deque[_Full] = deque()
        self._open = empty_list(BLOCK)
        self._used = events % BLOCK
        self._changes = DuplicateChanges()
        self._stored = self._used
        self._skipped = 0
        """Places that a segment of before has left unused, not yet stored."""
        held = segments or {}
        self._full.extend(_Full.of(held.get(number, b"")) for number in range(oldest, events // BLOCK))
        last = held.get(events // BLOCK, b"")[: self._used * _BYTES]
        if 0 < len(last) <= self._used * _OLD_BYTES:
            self._full.append(_Full.of(last))
            self._skipped, self._used, self._stored = BLOCK - self._used, 0, 0
        else:
            self._open[: len(last) // _BYTES] = np.frombuffer(last, np.int64).reshape(-1, 2)
        self._table = self._new_table(2 * (len(self._full) * BLOCK + self._used) + BLOCK)
        self._before, self._moved = _NO_TABLE, 0
        """The smaller table before, and how many of its places have been looked at for what is to be in the new one."""
        by_id = sum(one.by_id for one in self._full)
        self._ids = self._new_table(2 * by_id * BLOCK) if by_id else _NO_TABLE
        """Hashes of event_ids alone."""
        for one in self._full:
            enter(self._ids if one.by_id else self._table, one.pairs)
        enter(self._table, self._open[: self._used])

    def sift(self, arrivals: Arrivals, time: StreamTime) -> tuple[I8, I8, int]:
        """Stream time after each record, and the verdict on it (booking.py); both of shape (n,); and how many reversals
        have come before their originals.

        Events that are accepted are booked and remembered, and `time` follows them; those that are refused are as if
        they had never come.
        """
        count, early = len(arrivals.hashes), 0
        clocks, verdicts = np.empty(count, np.int64), np.zeros(count, np.int64)
        kinds = arrivals.told[:, KIND]
        at = 0
        while at < count:
            self._make_room(count - at + PLACES_MAX * int(np.count_nonzero(kinds[at:])))
            at, self._used, self._moved, came_early = _sift(
                self._table, self._before, self._moved, self._ids, self._open, self._used, *arrivals, at, time.state,
                clocks, verdicts, self.oldest == 0 and not len(self._ids),
            )  # fmt: skip
            early += came_early
            if self._moved == len(self._before):
                self._before, self._moved = _NO_TABLE, 0
            if self._used == BLOCK:
                self._turn_over(time.clock)
        return clocks, verdicts, early

    @property
    def events(self) -> int:
        """Places ever filled."""
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
            self._changes.events += self._used - self._stored + self._skipped
            self._changes.pieces.append(Piece(segment, self._stored * _BYTES, data))
            self._stored, self._skipped = self._used, 0

    def _turn_over(self, clock: int) -> None:
        """The open segment is full: closes it, and forgets what is beyond the horizon."""
        self._note()
        last = self._changes.pieces[-1]
        self._changes.pieces[-1] = last._replace(data=last.data + np.int64(clock).tobytes())
        self._full.append(_Full(self._open, clock, False))
        self._open, self._used, self._stored = empty_list(BLOCK), 0, 0
        while len(self._full) * BLOCK > EVENTS_MIN and (
            self._full[0].clock < clock - HORIZON_MS or len(self._full) * BLOCK > EVENTS_MAX
        ):
            self._move()
            gone = self._full.popleft()
            remove(self._ids if gone.by_id else self._table, gone.pairs)
            if not any(one.by_id for one in self._full):
                self._ids = _NO_TABLE
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
        return self._zeros(2 << max(10, (places - 1).bit_length())).reshape(-1, 2)

    def _move(self) -> None:
        """All that is still in the table before."""
        enter(self._table, self._before[self._moved :])
        self._before, self._moved = _NO_TABLE, 0


class _Full(NamedTuple):
    """A segment that is full."""

    pairs: I8
    clock: int
    """Stream time when it was filled, epoch ms."""
    by_id: bool
    """Whether it is one of before, with hashes of event_ids alone."""

    @classmethod
    def of(cls, data: bytes) -> "_Full":
        """As it was stored."""
        if len(data) == BLOCK * _BYTES + _CLOCK_BYTES:
            whole = np.frombuffer(data, np.int64)
            return cls(whole[:-1].reshape(-1, 2).copy(), int(whole[-1]), False)
        whole = np.frombuffer(data.ljust(BLOCK * _OLD_BYTES + _CLOCK_BYTES, b"\0")[: BLOCK * 8 + 8], np.int64)
        pairs = empty_list(BLOCK)
        pairs[:, 0] = whole[:BLOCK]
        return cls(pairs, int(whole[BLOCK]), True)


_NO_TABLE = empty_list(0)


@jit
def _among(ids: I8, event_hash: int) -> bool:
    return bool(ids[place_of(ids, event_hash), 0] == event_hash)


@jit
def _sift(
    table: I8,
    before: I8,
    moved: int,
    ids: I8,
    segment: I8,
    used: int,
    hashes: I8,
    moments: I8,
    customers: I8,
    told: I8,
    events: I8,
    at: int,
    time: I8,
    clocks: I8,
    verdicts: I8,
    complete: bool,
) -> tuple[int, int, int, int]:
    """From record `at` on until the segment is full; returns the next record, places used, how many places of the table
    before have been looked at, and how many reversals came before their originals."""
    early = 0
    while at < hashes.shape[0] and used < segment.shape[0]:
        if moved < before.shape[0]:
            last = min(moved + _MOVED, before.shape[0])
            enter(table, before[moved:last])
            moved = last
        key = hashes[at]
        if key != FREE:
            place = place_of(table, key)
            known = table[place, 0] == key
            if not known and moved < before.shape[0]:
                known = before[place_of(before, key), 0] == key
            if known:
                again = comes_again(table, before, told[at])
            else:
                again = ids.shape[0] > 0 and _among(ids, told[at, EVENT_HASH])
            verdict = ACCEPTED
            if again:
                verdict = REPEATED
            elif known or told[at, KIND] != 0:
                if used + PLACES_MAX > segment.shape[0]:  # an event stands in one segment
                    return at, int(segment.shape[0]), moved, early
                verdict, used, came_early = judge(table, before, segment, used, events[at], told[at], complete)
                early += came_early
            else:
                book(events[at])
                table[place, 0], segment[used, 0] = key, key
                table[place, 1] = segment[used, 1] = memory_of(events[at])
                used += 1
            if verdict != ACCEPTED:
                verdicts[at] = verdict
                clocks[at] = time[CLOCK]
                at += 1
                continue
        if moments[at] != NONE:
            if key != FREE:
                follow(time, moments[at], customers[at])
            else:
                follow_heartbeat(time, moments[at])
        clocks[at] = time[CLOCK]
        at += 1
    return at, used, moved, early
