"""The real bank's rows become canonical transactions: all of them, exactly, in order, or with an error that says where.

What is expected is read from the files another way: with the csv module, and with money as text.
"""

import csv
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from learning import berka
from learning.fields import RowError
from schemas.transaction import CHANNELS, TYPES, Transaction
from schemas.units import parse_rfc3339

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "berka"
with_data = pytest.mark.skipif(not DATA.is_dir(), reason="the Berka files are not at ../shared/data/berka")

TRANS = '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";"bank";"account"\n'
DISP = '"disp_id";"client_id";"account_id";"type"\n5;50;7;"DISPONENT"\n6;60;7;"OWNER"\n'
GOOD = ["1", "7", "930105", "PRIJEM", "VKLAD", "700.00", "700.00", "", "", ""]


def raw(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def bank(directory: Path, *rows: list[str], disp: str = DISP) -> list[dict[str, object]]:
    (directory / "disp.asc").write_text(disp)
    (directory / "trans.asc").write_text(TRANS + "".join(";".join(row) + "\n" for row in rows))
    return list(berka.transactions(directory))


def changed(**fields: str) -> list[str]:
    names = [name.strip('"') for name in TRANS.strip().split(";")]
    return [fields.get(name, value) for name, value in zip(names, GOOD, strict=True)]


@pytest.fixture(scope="module")
def real() -> list[Transaction]:
    return [msgspec.convert(fields, Transaction, strict=True) for fields in berka.transactions(DATA)]


@with_data
def test_every_row_of_the_file_comes_out_once_and_in_its_place(real: list[Transaction]) -> None:
    assert [event.event_id for event in real] == ["berka-t-" + row["trans_id"] for row in raw("trans.asc")]
    assert len(real) == len({event.event_id for event in real}) == 49_102


@with_data
def test_money_is_the_file_s_to_the_last_heller(real: list[Transaction]) -> None:
    expected: Counter[str] = Counter()
    for row in raw("trans.asc"):
        crowns, hellers = row["amount"].split(".")
        expected[row["type"]] += int(crowns) * 100 + int(hellers)
    assert sum(event.amount_minor for event in real if event.amount_minor > 0) == expected["PRIJEM"]
    assert -sum(event.amount_minor for event in real if event.amount_minor < 0) == expected["VYDAJ"] + expected["VYBER"]
    assert [event.balance_minor for event in real] == [int(row["balance"].replace(".", "")) for row in raw("trans.asc")]
    assert {event.currency for event in real} == {"CZK"}


@with_data
def test_the_customer_of_an_account_is_its_owner(real: list[Transaction]) -> None:
    owners = {row["account_id"]: row["client_id"] for row in raw("disp.asc") if row["type"] == "OWNER"}
    assert [(event.account_id, event.customer_id) for event in real] == [
        (f"berka-a-{row['account_id']}", f"berka-c-{owners[row['account_id']]}") for row in raw("trans.asc")
    ]


@with_data
def test_days_are_the_file_s_and_times_within_them_follow_its_order() -> None:
    moments = [str(event["occurred_at"]) for event in berka.transactions(DATA)]
    assert all(moment.endswith("Z") for moment in moments)
    assert [moment[2:10].replace("-", "") for moment in moments] == [row["date"] for row in raw("trans.asc")]
    times = [parse_rfc3339(moment) for moment in moments]
    assert all(earlier < later for earlier, later in pairwise(times))


@with_data
def test_types_and_channels_are_known_and_counted_as_the_file_has_them(real: list[Transaction]) -> None:
    assert {event.type for event in real} <= set(TYPES)
    assert {event.channel for event in real} <= set(CHANNELS)
    types = Counter(event.type for event in real)
    symbols = Counter(row["k_symbol"].strip() for row in raw("trans.asc"))
    assert types["interest"] == symbols["UROK"] == 9_463
    assert types["fee"] == symbols["SLUZBY"] + symbols["SANKC. UROK"] == 5_509
    assert types["pension"] == symbols["DUCHOD"] == 1_770
    assert types["bill_payment"] == symbols["SIPO"] == 3_719
    assert types["insurance_premium"] == symbols["POJISTNE"] == 644
    assert types["loan_payment"] == symbols["UVER"] == 123
    operations = Counter(row["operation"] for row in raw("trans.asc") if not row["k_symbol"].strip())
    assert types["deposit"] == operations["VKLAD"]
    assert types["withdrawal"] == operations["VYBER"] + operations["VYBER KARTOU"]
    assert types["transfer_in"] == operations["PREVOD Z UCTU"]
    assert types["transfer_out"] == operations["PREVOD NA UCET"]
    assert types["other"] == 0


@with_data
def test_the_counterparty_is_bank_and_account_where_the_file_names_one(real: list[Transaction]) -> None:
    expected: dict[bool, list[str | None]] = defaultdict(list)
    for row in raw("trans.asc"):
        named = bool(row["bank"] or row["account"])
        expected[named].append(f"{row['bank']}/{row['account']}" if named else None)
    assert [event.counterparty for event in real if event.counterparty] == expected[True]
    assert sum(event.counterparty is None for event in real) == len(expected[False])


def test_a_second_row_of_a_day_comes_a_second_later_whatever_its_account(tmp_path: Path) -> None:
    events = bank(tmp_path, changed(), changed(trans_id="2"), changed(trans_id="3", date="930106"))
    assert [event["occurred_at"] for event in events] == [
        "1993-01-05T08:00:00.000Z",
        "1993-01-05T08:00:01.000Z",
        "1993-01-06T08:00:00.000Z",
    ]


def test_a_tenth_that_no_float_can_hold_stays_exact(tmp_path: Path) -> None:
    (event,) = bank(tmp_path, changed(amount="9007199254740.93", balance="-0.10"))
    assert (event["amount_minor"], event["balance_minor"]) == (900_719_925_474_093, -10)


@pytest.mark.parametrize(
    ("row", "field", "rule"),
    [
        (changed(trans_id="x"), "trans_id", "whole number"),
        (changed(account_id="8"), "account_id", "must have an OWNER"),
        (changed(date="930230"), "date", "day of the calendar"),
        (changed(date="93-1-5"), "date", "digits only"),
        (changed(date="930104"), "date", "must not be before"),
        (changed(type="PRIJEMY"), "type", "must be one of PRIJEM, VYDAJ, VYBER"),
        (changed(operation="WIRE"), "operation", "must be one of VKLAD"),
        (changed(amount="7,00"), "amount", "decimal number"),
        (changed(amount="7.005"), "amount", "at most two decimals"),
        (changed(amount="-7.00"), "amount", "zero or more"),
        (changed(amount="NaN"), "amount", "decimal number"),
        (changed(balance=""), "balance", "decimal number"),
        (changed(balance="99999999999999.00"), "balance", "must lie within"),
        (changed(k_symbol="RENT"), "k_symbol", "must be empty or one of UROK"),
        (changed(bank="A;B"), "row", "must have 10 fields"),
        (changed(bank="é"), "bank", "two letters"),
        (changed(account="12a"), "account", "must be a number"),
        ([""], "row", "must have 10 fields"),
    ],
)
def test_a_malformed_row_is_refused_with_file_line_field_and_rule(
    tmp_path: Path, row: list[str], field: str, rule: str
) -> None:
    with pytest.raises(RowError, match=rule) as caught:
        bank(tmp_path, GOOD, row)
    assert (caught.value.file, caught.value.line, caught.value.field) == (tmp_path / "trans.asc", 3, field)
    assert f"trans.asc, line 3, {field}: " in str(caught.value)


def test_an_account_with_two_owners_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"disp\.asc, line 4, account_id: must not have two owners"):
        bank(tmp_path, GOOD, disp=DISP + '8;70;7;"OWNER"\n')


@pytest.mark.parametrize("disp", ["", '"disp_id";"client_id";"account_id";"kind"\n'])
def test_a_file_without_its_heading_is_refused(tmp_path: Path, disp: str) -> None:
    with pytest.raises(RowError, match=r"disp\.asc, line 1, heading"):
        bank(tmp_path, GOOD, disp=disp)
