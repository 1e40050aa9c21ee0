"""Rows of older versions, brought up to the present layout as they are read."""

import numpy as np

from handlers.churn.section import CHURN
from handlers.contact.history import CONTACT, ContactHistory, sent_churn
from handlers.kernel.byte_codec import get
from handlers.kernel.jit import I8, U8, jit
from handlers.offers.section import OFFERS
from handlers.state.codec import PADDING, VERSION, LayoutError
from handlers.state.day_list import put_days, skip_days
from handlers.state.row import (
    CHANNEL_COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    LAST,
    LIFE_FIELDS,
    NEWEST,
    ROW_BYTES_MAX,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    new_open_row,
)
from handlers.state.section_codec import BROKEN, WATCHED
from handlers.state.sections import joined, numbers
from schemas.units import DAY_MS

_LIFE_FIELDS_1 = 11
_DUE, _RAISED_DUE, _QUIET_UNTIL = 8, 9, 10
"""Places among them; in version 2 PRODUCT_DUE and TIER came after these."""
_TYPES_1 = 15


def current(row: bytes) -> bytes:
    """The row in the present layout. Raises LayoutError for a version that this program doesn't know, and for a row of
    version 2 that is cut short or broken."""
    if row and row[0] == VERSION:
        return row
    if row and row[0] == 2:
        return _from_2(row)
    if row and row[0] == 1:
        return _from_1(row)
    found = row[0] if row else "none"
    raise LayoutError(f"row layout version {found}; this program reads versions 1 to {VERSION}")


LIFE_2, ACCOUNTS_2, WATCHES_2, TILES_2, HISTORY_2, PLACES_2 = range(6)
"""Where these start in a row of version 2: the five numbers of decisions among the lifetime figures; accounts; watched
products; tiles and days; the contact history."""


@jit
def _places_2(row: U8, end: int, places: I8) -> bool:
    """Finds the places; False where the row is cut short or broken. There are PADDING bytes behind it."""
    at = 1
    for _ in range(LIFE_FIELDS):
        _, at = get(row, at)
    places[LIFE_2] = at
    for _ in range(5):
        _, at = get(row, at)
    places[ACCOUNTS_2] = at
    for which in range(2):
        n, at = get(row, at)
        if at > end or n < 0:
            return False
        for _ in range(n):
            length, at = get(row, at)
            if length < 0:
                length, at = get(row, at)
            if length < 0 or length > end - at:
                return False
            at += length
            for _ in range(2 if which == 0 else 3):
                _, at = get(row, at)
            if at > end:
                return False
        places[WATCHES_2 + which] = at
    for _ in range(2):
        n, at = get(row, at)
        if at > end or n < 0:
            return False
        for _ in range(n):
            _, at = get(row, at)
            head, at = get(row, at)
            if head & 1:
                _, at = get(row, at)
            if head & 2:
                _, at = get(row, at)
            if at > end:
                return False
    at = skip_days(row, at, end)
    places[HISTORY_2] = at
    return at != BROKEN


def _from_2(row: bytes) -> bytes:
    """Version 2 had figures of beliefs among the aggregates, a byte for each that was empty, and behind the days the
    contact history alone."""
    places = np.empty(PLACES_2, np.int64)
    padded = np.frombuffer(row + bytes(PADDING), np.uint8)
    if not _places_2(padded, len(row), places):
        raise LayoutError("a row of layout version 2 is cut short, or a length in it is broken")
    life, accounts, watches, tiles, history = places.tolist()
    figures, at = [], life
    for _ in range(5):
        figure, at = get(padded, at)
        figures.append(figure)
    watched = get(padded, watches)[1]
    sections = {
        CHURN: numbers(*figures[:3]),
        OFFERS: numbers(*figures[3:]),
        WATCHED: row[watched:tiles],
        CONTACT: row[history:],
    }
    return b"".join((bytes([VERSION]), row[1:life], row[accounts:watches], row[tiles:history], joined(sections)))


class _Reader:
    """A row of version 1, read number by number."""

    def __init__(self, row: bytes) -> None:
        self.at = 1
        self._row = np.frombuffer(row, np.uint8)

    def number(self) -> int:
        found, self.at = get(self._row, self.at)
        return found

    def byte(self) -> int:
        self.at += 1
        return int(self._row[self.at - 1])


def _from_1(row: bytes) -> bytes:
    """Version 1 kept cooldowns of offers by hash among the aggregates, and no other dealings; its days were varints."""
    reader = _Reader(row)
    number = reader.number
    life = [number() for _ in range(LIFE_FIELDS)]
    life_end = reader.at
    life += [number() for _ in range(LIFE_FIELDS, _LIFE_FIELDS_1)]
    accounts_start = reader.at
    for _ in range(number()):
        length = number()
        reader.at += length
        number()
        number()
    accounts_end = reader.at
    cooling = [(number(), number()) for _ in range(number())]
    tiles_start = reader.at
    for _ in range(2):
        for _ in range(number()):
            number()
            for _ in range((number() & 3).bit_count()):
                number()
    tiles_end = reader.at
    newest = (life[FIRST] + life[LAST] + life[NEWEST]) // DAY_MS
    days = np.empty(ROW_BYTES_MAX, np.uint8)
    days_end = put_days(_days_1(reader, newest), days, 0, newest)
    history = ContactHistory(cooling=dict(cooling))
    if raised := life[_RAISED_DUE]:
        history.contacts.append(sent_churn(raised))
    sections = {
        CHURN: numbers(life[_DUE], raised, life[_QUIET_UNTIL]),
        CONTACT: history.encoded(),
    }
    return b"".join(
        (
            bytes([VERSION]),
            row[1:life_end],
            row[accounts_start:accounts_end],
            row[tiles_start:tiles_end],
            days[:days_end].tobytes(),
            joined(sections),
        )
    )


def _days_1(reader: _Reader, newest: int) -> OpenRow:
    """The days, all of them as if they had just changed."""
    number = reader.number
    s = new_open_row()
    s.size[DAYS] = number()
    tile = newest
    for k in range(s.size[DAYS] - 1, -1, -1):
        day = s.day[k]
        tile -= number()
        flags = reader.byte()
        day[TILE], day[TILE_COUNT] = tile, number()
        day[TILE_IN] = number() if flags & 1 else 0
        day[TILE_OUT] = number() if flags & 2 else 0
        day[DAY_OWN] = number() if flags & 4 else day[TILE_COUNT]
        if flags & 8:
            day[DAY_LARGEST] = day[TILE_IN] if flags & 16 else number()
        if flags & 32:
            day[DAY_HAS_BALANCE], day[DAY_LOW] = 1, number()
            day[DAY_HIGH] = day[DAY_LOW] + number()
        if flags & 64:
            _mix_1(reader, day[DAY_MIX:])
    return s


def _mix_1(reader: _Reader, mix: I8) -> None:
    head = reader.byte()
    if head < 128:
        mix[head // _TYPES_1] = mix[CHANNEL_COUNT + head % _TYPES_1] = 1
        return
    for _ in range(head - 128):
        entry = reader.number()
        mix[entry & 31] = entry >> 5
