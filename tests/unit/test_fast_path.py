"""What the kernel takes for a plain record is what the library's decoder and the rules make of the same record."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.intake.booking import EVENT_HASH, HASH, KIND, OWN_AMOUNT
from handlers.intake.booking import ORIGINAL as ORIGINAL_HASH
from handlers.intake.event_table import EventTable
from handlers.intake.events import ACCOUNT, AT, CLOCK
from handlers.intake.exchange import Exchange
from handlers.intake.json_scanner import NOT_FAST, value
from handlers.intake.rfc3339_scanner import moment
from handlers.intake.strict_json import decode_one
from handlers.intake.validation import Violation, violation_of
from handlers.kernel.jit import NONE
from handlers.kernel.text import PADDING, text_of
from schemas.transaction import Transaction
from schemas.units import EARLIEST, LATEST, parse_rfc3339
from tests.unit.test_intake_laws import GOOD, KEYS, NOW, PLAIN, VALUES, changed

EXCHANGE = Exchange("EUR", {"USD": Decimal("0.9134"), "CHF": Decimal("1.05"), "JPY": Decimal("1e11")})


def read(values: list[bytes | None], keys: list[bytes | None] | None = None) -> EventTable:
    return EventTable.read(values, np.full(len(values), NOW), keys, EXCHANGE)


def judged(value: bytes | None, key: bytes | None, *, keyed: bool) -> EventTable | None:
    """The same by the slow way: the decoder, the rules, one field after the other. None if it is refused."""
    found = decode_one(value, Transaction)
    if (
        isinstance(found, Violation)
        or violation_of(found, NOW, EXCHANGE)
        or (keyed and key != found.customer_id.encode())
    ):
        return None
    columns = read([b"?"])
    columns.put(0, found, EXCHANGE)
    return columns


def with_extra(text: bytes) -> bytes:
    return GOOD[:-1] + b',"x":' + text


SEAMS = [
    [GOOD, GOOD],
    [with_extra(b"[{}"), b"{}]}", GOOD + b"\n" + GOOD],
    [with_extra(b"[{}"), b"{}]}", GOOD + b"," + GOOD],
    [with_extra(b'"}'), b'{"}', GOOD + b"\n" + GOOD],
    [with_extra(b'"\\}'), b'{"}', GOOD + GOOD],
    [with_extra(b'{"y":{}'), b"{}}}", GOOD + GOOD],
    [GOOD[:-1], b"}", GOOD + GOOD],
    [with_extra(b"["), b"{}]}", GOOD + GOOD],
    [with_extra(b"[{}"), b",{}]}", GOOD + GOOD],
    [GOOD + GOOD, b""],
    [GOOD + b"\n" + GOOD, b"{}"],
    [GOOD + GOOD, b" "],
    [b"{", GOOD[1:]],
    [with_extra(b'"\xc3}'), b'{\xa9"}', GOOD + GOOD],
    [with_extra(b'"\xc3"}'), GOOD, with_extra('"é"}'.encode())],
    [GOOD[:-1] + b',"x":1', b',"y":2}', GOOD + b"," + GOOD],
    [GOOD[:-1] + b',"x":1', b' ,"y":2}', GOOD],
    [b" " + GOOD + b"\r\n", b"\n" + GOOD],
]


@settings(max_examples=1_000)
@given(VALUES, st.lists(KEYS, min_size=1), st.booleans())
def test_what_is_plain_is_what_each_record_holds_by_itself(
    values: list[bytes | None], keys: list[bytes | None], keyed: bool
) -> None:
    check(values, [keys[place % len(keys)] for place in range(len(values))], keyed=keyed)


@pytest.mark.parametrize("values", SEAMS)
def test_no_record_borrows_from_its_neighbours(values: list[bytes | None]) -> None:
    check(values, [b"c-1"] * len(values), keyed=True)


def check(values: list[bytes | None], keys: list[bytes | None], *, keyed: bool) -> None:
    found = read(values, keys if keyed else None)
    for place, (one, key) in enumerate(zip(values, keys, strict=True)):
        if not found.accepted[place]:
            assert (found.events[place, AT], found.told[place, HASH], found.told[place, KIND]) == (NONE, 0, 0)
            continue
        expected = judged(one, key, keyed=keyed)
        assert expected is not None, one
        shown = slice(0, CLOCK), slice(ACCOUNT, None)  # what is between comes later
        for its in shown:
            assert found.events[place, its].tolist() == expected.events[0, its].tolist()
        for told in (HASH, EVENT_HASH, KIND, ORIGINAL_HASH, OWN_AMOUNT):
            assert found.told[place, told] == expected.told[0, told]
        assert found.original_id(place) == expected.original_id(0)
        assert (found.event_id(place), found.ids[place].tolist()) == (expected.event_id(0), expected.ids[0].tolist())


def test_a_record_with_its_customers_key_is_plain_and_one_with_anothers_is_not() -> None:
    assert read([GOOD, GOOD], [b"c-1", b"c-2"]).accepted.tolist() == [True, False]


@settings(max_examples=1_000)
@given(
    st.one_of(changed(), st.just(with_extra(b'{"a":[1,-2.5,"\\u00e9\\n"],"b":null}}'))),
    st.integers(0, 400),
    st.one_of(st.binary(max_size=3), st.sampled_from([b",", b'"', b"}", b"0", b"-", b"e", b".", b"\\", b"null", b" "])),
    st.integers(0, 3),
)
def test_a_record_with_a_few_bytes_changed_is_plain_only_if_it_is_still_sound(
    record: bytes, at: int, put: bytes, removed: int
) -> None:
    at %= len(record) + 1
    check([record[:at] + put + record[at + removed :]], [None], keyed=False)


ORIGINAL = {"event_id": "e-0", "occurred_at": "2027-01-14T08:00:00Z"}
USUAL: list[dict[str, Any]] = [
    {},
    {"occurred_at": NOW},
    {"occurred_at": "2027-01-15T08:00:00Z"},
    {"occurred_at": "2027-01-15T08:00:00.123456-03:30"},
    {"amount_minor": 0, "balance_minor": -5},
    {"balance_minor": None, "counterparty": None, "category": "food", "product": None, "reversal_of": None},
    {"counterparty": 'Café "Müller"\t/ ธนาคาร', "note": {"a": [1, 2.5, None, True, False, {}, [], "x"]}},
    {"reversal_of": ORIGINAL},
    {"reversal_of": {**ORIGINAL, "occurred_at": 1_799_000_000_000}},
    {"currency": "USD", "balance_minor": 7},
    {"type": "pigeon", "channel": ""},
    {"event_id": "e" * 64, "customer_id": "c" * 64, "account_id": "a" * 40},
]


@pytest.mark.parametrize("fields", USUAL)
@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}])
def test_what_core_banking_usually_sends_is_plain(fields: dict[str, Any], style: dict[str, Any]) -> None:
    record = json.dumps({**PLAIN, **fields}, **style).encode()
    assert read([record]).accepted.all()
    check([record], [None], keyed=False)


@pytest.mark.parametrize("code", ["XXX", "JPY"])
def test_money_that_cannot_be_converted_is_not_plain(code: str) -> None:
    record = json.dumps({**PLAIN, "currency": code, "amount_minor": 10**12}).encode()
    assert not read([record]).accepted.any()
    assert judged(record, None, keyed=False) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@settings(max_examples=1_000)
@given(JSON, st.booleans(), st.sampled_from([None, 1]), st.integers(0, 60), st.binary(max_size=2), st.integers(0, 2))
@example([[[]]], True, None, 0, b"", 0)
def test_a_scanned_value_is_json(
    what: Any, ascii_only: bool, indent: int | None, at: int, put: bytes, removed: int
) -> None:
    text = json.dumps(what, ensure_ascii=ascii_only, indent=indent).encode()
    at %= len(text) + 1
    text = text[:at] + put + text[at + removed :]
    end = value(text_of(text + PADDING), 0, len(text))
    if end == len(text):
        try:
            text.decode()
        except UnicodeDecodeError:
            return  # which is for others to see
        msgspec.json.decode(text)


@pytest.mark.parametrize("text", [b"[" * 60 + b"]" * 60, b'{"a":[{}, -0.25 , true]}', b'"\\u00e9\\\\"', b"0", b"[ ]"])
def test_values_that_are_scanned(text: bytes) -> None:
    assert value(text_of(text + PADDING), 0, len(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[1,]",
        b"{,}",
        b"[,1]",
        b'{"a"}',
        b'{"a":1,}',
        b"01",
        b"1.",
        b"-",
        b"nul",
        b'"\\u12g4"',
        b'"\\x"',
        b"[1}",
        b"",
        b"[" * 70,
    ],
)
def test_values_that_are_not(text: bytes) -> None:
    assert value(text_of(text + PADDING), 0, len(text)) == NOT_FAST


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001 - the offset is put to it
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
)
def test_moments_are_read_as_the_standard_library_reads_them(at: datetime, minutes: int, digits: str) -> None:
    text = at.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat(timespec=digits)
    assert moment(text_of(text.encode() + PADDING), 0) == (parse_rfc3339(text), len(text))


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00+24:00", "2026-01-01 00:00:00Z",
        "1969-12-31T00:00:00Z", "2026-1-01T00:00:00Z", "2026-01-01T00:00:00+0100", "",
    ],
)  # fmt: skip
def test_moments_that_are_left_to_the_decoder(text: str) -> None:
    assert moment(text_of(text.encode() + PADDING), 0)[1] == NOT_FAST


@pytest.mark.parametrize("at", [EARLIEST, LATEST, EARLIEST - 1, LATEST + 1, NOW + 86_400_000, NOW + 86_400_001])
def test_bounds_of_time_are_those_of_the_rules(at: int) -> None:
    record = json.dumps({**PLAIN, "occurred_at": at}).encode()
    assert bool(read([record]).accepted[0]) == (judged(record, None, keyed=False) is not None)
