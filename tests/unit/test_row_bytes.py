"""The bytes of a row as handlers/state/codec.py describes them, put together by hand from the figures."""

from typing import Any

import pytest

from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.bank import START
from tests.fast import Fast
from tests.unit.test_numbers import varint


def booked(at: int, amount: int, account: str, balance: int | None = None, **more: Any) -> dict[str, Any]:
    """A salary by an automatic channel, at a moment counted from START."""
    fields = {"event_id": f"{at}-{account}", "customer_id": "ann", "account_id": account, "occurred_at": START + at}
    fields |= {"amount_minor": amount, "currency": "EUR", "type": "salary", "channel": "automatic"}
    return fields | more | ({} if balance is None else {"balance_minor": balance})


def row(stream: list[dict[str, Any]]) -> bytes:
    return Fast(offers=()).feed(stream).rows["ann"]


def numbers(*values: int) -> bytes:
    return b"".join(map(varint, values))


def test_the_row_of_one_salary() -> None:
    assert row([booked(0, 500, "A1", 700)]) == b"".join(
        (
            b"\3",
            numbers(START, 0, 0, 0),  # first; last, last own and newest at the same moment
            numbers(1, 500, 0, 1 << 7),  # count, in, out; the channel is the eighth
            numbers(1, 2) + b"A1" + numbers(700, 0),  # one account of two bytes, as new as the row
            numbers(1, 0, 1 << 2 | 1, 500),  # a tile of five minutes: the newest; one transaction, money in
            numbers(1, 0, 1 << 2 | 1, 500),  # and of an hour
            # a day: the newest, of seven bytes: money in, more; the largest as much, the balance, a pair
            numbers(1) + bytes.fromhex("07 81 45 e803 7805 e7"),
        )
    )


def test_times_and_tiles_stand_relative_to_the_newest() -> None:
    out = {"type": "fee", "channel": "other"}
    stream = [
        booked(0, 500, "A1"),
        booked(25 * HOUR_MS, 0, "A1"),
        booked(25 * HOUR_MS + 7 * MINUTE_MS, -3, "A1", **out),
    ]
    assert row(stream) == b"".join(
        (
            b"\3",
            # last is 25 h 7 min after the first; the last of the customer's own 7 minutes before it
            numbers(START, 25 * HOUR_MS + 7 * MINUTE_MS, 7 * MINUTE_MS, 0),
            # what the bank books by is no channel that the customer uses
            numbers(3, 500, 3, 1 << 7),
            numbers(0),  # no account
            # newest first: minute 5 with money out; a tile back, minute 0 with neither; the first has left the hour
            numbers(2, 0, 1 << 2 | 2, 3, 1, 1 << 2),
            # two in the newest hour; 25 hours back the first
            numbers(2, 0, 2 << 2 | 2, 3, 25, 1 << 2 | 1, 500),
            # the newest day, of 7 bytes: out, both counts told, 2 and 1 of them own; a day back the first
            numbers(2) + bytes.fromhex("07 64 04 02 0600 07ea 25 81 41 e803 e7"),
        )
    )


@pytest.mark.parametrize(
    ("accounts", "written"),
    [
        # the second shares four bytes with the first: -4, how many more, these
        (("acc-1", "acc-2"), numbers(5) + b"acc-1" + numbers(10, 0) + numbers(-4, 1) + b"2" + numbers(20, 0)),
        # one byte that is shared would save nothing
        (("ab", "ac"), numbers(2) + b"ab" + numbers(10, 0) + numbers(2) + b"ac" + numbers(20, 0)),
        # the first is the beginning of the second, over the end of a word
        (
            ("12345678", "123456789"),
            numbers(8) + b"12345678" + numbers(10, 0) + numbers(-8, 1) + b"9" + numbers(20, 0),
        ),
        # eight bytes are one number, the first byte its lowest: that of "y" alone is the smaller
        (("y", "x" * 40), numbers(1) + b"y" + numbers(10, 0) + numbers(40) + b"x" * 40 + numbers(20, 0)),
    ],
)
def test_accounts_stand_in_the_order_of_their_ids_by_what_they_share(accounts: tuple[str, str], written: bytes) -> None:
    first, second = accounts
    for stream in (
        [booked(0, 0, first, 10), booked(0, 0, second, 20)],
        [booked(0, 0, second, 20), booked(0, 0, first, 10)],
    ):
        assert numbers(2) + written in row(stream)


def test_a_day_far_back_and_one_of_many_bytes_are_told_in_numbers_of_their_own() -> None:
    kinds = [(kind, channel) for kind in ("salary", "pension", "deposit") for channel in ("atm", "online", "mobile")]
    many = [booked(101 * DAY_MS + n, 1, "A", type=kind, channel=channel) for n, (kind, channel) in enumerate(kinds)]
    found = row([booked(0, 500, "A"), booked(94 * DAY_MS, 500, "A"), booked(95 * DAY_MS, 500, "A"), *many])
    # the newest: 9 own transactions, 9 in, the largest of them 1; six entries, index and count: atm, online, mobile 3
    # each; deposit, salary and pension the same
    newest = bytes.fromhex("b1 82 12 1200 020000".replace(" ", "")) + numbers(
        6, 2 + 96, 3 + 96, 4 + 96, 8 + 1 + 96, 8 + 7 + 96, 8 + 8 + 96
    )
    salary = bytes.fromhex("81 41 e803 e7")
    old = bytes.fromhex("01 e803")  # 101 days ago: no largest, no mix
    assert len(newest) == 21
    # back and length in one byte: 0 and 21; 6 and 5; 1 and 5; 94 does not fit into three bits, so 7, and 94 behind it
    written = numbers(4) + bytes([21]) + newest + bytes([6 << 5 | 5]) + salary + bytes([1 << 5 | 5]) + salary
    assert found.endswith(written + bytes([7 << 5 | 3]) + numbers(94) + old)
