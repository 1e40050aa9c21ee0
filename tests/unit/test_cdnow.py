"""A shop's purchases become canonical transactions: all, exactly, by time, or with an error that says where."""

import csv
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from learning import cdnow
from learning.fields import RowError
from schemas.transaction import Transaction

FILE = Path(__file__).parents[2] / ".." / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"
with_data = pytest.mark.skipif(not FILE.is_file(), reason="the CDNOW sample is not at ../shared/data/cdnow")

GOOD = " 00004 0001 19970101  2   29.33"


def raw() -> list[list[str]]:
    """Master id, sample id, date, units, dollars of each line, split at blanks instead of columns."""
    with FILE.open(newline="") as file:
        return list(csv.reader(file, delimiter=" ", skipinitialspace=True))


def shop(directory: Path, *lines: str) -> list[dict[str, object]]:
    file = directory / "sample.txt"
    file.write_text("".join(line + "\n" for line in lines))
    return list(cdnow.transactions(file))


@pytest.fixture(scope="module")
def real() -> list[Transaction]:
    return [msgspec.convert(fields, Transaction, strict=True) for fields in cdnow.transactions(FILE)]


@with_data
def test_every_line_comes_out_once(real: list[Transaction]) -> None:
    assert len(real) == len(raw()) == 6_919
    assert len({event.event_id for event in real}) == len(real)
    assert len({event.customer_id for event in real}) == 2_357


@with_data
def test_what_each_customer_spent_on_each_day_is_the_file_s_to_the_cent(real: list[Transaction]) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for _, customer, day, _, dollars in raw():
        expected[customer, day] += int(dollars.replace(".", ""))
    found: Counter[tuple[str, str]] = Counter()
    for fields in cdnow.transactions(FILE):
        event = msgspec.convert(fields, Transaction)
        found[event.customer_id.removeprefix("cdnow-c-"), str(fields["occurred_at"])[:10].replace("-", "")] -= (
            event.amount_minor
        )
    assert found == expected
    assert all(event.amount_minor <= 0 for event in real)
    assert sum(event.amount_minor == 0 for event in real) == 8


@with_data
def test_purchases_come_by_day_and_within_a_day_in_the_file_s_order() -> None:
    found = [(str(event["occurred_at"]), str(event["customer_id"])) for event in cdnow.transactions(FILE)]
    expected = sorted(raw(), key=lambda row: row[2])
    assert found == [
        (f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00.000Z", f"cdnow-c-{customer}") for _, customer, day, _, _ in expected
    ]


def test_a_purchase_is_an_online_debit_in_dollars(tmp_path: Path) -> None:
    assert shop(tmp_path, GOOD) == [
        {
            "event_id": "cdnow-0001-19970101-1",
            "customer_id": "cdnow-c-0001",
            "account_id": "cdnow-a-0001",
            "occurred_at": "1997-01-01T12:00:00.000Z",
            "amount_minor": -2933,
            "currency": "USD",
            "type": "purchase",
            "channel": "online",
        }
    ]


def test_two_purchases_of_a_day_have_ids_of_their_own_that_never_change(tmp_path: Path) -> None:
    ids = [event["event_id"] for event in shop(tmp_path, GOOD, GOOD)]
    assert ids == ["cdnow-0001-19970101-1", "cdnow-0001-19970101-2"]
    assert ids == [event["event_id"] for event in shop(tmp_path, GOOD, GOOD)]


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        (" 0x004 0001 19970101  2   29.33", "master_id", "whole number"),
        (" 00004 00 1 19970101  2   29.33", "sample_id", "whole number"),
        (" 00004 0001 19970229  2   29.33", "date", "day of the calendar"),
        (" 00004 0001 1997 101  2   29.33", "date", "digits only"),
        (" 00004 0001 19970101       29.33"[:31], "units", "whole number"),
        (" 00004 0001 19970101  2     nan", "dollars", "decimal number"),
        (" 00004 0001 19970101  2  -29.33", "dollars", "zero or more"),
        (" 00004 0001 19970101  2  29.33", "row", "must have 31 characters"),
        (" 00004x0001 19970101  2   29.33", "row", "fixed columns"),
        ("", "row", "must have 31 characters"),
    ],
)
def test_a_malformed_line_is_refused_with_file_line_field_and_rule(
    tmp_path: Path, line: str, field: str, rule: str
) -> None:
    with pytest.raises(RowError, match=rule) as caught:
        shop(tmp_path, GOOD, line)
    assert (caught.value.file, caught.value.line, caught.value.field) == (tmp_path / "sample.txt", 2, field)
