"""Each record of a batch becomes an event or a dead letter, the same one whatever records it is read together with."""

import json
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest

from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import EventBatch, Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.strict_json import DEPTH_MAX, VALUE_BYTES_MAX, decode_one
from handlers.intake.transactions import TransactionIntake
from handlers.intake.validation import Violation, violation_of_moment
from handlers.kernel.jit import NONE
from schemas.customer_event import CustomerEvent
from schemas.transaction import CHANNELS, TYPES, Transaction
from schemas.units import DAY_MS, rfc3339

NOW = 1_800_000_000_000
INTAKE = TransactionIntake(
    "transactions", "EUR", {"USD": Decimal("0.9134"), "KWD": Decimal("3"), "CHF": Decimal("1.05")}
)
SOUND = {
    "event_id": "e-1",
    "customer_id": "c-1",
    "account_id": "a-1",
    "occurred_at": "2027-01-15T08:00:00+01:00",
    "amount_minor": -1_250,
    "currency": "EUR",
    "type": "card_payment",
    "channel": "card",
}
MISSING = object()
_numbers = count(1)


def value_of(**fields: Any) -> bytes:
    """A sound transaction but for `fields`, with an event_id that no other has."""
    fields = {"event_id": f"e-{next(_numbers)}", **fields}
    event = {name: value for name, value in {**SOUND, **fields}.items() if value is not MISSING}
    return json.dumps(event).encode()


def record_of(value: bytes | None, key: bytes | None = b"c-1", offset: int = 7, heartbeat: int | None = None) -> Record:
    return Record(offset, NOW, key, value, heartbeat)


def read(*values: bytes | None) -> EventBatch:
    return INTAKE.batch(
        3, [record_of(value, offset=7 + place) for place, value in enumerate(values)], StreamTime(), DuplicateFilter()
    )


def event_ids(batch: EventBatch) -> list[str]:
    return [batch.event_id(place) for place in range(len(batch))]


def test_an_event_becomes_a_row_of_every_column() -> None:
    first = value_of(event_id="e-1", balance_minor=99, type="salary", channel="atm")
    batch = read(first, value_of(event_id="e-2", customer_id="c-1"))
    assert batch.customers == ["c-1"]
    assert batch.customer.tolist() == [0, 0]
    assert batch.offset.tolist() == [7, 8]
    assert batch.at.tolist() == [1_799_996_400_000] * 2
    assert batch.amount.tolist() == [-1_250] * 2
    assert batch.balance.tolist() == [99, NONE]
    assert batch.type.tolist() == [TYPES.index("salary"), TYPES.index("card_payment")]
    assert batch.channel.tolist() == [CHANNELS.index("atm"), CHANNELS.index("card")]
    assert batch.undoes_at.tolist() == [NONE, NONE]
    assert event_ids(batch) == ["e-1", "e-2"]
    assert batch.account.shape == (2, 5)
    assert batch.account[0].tobytes() == b"a-1".ljust(40, b"\0")
    assert {column.dtype for column in (batch.customer, batch.at, batch.account, batch.type, batch.clock)} == {
        np.dtype(np.int64)
    }


def test_customers_are_named_once_in_order_of_appearance() -> None:
    ids = ["c-2", "c-1", "c-2", "c-3", "c-1"]
    records = [record_of(value_of(customer_id=name), name.encode()) for name in ids]
    batch = INTAKE.batch(0, records, StreamTime(), DuplicateFilter())
    assert batch.customers == ["c-2", "c-1", "c-3"]
    assert batch.customer.tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        (1_700_000_000_123, 1_700_000_000_123),
        ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("2023-11-14T22:13:20.123999Z", 1_700_000_000_123),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000_000),
        ("1980-01-01T00:00:00Z", 315_532_800_000),
    ],
)
def test_moments_are_epoch_ms_or_rfc_3339_in_one_batch(moment: int | str, at: int) -> None:
    assert read(value_of(occurred_at=moment)).at.tolist() == [at]
    mixed = read(value_of(occurred_at=moment), value_of(occurred_at=5 * 10**11), value_of(occurred_at=rfc3339(10**12)))
    assert mixed.at.tolist() == [at, 5 * 10**11, 10**12]


def test_a_reversal_carries_when_its_original_occurred() -> None:
    reversal = {"event_id": "e-0", "occurred_at": "2027-01-14T08:00:00Z"}
    batch = read(value_of(reversal_of=reversal), value_of(), value_of(reversal_of=None))
    assert batch.undoes_at.tolist() == [1_799_913_600_000, NONE, NONE]


def test_an_unknown_type_or_channel_counts_as_other_and_is_counted() -> None:
    batch = read(value_of(type="barter"), value_of(type="other"), value_of(channel="pigeon"), value_of(channel=""))
    assert batch.type.tolist()[:2] == [0, 0]
    assert batch.channel.tolist()[2:] == [0, 0]
    assert (batch.unknown_types, batch.unknown_channels) == (1, 2)


