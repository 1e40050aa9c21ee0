"""The bytes of a day as handlers/state/day_codec.py describes them: rows outlive the program that wrote them, and
profile.lua reads the same bytes."""

from typing import NamedTuple

import numpy as np
import pytest

from handlers.state.day_codec import open_day, own_as_stored, put_day, stays_as_stored
from handlers.state.row import (
    CHANNEL_COUNT,
    CLOSED,
    DAY_END,
    DAY_HAS_BALANCE,
    DAY_HEAD_FIELDS,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAY_START,
    DAY_STATE,
    READ,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    new_open_row,
)
from schemas.transaction import CHANNELS, TYPES

Mix = dict[str, int]
CARD: Mix = {"card": 1, "card_payment": 1}


class Day(NamedTuple):
    """What stands in a day."""

    count: int = 1
    own: int = 1
    money_in: int = 0
    money_out: int = 0
    mix: Mix = {}  # noqa: RUF012
    largest: int = 0
    balances: tuple[int, int] | None = None


DAYS: dict[str, tuple[Day, str]] = {
    # head: money out in two bytes, one transaction, own; 1000 is 2000 in zigzag; pair: card (6) x 32 + payment (5)
    "a payment by card": (Day(money_out=1_000, mix=CARD), "04 d007 c5"),
    # head: money in, more follows; more: the largest is as much as in, the mix in pairs; automatic (7), salary (7)
    "a salary": (Day(money_in=500, largest=500, mix={"automatic": 1, "salary": 1}), "81 41 e803 e7"),
    # the largest of two credits in a width of its own, three bytes: 70,000 is 140,000 = 0x0222e0
    "two credits": (
        Day(2, 2, money_in=70_001, largest=70_000, mix={"online": 2, "transfer_in": 2}),
        "92 42 e22202 e02202 6363",
    ),
    # a small largest takes three bytes, as the code for two stands for "as much as in"
    "two small credits": (
        Day(2, 2, money_in=12, largest=7, mix={"online": 2, "transfer_in": 2}),
        "91 42 1800 0e0000 6363",
    ),
    "three payments": (Day(3, 3, money_out=9, mix={"card": 3, "card_payment": 3}), "24 1200 c5c5c5"),
    # four and more are told: count 4 as a varint
    "four payments": (Day(4, 4, money_out=9, mix={"card": 4, "card_payment": 4}), "34 08 1200 c5c5c5c5"),
    # five no longer stand in pairs: two entries, 14 = 8 + 6 x ... each index + 32 x count as varints: 6 + 160, 13 + 160
    "five payments": (Day(5, 5, money_out=9, mix={"card": 5, "card_payment": 5}), "b4 80 0a 1200 04 cc02 da02"),
    "a fee": (Day(1, 0, money_out=3, mix={"automatic": 1, "fee": 1}), "44 0600 ea"),
    "two fees": (Day(2, 0, money_out=3, mix={"automatic": 2, "fee": 2}), "54 04 0600 eaea"),
    "a fee and two payments": (
        Day(3, 2, money_out=3, mix={"automatic": 1, "card": 2, "fee": 1, "card_payment": 2}),
        "64 06 04 0600 c5c5ea",
    ),
    # more has been taken back than came: both told; the mix as a list, with negative counts
    "a payment taken back": (
        Day(-1, -1, money_out=-3, mix={"card": -1, "card_payment": -1}),
        "e4 80 01 01 0500 04 33 25",
    ),
    "nothing remains": (Day(0, 0), "50 00"),
    # balances: low 100, in two bytes; the high is the same and takes none
    "a balance": (Day(money_out=1_000, mix=CARD, balances=(100, 100)), "84 44 d007 c800 c5"),
    # a low of nothing takes two bytes, so that a day with balances can be told from one without; 40,000 more in three
    "a balance of nothing": (Day(money_out=1_000, mix=CARD, balances=(0, 40_000)), "84 64 d007 0000 803801 c5"),
    # no money, one transaction: only more tells that the mix is a list
    "types that no pair can tell": (
        Day(mix={"card": 1, "fee": -1, "salary": 1, "pension": 1}, balances=(0, 0)),
        "80 84 0000 08 4c 5e 60 1b",
    ),
    "a large sum": (Day(money_in=8_388_608, mix=CARD), "03 0000000100000000 c5"),
}  # fmt: skip


