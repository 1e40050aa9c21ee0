"""Rows of many customers in one array, found by partition and customer id: what a memory of rows is made of.

A record is HEAD words, of which the last ID_WORDS are the id, and the row's bytes. A row that has grown beyond its
record's capacity gets a new one, at the end; the old record is lost until the whole is thrown away (`clear`).
"""

import numpy as np

from handlers.kernel.byte_codec import copy_bytes
from handlers.kernel.customer_ids import ID_WORDS, id_hash, same_id
from handlers.kernel.jit import I8, U8, jit
from handlers.kernel.text import WORD
from handlers.state.row_table import RowTable

_PARTITION, _LENGTH, _CAPACITY, _ID = range(4)
HEAD = _ID + ID_WORDS
_GONE = -1
"""In the place of the partition of a record that holds nobody's row any more."""

_USED, _ROWS, _FILLED = range(3)
"""Of `state`: words used, rows held, places of the table that are not free."""

_TABLE_MIN = 1_024
_PLACE_BITS = 40
_PLACE = (1 << _PLACE_BITS) - 1
"""An entry of the table has a record's place, and one more, in these bits, and others of the id's hash above; 0 is
free."""


class RowArena:
    """Bounded by the words that it is given; those that were never used take no memory."""

    def __init__(self, words: int) -> None:
        self._words = np.empty(words, np.int64)
        self._state = np.zeros(3, np.int64)
        self._table = np.zeros(_TABLE_MIN, np.int64)

    def __len__(self) -> int:
        """Rows held."""
        return int(self._state[_ROWS])

    @property
    def size(self) -> int:
        """Bytes used."""
        return WORD * int(self._state[_USED] + (len(self._table) if self._state[_USED] else 0))

    def find(self, partition: int, ids: I8) -> I8:
        """Places of the records, -1 for rows that are not held. (n,)."""
        places, starts, ends = np.empty((3, len(ids)), np.int64)
        _find(self._words, self._table, partition, ids, starts, ends, places)
        return places

    def rows(self, partition: int, ids: I8) -> tuple[RowTable, list[int]]:
        """Copies of the rows, empty for those that are not held, and the places of these among the ids."""
        places, starts, ends = np.empty((3, len(ids)), np.int64)
        length, absent = _find(self._words, self._table, partition, ids, starts, ends, places)
        raw = np.empty(length, np.uint8)
        _copy(self._words.view(np.uint8), places, starts, ends, raw)
        return RowTable(ids, raw, starts, ends), np.flatnonzero(places < 0).tolist() if absent else []

    def put(self, partition: int, rows: RowTable, first: int = 0) -> int:
        """Holds rows from that place on. Returns the place of the first that has no room, len(rows) if all have."""
        octets = self._words.view(np.uint8)
        while True:
            first = _put(
                self._words, octets, self._table, self._state, partition, rows.ids, rows.raw, rows.starts, rows.ends,
                first,
            )  # fmt: skip
            if first == len(rows) or 2 * (self._state[_FILLED] + 1) <= len(self._table):
                return first
            self._table = np.zeros(2 * len(self._table), np.int64)
            _index(self._words, self._table, self._state)

    def grow(self) -> None:
        """Makes twice the room."""
        grown = np.empty(2 * len(self._words), np.int64)
        used = int(self._state[_USED])
        grown[:used] = self._words[:used]
        self._words = grown

    def forget(self, places: I8) -> None:
        """The records in these places hold no rows any more."""
        _forget(self._words, self._state, places)

    def drop(self, partition: int) -> None:
        """Forgets every row of a partition."""
        _drop(self._words, self._state, partition)
        if not len(self):  # no need to keep what is lost
            self.clear()

    def held(self, partition: int) -> RowTable:
        """Copies of all rows of a partition."""
        places = np.empty(len(self), np.int64)
        places = places[: _places(self._words, self._state, partition, places)]
        return self.rows(partition, self._words[places[:, None] + np.arange(_ID, HEAD)])[0]

    def clear(self) -> None:
        """Throws everything away."""
        self._state[:] = 0
        self._table = np.zeros(_TABLE_MIN, np.int64)


@jit
def _hash(partition: int, one: I8) -> int:
    """Of partition and id."""
    return id_hash(one) ^ partition


