"""Laws of intake: any bytes end as an event or a dead letter, and neighbours in a batch never matter."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import EventBatch, Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake, UndecodedBatch
from schemas.units import DAY_MS, rfc3339

NOW = 1_800_000_000_000
INTAKE = TransactionIntake("transactions", "EUR", {"USD": Decimal("0.9134"), "CHF": Decimal("1.05")})
MOMENTS = st.one_of(
    st.integers(315_532_800_000, NOW),
    st.integers(315_532_800_000, NOW).map(rfc3339),
    st.datetimes().map(lambda moment: moment.isoformat() + "+05:30"),
    st.sampled_from([True, 1.5, "soon", 2**63, -(2**63), 10**30, NOW + DAY_MS + 1, "2027-01-15T08:00:00", None]),
)
NAMES = st.sampled_from(["c-1", "c-2", "c-3", "c-1", "c-2", "c-3", "", "ç", "a\nb", "\0", 5])
AMOUNTS = st.one_of(st.integers(-(10**15), 10**15), st.integers(-(2**80), 2**80), st.sampled_from([True, "1", None]))
WORDS = st.sampled_from(["salary", "card", "other", "pigeon", ""])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.sampled_from(["e-1", "e-2", "}", "{", '"},{"', "\n", "\\"]),
    "customer_id": NAMES,
    "account_id": st.sampled_from(["a-1", "a-2", "a" * 40, "a" * 41]),
    "occurred_at": MOMENTS,
    "amount_minor": AMOUNTS,
    "currency": st.sampled_from(["EUR", "USD", "CHF", "JPY", "EURO"]),
    "type": WORDS,
    "channel": WORDS,
    "balance_minor": AMOUNTS,
    "reversal_of": st.fixed_dictionaries({"event_id": NAMES, "occurred_at": MOMENTS}),
    "note": st.recursive(st.none(), lambda inner: st.lists(inner) | st.fixed_dictionaries({"x": inner})),
}
PLAIN = {
    "event_id": "e-1",
    "customer_id": "c-1",
    "account_id": "a-1",
    "occurred_at": "2027-01-15T08:00:00+01:00",
    "amount_minor": -1_250,
    "currency": "EUR",
    "type": "card_payment",
    "channel": "card",
}
GOOD = json.dumps(PLAIN).encode()
PIECES = [
    GOOD,
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\n",
    b'"',
    b"{}",
    b'"x":',
    b"\\",
    b" ",
    b"\xff",
    b"\0",
    GOOD[:-1],
    GOOD[1:],
]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A sound transaction with some of its fields made otherwise."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=3))
    return json.dumps(
        {**PLAIN, **{name: draw(FIELDS[name]) for name in names}}, ensure_ascii=draw(st.booleans())
    ).encode()


@st.composite
def torn(draw: st.DrawFn) -> list[bytes]:
    """A text of some transactions, cut anywhere."""
    text = draw(st.sampled_from([b",", b"\n", b"},{", b"}\n{"])).join(draw(st.lists(changed(), min_size=1, max_size=3)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


VALUES = st.lists(
    st.one_of(
        changed().map(lambda value: [value]),
        st.just([GOOD]),
        torn(),
        st.lists(st.sampled_from(PIECES), max_size=8).map(lambda pieces: [b"".join(pieces)]),
        st.binary(max_size=40).map(lambda value: [value]),
    ),
    max_size=6,
).map(lambda groups: [value for group in groups for value in group])

KEYS = st.sampled_from([b"c-1", b"c-1", b"c-1", b"c-2", b"", b"a\nb", "ç".encode(), b"\xff", None])


@st.composite
def streams(draw: st.DrawFn) -> list[Record]:
    """Records of one partition, heartbeats and empty ones among them."""
    records: list[Record] = []
    for value in draw(VALUES):
        stamp = draw(st.sampled_from([NOW, NOW, NOW, 10**12, -1]))
        records.append(Record(len(records), stamp, draw(KEYS), draw(st.sampled_from([value] * 8 + [None]))))
        if draw(st.integers(0, 9)) == 0:
            records.append(Record(len(records), NOW, None, None, draw(st.integers(0, 2 * NOW))))
    return records


def comparable(batches: Sequence[EventBatch]) -> list[tuple[Any, ...]]:
    """Every event and every dead letter of successive batches, by offset."""
    found: list[tuple[Any, ...]] = []
    for batch in batches:
        columns = (batch.at, batch.amount, batch.balance, batch.type, batch.channel, batch.undoes_at, batch.clock)
        for place in range(len(batch)):
            figures = [int(column[place]) for column in columns]
            customer = batch.customers[int(batch.customer[place])]
            account = batch.account[place].tobytes()
            found.append((int(batch.offset[place]), batch.event_id(place), customer, account, *figures))
        found += [(letter.offset, letter) for letter in batch.dead_letters]
    return sorted(found, key=lambda one: int(one[0]))


@settings(max_examples=400)
@given(streams(), st.data(), st.integers(0, 2 * NOW))
def test_the_result_does_not_depend_on_how_records_are_put_into_batches(
    records: list[Record], data: st.DataObject, clock: int
) -> None:
    whole = INTAKE.batch(0, records, StreamTime(clock), DuplicateFilter())
    parts, start, told, time, seen = [], 0, clock, StreamTime(clock), DuplicateFilter()
    while start < len(records):
        size = data.draw(st.integers(1, len(records) - start))
        parts.append(INTAKE.batch(0, records[start : start + size], time, seen))
        start, told = start + size, parts[-1].clock_end
    assert comparable(parts) == comparable([whole])
    assert told == whole.clock_end
    assert sum(part.duplicates for part in parts) == whole.duplicates
    assert sum(part.unknown_types for part in parts) == whole.unknown_types
    assert sum(part.unknown_channels for part in parts) == whole.unknown_channels


@settings(max_examples=200)
@given(st.lists(st.tuples(streams(), st.integers(0, 2 * NOW)), max_size=4))
def test_partitions_that_are_read_together_are_read_as_each_by_itself(told: list[tuple[list[Record], int]]) -> None:
    together = INTAKE.batches(
        [
            UndecodedBatch(number, records, StreamTime(clock), DuplicateFilter())
            for number, (records, clock) in enumerate(told)
        ]
    )
    alone = [
        INTAKE.batch(number, records, StreamTime(clock), DuplicateFilter())
        for number, (records, clock) in enumerate(told)
    ]
    assert [comparable([batch]) for batch in together] == [comparable([batch]) for batch in alone]
    for name in ("customers", "clock_end", "dead_letters", "duplicates", "unknown_types", "unknown_channels"):
        assert [getattr(batch, name) for batch in together] == [getattr(batch, name) for batch in alone]


@settings(max_examples=400)
@given(streams())
def test_every_record_is_accepted_or_refused_exactly_once(records: list[Record]) -> None:
    batch = INTAKE.batch(0, records, StreamTime(), DuplicateFilter())
    told = [*batch.offset.tolist(), *(letter.offset for letter in batch.dead_letters)]
    heartbeats = {record.offset for record in records if record.heartbeat_at is not None}
    assert len(told) == len(set(told))
    assert len(set(told) | heartbeats) + batch.duplicates == len(records)
    assert set(told) | heartbeats <= {record.offset for record in records}
    assert batch.offset.tolist() == sorted(batch.offset.tolist())
    for letter in batch.dead_letters:
        assert (letter.key, letter.value) == (records[letter.offset].key, records[letter.offset].value)