def opened(day: Day) -> np.ndarray:
    """As it stands in an opened row."""
    fields = new_open_row().day[0]
    fields[TILE_COUNT], fields[DAY_OWN] = day.count, day.own
    fields[TILE_IN], fields[TILE_OUT], fields[DAY_LARGEST] = day.money_in, day.money_out, day.largest
    if day.balances is not None:
        fields[DAY_HAS_BALANCE], fields[DAY_LOW], fields[DAY_HIGH] = 1, *day.balances
    for name, count in day.mix.items():
        place = CHANNELS.index(name) if name in CHANNELS else CHANNEL_COUNT + TYPES.index(name)
        fields[DAY_MIX + place] = count
    return fields


def written(day: np.ndarray, age: int) -> bytes:
    to = np.full(300, 0xEE, np.uint8)
    end = put_day(day, age, to, 1)
    assert (to[[0, end]] == 0xEE).all()
    return to[1:end].tobytes()


def read(data: bytes) -> np.ndarray:
    s = new_open_row()
    s.stored[: len(data) + 3] = np.frombuffer(b"\xee" + data + b"\xee\xee", np.uint8)
    s.day[0] = 77
    s.day[0, [DAY_STATE, DAY_START, DAY_END]] = CLOSED, 1, 1 + len(data)
    open_day(s, 0)
    assert s.day[0, DAY_STATE] == READ
    return s.day[0]


@pytest.mark.parametrize(("day", "data"), DAYS.values(), ids=list(DAYS))
def test_the_bytes_of_a_day(day: Day, data: str) -> None:
    assert written(opened(day), 0).hex() == data.replace(" ", "")
    found, expected = read(bytes.fromhex(data)), opened(day)
    assert found[[TILE_COUNT, TILE_IN, TILE_OUT, DAY_OWN]].tolist() == [day.count, day.money_in, day.money_out, day.own]
    assert found[DAY_HEAD_FIELDS:].tolist() == expected[DAY_HEAD_FIELDS:].tolist()


@pytest.mark.parametrize(
    ("day", "own"),
    [("a payment by card", 1), ("four payments", 1), ("a fee", 0), ("two fees", 0), ("a fee and two payments", -1)],
)
def test_own_transactions_are_known_by_the_first_byte_unless_they_are_told(day: str, own: int) -> None:
    assert own_as_stored(np.int64(bytes.fromhex(DAYS[day][1])[0])) == own


@pytest.mark.parametrize(
    ("age", "data"),
    [
        (29, "81 45 e803 c800 e7"),  # the largest, the balance, the mix
        (30, "81 41 e803 e7"),  # no window sees the balance any more
        (89, "81 41 e803 e7"),
        (90, "01 e803"),  # nor the largest, nor the mix
    ],
)
def test_what_no_window_sees_any_more_is_left_out(age: int, data: str) -> None:
    day = opened(Day(money_in=500, largest=500, mix={"automatic": 1, "salary": 1}, balances=(100, 100)))
    assert written(day, age).hex() == data.replace(" ", "")


@pytest.mark.parametrize("name", DAYS)
@pytest.mark.parametrize("age", [0, 29, 30, 31, 89, 90, 91, 179])
def test_a_day_stays_as_it_is_stored_only_where_writing_it_anew_would_change_nothing(name: str, age: int) -> None:
    day = opened(DAYS[name][0])
    for stored_at in (0, 29, 30, 89, 90):
        if stored_at <= age:
            data = written(day, stored_at)
            stays = stays_as_stored(READ, np.int64(data[0]), np.int64((data + b"\0")[1]), age, len(data))
            assert not stays or written(day, age) == data
            assert stays or data != written(day, age) or age >= 90
            assert not stays_as_stored(0, np.int64(data[0]), np.int64((data + b"\0")[1]), age, len(data))