def test_amounts_and_balances_come_out_in_the_base_currency() -> None:
    batch = read(
        value_of(currency="USD", amount_minor=10_000, balance_minor=-20_000),
        value_of(currency="EUR", amount_minor=5),
        value_of(currency="KWD", amount_minor=1_000),
    )
    assert batch.amount.tolist() == [9_134, 5, 300]
    assert batch.balance.tolist() == [-18_268, NONE, NONE]


def test_unknown_fields_are_ignored_and_the_last_of_a_repeated_field_counts() -> None:
    extra = value_of(note={"tags": [["a"], {"}": "{"}]}, branch="Zürich")
    repeated = value_of()[:-1] + b',"amount_minor":7}'
    batch = read(extra, repeated, b" \r\n" + value_of() + b"\n")
    assert batch.dead_letters == []
    assert batch.amount.tolist() == [-1_250, 7, -1_250]


def nested(depth: int) -> bytes:
    return value_of()[:-1] + b',"x":' + b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2) + b"}"


ORIGINAL = {"event_id": "e-0", "occurred_at": 10**12}
BROKEN: dict[str, tuple[bytes | None, str, str]] = {
    "a value that is not JSON": (b"card payment, 12.50", "not_json", ""),
    "a torn object": (value_of()[:-9], "not_json", ""),
    "two objects": (value_of() + value_of(), "not_json", ""),
    "two objects on two lines": (value_of() + b"\n" + value_of(), "not_json", ""),
    "two objects with a comma": (value_of() + b"," + value_of(), "not_json", ""),
    "a trailing NUL": (value_of() + b"\0", "not_json", ""),
    "not a number": (value_of(amount_minor=float("nan")), "not_json", ""),
    "infinity": (value_of(amount_minor=float("-inf")), "not_json", ""),
    "not a number where it is ignored": (value_of(ignored=float("nan")), "not_json", ""),
    "bad UTF-8 in a field": (value_of(category="?").replace(b"?", b"\xff"), "not_json", ""),
    "bad UTF-8 where it is ignored": (value_of(ignored="?").replace(b"?", b"\xff"), "not_json", ""),
    "half of a surrogate pair": (value_of(category="\ud800"), "not_json", ""),
    "a wrong type and then no JSON": (value_of(event_id=5)[:-1], "not_json", ""),
    "too many brackets": (b"[" * 100_000, "not_json", ""),
    "deep nesting": (nested(100_000), "not_json", ""),
    "nesting a little too deep": (nested(DEPTH_MAX), "not_json", ""),
    "an array": (b"[" + value_of() + b"]", "wrong_type", ""),
    "null": (b"null", "wrong_type", ""),
    "ten megabytes": (value_of(category="x" * 10_000_000), "too_large", ""),
    "a byte too many": (value_of().ljust(VALUE_BYTES_MAX + 1), "too_large", ""),
    "no value": (None, "empty", ""),
    "no bytes": (b"", "empty", ""),
    "an empty object": (b"{}", "missing_field", "event_id"),
    "no amount": (value_of(amount_minor=MISSING), "missing_field", "amount_minor"),
    "no moment of the original": (value_of(reversal_of={"event_id": "e"}), "missing_field", "reversal_of.occurred_at"),
    "an amount in quotes": (value_of(amount_minor="1250"), "wrong_type", "amount_minor"),
    "an amount with a fraction": (value_of(amount_minor=12.5), "wrong_type", "amount_minor"),
    "an amount that is true": (value_of(amount_minor=True), "wrong_type", "amount_minor"),
    "a moment that is true": (value_of(occurred_at=True), "wrong_type", "occurred_at"),
    "a moment without offset": (value_of(occurred_at="2027-01-15T08:00:00"), "wrong_type", "occurred_at"),
    "a day that is none": (value_of(occurred_at="2027-02-30T08:00:00Z"), "wrong_type", "occurred_at"),
    "a leap second": (value_of(occurred_at="2016-12-31T23:59:60Z"), "wrong_type", "occurred_at"),
    "a bad moment of the original": (
        value_of(reversal_of={"event_id": "e", "occurred_at": "soon"}),
        "wrong_type",
        "reversal_of.occurred_at",
    ),
    "a reversal of true": (value_of(reversal_of=True), "wrong_type", "reversal_of"),
    "a null id": (value_of(account_id=None), "wrong_type", "account_id"),
    "an amount beyond bounds": (value_of(amount_minor=10**15 + 1), "out_of_bounds", "amount_minor"),
    "an amount beyond 64 bit": (value_of(amount_minor=-(2**70)), "out_of_bounds", "amount_minor"),
    "an amount of thousands of digits": (
        value_of(amount_minor="#").replace(b'"#"', b"9" * 9_999),
        "out_of_bounds",
        "amount_minor",
    ),
    "a balance beyond bounds": (value_of(balance_minor=-(10**16)), "out_of_bounds", "balance_minor"),
    "an amount beyond bounds once converted": (
        value_of(amount_minor=10**15, currency="CHF"),
        "out_of_bounds",
        "amount_minor",
    ),
    "a balance beyond bounds once converted": (
        value_of(balance_minor=10**15, currency="CHF"),
        "out_of_bounds",
        "balance_minor",
    ),
    "an empty id": (value_of(event_id=""), "out_of_bounds", "event_id"),
    "a long id": (value_of(account_id="a" * 41), "out_of_bounds", "account_id"),
    "an id with an accent": (value_of(account_id="é"), "out_of_bounds", "account_id"),
    "an id with a newline": (value_of(event_id="a\nb"), "out_of_bounds", "event_id"),
    "an id with a NUL": (value_of(account_id="a\0"), "out_of_bounds", "account_id"),
    "a currency of four letters": (value_of(currency="EURO"), "out_of_bounds", "currency"),
    "a currency of no country": (value_of(currency="ZZZ"), "no_rate", "currency"),
    "a currency in small letters": (value_of(currency="eur"), "no_rate", "currency"),
    "a currency without a rate": (value_of(currency="JPY"), "no_rate", "currency"),
    "a moment in seconds": (value_of(occurred_at=1_700_000), "out_of_bounds", "occurred_at"),
    "a moment in 2101": (value_of(occurred_at="2101-01-01T00:00:00Z"), "out_of_bounds", "occurred_at"),
    "a moment in the year 1": (value_of(occurred_at="0001-01-01T00:00:00+14:00"), "out_of_bounds", "occurred_at"),
    "a moment beyond 64 bit": (value_of(occurred_at=10**30), "out_of_bounds", "occurred_at"),
    "a moment of -2^63": (value_of(occurred_at=-(2**63)), "out_of_bounds", "occurred_at"),
    "a moment in the future": (value_of(occurred_at=NOW + DAY_MS + 1), "in_the_future", "occurred_at"),
    "an original long ago": (
        value_of(reversal_of={**ORIGINAL, "occurred_at": 0}),
        "out_of_bounds",
        "reversal_of.occurred_at",
    ),
    "an original of -2^63": (
        value_of(reversal_of={**ORIGINAL, "occurred_at": NONE}),
        "out_of_bounds",
        "reversal_of.occurred_at",
    ),
    "an original after its reversal": (
        value_of(occurred_at=10**12 - 1, reversal_of=ORIGINAL),
        "out_of_bounds",
        "reversal_of.occurred_at",
    ),
    "another customer's key": (value_of(customer_id="c-2"), "wrong_key", "customer_id"),
    "a customer with an accent": (value_of(customer_id="ç"), "wrong_key", "customer_id"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_becomes_a_dead_letter_and_its_neighbours_do_not(name: str) -> None:
    value, reason, field = BROKEN[name]
    batch = read(value_of(event_id="e-1"), value, value_of(event_id="e-3"))
    assert [(letter.reason, letter.field) for letter in batch.dead_letters] == [(reason, field)]
    assert event_ids(batch) == ["e-1", "e-3"]
    assert batch.offset.tolist() == [7, 9]
    (letter,) = batch.dead_letters
    assert (letter.topic, letter.partition, letter.offset, letter.timestamp_ms) == ("transactions", 3, 8, NOW)
    assert (letter.key, letter.value) == (b"c-1", value)
    assert read(value).dead_letters == [msgspec.structs.replace(letter, offset=7)]


def test_no_rule_or_field_of_a_dead_letter_repeats_what_the_record_said() -> None:
    for name in SOUND:
        for wrong in ("secret-4711" * 9, ["secret-4711"], {"secret-4711": "secret-4711"}):
            for value in (value_of(**{name: wrong}), value_of(reversal_of={**ORIGINAL, name: wrong}, type=5)):
                for letter in read(value).dead_letters:
                    assert "4711" not in letter.rule + letter.field


def test_a_record_without_a_key_is_refused_unless_keys_are_lost() -> None:
    record = record_of(value_of(), None)
    assert [letter.reason for letter in INTAKE.batch(0, [record], StreamTime(), DuplicateFilter()).dead_letters] == [
        "wrong_key"
    ]
    assert (
        len(
            TransactionIntake("transactions", "EUR", {}, keyed=False).batch(
                0, [record], StreamTime(), DuplicateFilter()
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ((b"a", b"b"), []),
        ((b"b", b"a"), [b"b", b"a"]),
        ((b"a\nb", b""), [b"a\nb", b""]),
        ((b"", b"a\nb"), [b"", b"a\nb"]),
        ((b"a", None), [None]),
    ],
)
def test_each_key_is_compared_with_its_own_record(
    keys: tuple[bytes, bytes | None], refused: list[bytes | None]
) -> None:
    records = [record_of(value_of(customer_id=name), key) for name, key in zip("ab", keys, strict=True)]
    assert [letter.key for letter in INTAKE.batch(0, records, StreamTime(), DuplicateFilter()).dead_letters] == refused


def test_the_clock_is_the_latest_moment_so_far_and_only_accepted_records_move_it() -> None:
    start = 10**12
    records = [
        record_of(value_of(occurred_at=start - 5)),
        record_of(value_of(occurred_at=start + 5)),
        record_of(value_of(occurred_at=start + 1_000, customer_id="c-2")),
        record_of(None, None, heartbeat=start + 20),
        record_of(value_of(occurred_at=start + 10)),
        record_of(None, None, heartbeat=start + 15),
        record_of(value_of(occurred_at=start + 30)),
        record_of(None, None, heartbeat=start + 40),
    ]
    batch = INTAKE.batch(0, records, StreamTime(start), DuplicateFilter())
    assert batch.clock.tolist() == [start, start + 5, start + 20, start + 30]
    assert batch.clock_end == start + 40
    assert [letter.reason for letter in batch.dead_letters] == ["wrong_key"]


def test_a_heartbeat_beyond_the_bounds_of_moments_moves_nothing_and_becomes_a_dead_letter() -> None:
    records = [record_of(None, None, heartbeat=at) for at in (NOW + DAY_MS + 1, NOW + DAY_MS, 0, 2**60)]
    batch = INTAKE.batch(0, records, StreamTime(), DuplicateFilter())
    assert batch.clock_end == NOW, "the second is believed as far as the record is"
    assert [(letter.reason, letter.field) for letter in batch.dead_letters] == [
        *(("in_the_future", "heartbeat"), ("out_of_bounds", "heartbeat"), ("out_of_bounds", "heartbeat"))
    ]


def test_an_empty_batch_keeps_the_clock() -> None:
    batch = INTAKE.batch(0, [], StreamTime(5), DuplicateFilter())
    assert (len(batch), batch.clock_end, batch.account.shape, batch.customers) == (0, 5, (0, 5), [])


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("kind", "CZ6508000000192000145399", "must be one of: consent_given, consent_withdrawn, time_zone,"),
        ("channel", "CZ6508000000192000145399", "must be one of: counter, phone, mobile, online, email, sms, post"),
        ("occurred_at", "CZ6508000000192000145399", "must be RFC 3339 with an offset from UTC"),
        ("matures_at", "CZ6508000000192000145399", "must be RFC 3339 with an offset from UTC"),
        ("limit_minor", 0, "must be int >= 1"),
    ],
)
def test_a_refusal_of_a_value_says_what_may_stand_there_and_not_what_stood_there(
    field: str, value: object, rule: str
) -> None:
    event = {"event_id": "e", "customer_id": "c", "occurred_at": 1, "kind": "consent_given", field: value}
    refusal = decode_one(orjson.dumps(event), CustomerEvent)
    assert isinstance(refusal, Violation)
    assert (refusal.field, refusal.rule[: len(rule)]) == (field, rule)
    assert "CZ65" not in refusal.rule


@pytest.mark.parametrize(
    ("at", "advice"),
    [
        (1_767_601_800, "; this looks like epoch seconds: multiply by 1,000"),
        (1_767_601_800_000_000, "; this looks like epoch microseconds: divide by 1,000"),
        (1_767_601_800_000_000_000, "; this looks like epoch nanoseconds: divide by 1,000,000"),
        (0, ""),
        (-1, ""),
    ],
)
def test_a_moment_in_another_unit_is_told_what_to_do(at: int, advice: str) -> None:
    refusal = violation_of_moment("occurred_at", at, 1 << 60)
    assert refusal is not None
    assert refusal.rule == "must be from 1980-01-01 to 2100-01-01, in epoch milliseconds where it is a number" + advice


@pytest.mark.parametrize(("written", "amount"), [(b"100.0", 100), (b"1e2", 100), (b"-1E+2", -100), (b"1.5", None)])
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(written: bytes, amount: int | None) -> None:
    value = orjson.dumps(
        {
            "event_id": "e",
            "customer_id": "c",
            "account_id": "a",
            "occurred_at": "2026-01-05T08:30:00Z",
            "amount_minor": "@",
            "currency": "EUR",
            "type": "fee",
            "channel": "card",
        }
    ).replace(b'"@"', written)
    found = decode_one(value, Transaction)
    assert (found.amount_minor if isinstance(found, Transaction) else None) == amount
