"""Any row of layout 1 says the same once it is brought up to the present layout. Layout 1 is written here as it was."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.churn.section import CHURN, QUIET_UNTIL, RAISED_DUE
from handlers.contact.history import CONTACT, history_of, sent_churn
from handlers.engine.beliefs import KNOWN
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.offers.section import OFFERS
from handlers.profile.upgrade import current
from handlers.state.codec import decode
from handlers.state.day_list import open_days
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    CHANNEL_COUNT,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    LAST,
    LAST_OWN,
    NEWEST,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    WATCHES,
    OpenRow,
    new_open_row,
)
from handlers.state.sections import split
from schemas.units import DAY_MS, HOUR_MS
from tests.laws.test_layout import _contents, opened_rows
from tests.unit.test_numbers import varint

TYPES_1 = 15
"""So many types there were."""

cooldowns = st.dictionaries(st.integers(0, 2**63 - 1), st.integers(1, 4_102_444_800_000), max_size=3)


class Flags(NamedTuple):
    """Of a day, from the lowest bit."""

    has_in: bool
    has_out: bool
    own_differs: bool
    has_largest: bool
    largest_is_in: bool
    has_balance: bool
    has_mix: bool

    def byte(self) -> bytes:
        return bytes([sum(1 << bit for bit, is_set in enumerate(self) if is_set)])


def layout_1(s: OpenRow, cooling: dict[int, int]) -> bytes:
    """The row in layout 1, which knew neither deposits, tiers nor watched products."""
    life = s.life.tolist()
    numbers = [life[FIRST], life[LAST] - life[FIRST], life[LAST] - life[LAST_OWN], life[NEWEST] - life[LAST]]
    parts = [
        b"\1",
        *map(varint, numbers + life[COUNT:] + s.sections[CHURN, : QUIET_UNTIL + 1].tolist()),
        varint(s.size[ACCOUNTS]),
    ]
    for account in s.accounts[: s.size[ACCOUNTS]]:
        name = account[:ACCOUNT_WORDS].tobytes().rstrip(b"\0")
        parts += [varint(len(name)), name, varint(account[ACCOUNT_BALANCE]), varint(life[NEWEST] - account[ACCOUNT_AT])]
    parts += [varint(len(cooling)), *(varint(number) for entry in cooling.items() for number in entry)]
    for which, tiles, length in ((FIVES, s.five, FIVE_MS), (HOURS, s.hour, HOUR_MS)):
        parts.append(varint(s.size[which]))
        before = life[NEWEST] // length
        for tile in tiles[: s.size[which]][::-1]:
            money = [tile[TILE_IN], tile[TILE_OUT]]
            head = int(tile[TILE_COUNT]) << 2 | int(money[0] != 0) | int(money[1] != 0) << 1
            parts += [varint(before - tile[TILE]), varint(head), *(varint(one) for one in money if one != 0)]
            before = tile[TILE]
    parts.append(varint(s.size[DAYS]))
    before = life[NEWEST] // DAY_MS
    for day in s.day[: s.size[DAYS]][::-1]:
        parts += [varint(before - day[TILE]), *_day_1(day)]
        before = day[TILE]
    return b"".join(parts)


def _day_1(day: np.ndarray) -> list[bytes]:
    mix = {place: int(count) for place, count in enumerate(day[DAY_MIX:]) if count}
    same = day[DAY_LARGEST] == day[TILE_IN]
    set_ = (day[TILE_IN], day[TILE_OUT], day[DAY_OWN] != day[TILE_COUNT], day[DAY_LARGEST], same, day[DAY_HAS_BALANCE])
    flags = Flags(*map(bool, set_), bool(mix))
    parts = [flags.byte(), varint(day[TILE_COUNT])]
    parts += [varint(day[TILE_IN])] * flags.has_in + [varint(day[TILE_OUT])] * flags.has_out
    parts += [varint(day[DAY_OWN])] * flags.own_differs
    parts += [varint(day[DAY_LARGEST])] * (flags.has_largest and not flags.largest_is_in)
    if flags.has_balance:
        parts += [varint(day[DAY_LOW]), varint(day[DAY_HIGH] - day[DAY_LOW])]
    if list(mix.values()) == [1, 1] and min(mix) < CHANNEL_COUNT <= max(mix) < CHANNEL_COUNT + TYPES_1:
        parts.append(bytes([min(mix) * TYPES_1 + max(mix) - CHANNEL_COUNT]))  # one channel and one type
    elif mix:
        parts += [bytes([128 + len(mix)]), *(varint(place + 32 * count) for place, count in mix.items())]
    return parts


@settings(max_examples=15)
@given(opened_rows(), cooldowns)
def test_a_row_of_layout_1_says_the_same_in_the_present_one(s: OpenRow, cooling: dict[int, int]) -> None:
    s.sections[OFFERS] = s.sections[CHURN, QUIET_UNTIL + 1 :] = s.size[WATCHES] = 0
    found, row = new_open_row(), current(layout_1(s, cooling))
    sections = split(row[decode(found, np.frombuffer(row, np.uint8), 0, len(row), KNOWN) :])
    history = history_of(sections.get(CONTACT, b""))
    open_days(found)
    assert _contents(found) == _contents(s)
    raised = int(s.sections[CHURN, RAISED_DUE])
    assert history.cooling == cooling
    assert history.contacts == ([sent_churn(raised)] if raised else [])
    assert current(row) == row