@jit
def _slot(words: I8, table: I8, partition: int, one: I8) -> int:
    """Where in the table the record of that row is, or would be."""
    found, mask = _hash(partition, one), table.shape[0] - 1
    slot = found & mask
    while table[slot] != 0:
        if (table[slot] ^ found) >> _PLACE_BITS == 0:
            at = (table[slot] & _PLACE) - 1
            if words[at + _PARTITION] == partition and same_id(words[at + _ID : at + HEAD], one):
                break
        slot = (slot + 1) & mask
    return int(slot)


@jit
def _find(words: I8, table: I8, partition: int, ids: I8, starts: I8, ends: I8, places: I8) -> tuple[int, int]:
    """Lays the rows that are held out one behind the other, and tells where they are; returns the length of all, and
    how many are not held."""
    end = absent = 0
    for k in range(ids.shape[0]):
        at = (table[_slot(words, table, partition, ids[k])] & _PLACE) - 1
        starts[k] = end
        if at >= 0:
            end += words[at + _LENGTH]
        else:
            absent += 1
        ends[k], places[k] = end, at
    return int(end), absent


@jit
def _copy(octets: U8, places: I8, starts: I8, ends: I8, raw: U8) -> None:
    for k in range(places.shape[0]):
        if places[k] >= 0:
            first = (places[k] + HEAD) * WORD
            copy_bytes(octets, first, first + ends[k] - starts[k], raw, starts[k])


@jit
def _put(
    words: I8,
    octets: U8,
    table: I8,
    state: I8,
    partition: int,
    ids: I8,
    raw: U8,
    starts: I8,
    ends: I8,
    first: int,
) -> int:
    """As `Arena.put`, and stops where the table would be more than half full."""
    for k in range(first, ids.shape[0]):
        slot = _slot(words, table, partition, ids[k])
        length, at = ends[k] - starts[k], (table[slot] & _PLACE) - 1
        if at < 0 or words[at + _CAPACITY] < length:
            capacity = length + (length >> 3)  # rows grow
            end = state[_USED] + HEAD + (capacity + WORD - 1) // WORD
            if end > words.shape[0] or 2 * (state[_FILLED] + 1) > table.shape[0]:
                return k
            if at >= 0:
                words[at + _PARTITION] = _GONE
            else:
                state[_FILLED] += 1
                state[_ROWS] += 1
            at, state[_USED] = state[_USED], end
            words[at + _PARTITION], words[at + _CAPACITY] = partition, capacity
            for w in range(ID_WORDS):
                words[at + _ID + w] = ids[k, w]
            table[slot] = (_hash(partition, ids[k]) & ~_PLACE) | (at + 1)
        words[at + _LENGTH] = length
        copy_bytes(raw, starts[k], ends[k], octets, (at + HEAD) * WORD)
    return int(ids.shape[0])


@jit
def _after(words: I8, at: int) -> int:
    """Where the next record begins."""
    return int(at + HEAD + (words[at + _CAPACITY] + WORD - 1) // WORD)


@jit
def _index(words: I8, table: I8, state: I8) -> None:
    """Enters every row into a table of zeros."""
    state[_FILLED] = state[_ROWS]
    at, mask = 0, table.shape[0] - 1
    while at < state[_USED]:
        if words[at + _PARTITION] != _GONE:
            found = _hash(words[at + _PARTITION], words[at + _ID : at + HEAD])
            slot = found & mask
            while table[slot] != 0:
                slot = (slot + 1) & mask
            table[slot] = (found & ~_PLACE) | (at + 1)
        at = _after(words, at)


@jit
def _forget(words: I8, state: I8, places: I8) -> None:
    for k in range(places.shape[0]):
        if places[k] >= 0 and words[places[k] + _PARTITION] != _GONE:
            words[places[k] + _PARTITION] = _GONE
            state[_ROWS] -= 1


@jit
def _drop(words: I8, state: I8, partition: int) -> None:
    at = 0
    while at < state[_USED]:
        if words[at + _PARTITION] == partition:
            words[at + _PARTITION] = _GONE
            state[_ROWS] -= 1
        at = _after(words, at)


@jit
def _places(words: I8, state: I8, partition: int, places: I8) -> int:
    """How many rows the partition has; their records' places in the order in which they came."""
    count = at = 0
    while at < state[_USED]:
        if words[at + _PARTITION] == partition:
            places[count] = at
            count += 1
        at = _after(words, at)
    return count
