"""Files of records as banks, shops and tools write them: read as they are, or refused in one sentence that says why."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pyarrow.parquet
import pytest

from commands.console import Failure
from commands.lines import reading
from handlers.intake.transactions import TransactionIntake
from learning.history import read
from tests.live import tracker

AT = datetime(2026, 1, 5, 8, 30, 0, 123_456, tzinfo=UTC)
AT_MS = 1_767_601_800_123


def line(number: int, **changes: Any) -> bytes:
    record = {
        "event_id": f"e{number}",
        "customer_id": "c",
        "account_id": "a",
        "occurred_at": AT_MS + number,
        "amount_minor": -100,
        "currency": "EUR",
        "type": "card_payment",
        "channel": "card",
    }
    return orjson.dumps(record | changes)


ONE, TWO = line(1), line(2)


def lines_of(file: Path, content: bytes) -> list[bytes]:
    file.write_bytes(content)
    with reading(file) as source:
        return list(source.lines)


@pytest.mark.parametrize(
    "content",
    [
        ONE + b"\n" + TWO,
        ONE + b"\r\n" + TWO + b"\r\n",
        b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO + b"\r\n",
        gzip.compress(ONE + b"\n" + TWO + b"\n"),
        gzip.compress(b"\xef\xbb\xbf" + ONE + b"\n" + TWO),
    ],
    ids=["no end", "CRLF", "mark", "gzip without .gz", "mark in gzip"],
)
def test_a_file_is_read_by_what_it_holds(tmp_path: Path, content: bytes) -> None:
    assert lines_of(tmp_path / "bank.jsonl", content) == [ONE, TWO]


def test_a_blank_line_is_no_record_and_counts_as_a_line(tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "bank.jsonl", b"\n" + ONE + b"\n \t\n\n" + TWO + b"\n{}\n\n")
    history = read([lines], TransactionIntake("t", "EUR", {}, keyed=False), lambda _: None)
    (refused,) = history.notices.refusals
    assert (len(history), refused.records, refused.field, refused.first) == (2, 1, "event_id", "line 6")


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "bank.jsonl", b"") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ((ONE + b"\n" + TWO).decode().encode("utf-16"), "is UTF-16; write it as UTF-8"),
        ((ONE + b"\n").decode().encode("utf-16-le"), "is UTF-16; write it as UTF-8"),
        (b" [\n" + ONE + b",\n" + TWO + b"]\n", "is a JSON array; write each record on a line of its own"),
        (gzip.compress(b"\n".join([ONE, TWO] * 5_000))[:-400], "breaks off or is damaged after line"),
        (gzip.compress(ONE)[:-8] + b"\0" * 8, "breaks off or is damaged after line"),
        (b"PAR1 and then nothing", "is not a Parquet file of records"),
    ],
    ids=["UTF-16", "UTF-16 without mark", "array", "cut gzip", "damaged gzip", "no Parquet"],
)
def test_what_cannot_be_read_is_said_in_a_sentence_with_the_file(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "bank.jsonl"
    with pytest.raises(Failure) as failure:
        lines_of(file, content)
    assert str(failure.value).startswith(f"{file}: ")
    assert words in str(failure.value)
    assert len(str(failure.value).splitlines()) == 1


def parquet(file: Path, **changes: pyarrow.Array) -> Path:
    columns: dict[str, pyarrow.Array] = {
        "event_id": pyarrow.array(["e1", "e2"]),
        "customer_id": pyarrow.array(["c", "c"]).dictionary_encode(),
        "account_id": pyarrow.array(["a", "a"]),
        "occurred_at": pyarrow.array([AT, AT], pyarrow.timestamp("us", "UTC")),
        "amount_minor": pyarrow.array([-100, 250]),
        "currency": pyarrow.array(["EUR", "EUR"]),
        "type": pyarrow.array(["salary", "fee"]),
        "channel": pyarrow.array(["card", "card"]),
        "balance_minor": pyarrow.array([None, 5_000], pyarrow.int64()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns | changes), file)
    return file


def rows(file: Path) -> list[dict[str, Any]]:
    with reading(file) as source:
        return [orjson.loads(row) for row in source.lines]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"amount_minor": pyarrow.array([Decimal(-100), Decimal(250)], pyarrow.decimal128(18, 2))},
        {"amount_minor": pyarrow.array([-100.0, 250.0]), "balance_minor": pyarrow.array([float("nan"), 5_000.0])},
        {"occurred_at": pyarrow.array([AT, AT], pyarrow.timestamp("ns", "Europe/Prague"))},
        {"occurred_at": pyarrow.array([AT_MS, AT_MS])},
        {"booked_on": pyarrow.array([date(2026, 1, 5)] * 2)},
    ],
    ids=["as JSON", "decimals", "floats", "nanoseconds", "epoch", "a column of the bank's own"],
)
def test_columns_as_data_frames_and_warehouses_write_them_are_read_alike(tmp_path: Path, changes: Any) -> None:
    first, second = rows(parquet(tmp_path / "bank.parquet", **changes))
    assert (first["amount_minor"], second["amount_minor"]) == (-100, 250)
    assert "balance_minor" not in first
    assert second["balance_minor"] == 5_000
    assert first["occurred_at"] == AT_MS
    assert all(isinstance(second[name], int) for name in ("amount_minor", "balance_minor", "occurred_at"))
    assert first.keys() <= {"event_id", "customer_id", "account_id", "occurred_at", "amount_minor", "currency", "type",
                            "channel"}  # fmt: skip


def test_a_moment_before_1970_is_cut_off_towards_the_past(tmp_path: Path) -> None:
    moments = pyarrow.array([-1, -1_000_001], pyarrow.timestamp("ns", "UTC"))
    assert [row["occurred_at"] for row in rows(parquet(tmp_path / "bank.parquet", occurred_at=moments))] == [-1, -2]


def test_the_original_of_a_reversal_is_read_as_a_struct(tmp_path: Path) -> None:
    original = pyarrow.StructArray.from_arrays(
        [pyarrow.array(["e0", None]), pyarrow.array([AT, None], pyarrow.timestamp("ns", "UTC"))],
        ["event_id", "occurred_at"],
        mask=pyarrow.array([False, True]),
    )
    first, second = rows(parquet(tmp_path / "bank.parquet", reversal_of=original))
    assert first["reversal_of"] == {"event_id": "e0", "occurred_at": AT_MS}
    assert "reversal_of" not in second


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount_minor": pyarrow.array([-100.0, 2.5])}, "column amount_minor, row 2: must be whole minor units"),
        ({"balance_minor": pyarrow.array([Decimal("0.01"), None])}, "column balance_minor, row 1: must be whole"),
        ({"amount_minor": pyarrow.array([1e300, 1.0])}, "column amount_minor: must be whole numbers of at most 64 bit"),
        (
            {"occurred_at": pyarrow.array([AT, AT], pyarrow.timestamp("us"))},
            "column occurred_at: holds times without a",
        ),
        ({"occurred_at": pyarrow.array([date(2026, 1, 5)] * 2)}, "column occurred_at: holds date32[day]; write"),
        (
            {
                "reversal_of": pyarrow.StructArray.from_arrays(
                    [pyarrow.array([AT, AT], pyarrow.timestamp("us"))], ["occurred_at"]
                )
            },
            "column reversal_of.occurred_at: holds times without a zone",
        ),
    ],
    ids=["fraction", "decimal fraction", "too large", "no zone", "date", "no zone inside"],
)
def test_what_may_mean_two_things_is_refused_with_the_column(tmp_path: Path, changes: Any, words: str) -> None:
    with pytest.raises(Failure) as failure:
        rows(parquet(tmp_path / "bank.parquet", **changes))
    assert words in str(failure.value)


def _replay(folder: Path, content: bytes, status: int, **settings: str) -> str:
    file = folder / "bank.jsonl"
    file.write_bytes(content)
    to = ("--alerts", folder / "alerts.jsonl", "--profiles", folder / "profiles.jsonl")
    environment = {f"TRACKER_{name.upper()}": text for name, text in settings.items()}
    done = tracker("replay", file, *to, status=status, environment=environment or None)
    return done.stdout + done.stderr


def test_refusals_are_told_by_kind_with_the_place_of_the_first(tmp_path: Path) -> None:
    wrong = [line(3, amount_minor="1"), line(4, occurred_at=1_767_601_800), b"nothing", line(5, amount_minor="2")]
    said = _replay(tmp_path, b"\n".join([ONE, TWO, *wrong, *map(line, range(6, 20))]), 0)
    assert "16 events of 1 customers" in said
    assert "4 records were refused, 20.0% of all:" in said
    assert "  2: amount_minor must be int, got str; the first is line 3\n" in said
    assert "this looks like epoch seconds: multiply by 1,000; the first is line 4\n" in said
    assert "must be JSON" in said


@pytest.mark.parametrize(("share_max", "status"), [("0.5", 1), ("0.7", 0)])
def test_more_refusals_than_a_worker_would_take_end_with_an_error(tmp_path: Path, share_max: str, status: int) -> None:
    said = _replay(tmp_path, b"\n".join([ONE, b"x", b"y"]), status, poison_share_max=share_max)
    assert "2 records were refused, 66.7% of all:" in said
    assert ("more than 50% of the records were refused (TRACKER_POISON_SHARE_MAX)" in said) == (status == 1)


def test_a_bank_of_another_currency_is_told_which_setting_to_set(tmp_path: Path) -> None:
    content = b"\n".join(line(number, currency="GBP") for number in range(3))
    said = _replay(tmp_path, content, 1)
    assert (
        "currency must be the base currency, which is EUR (TRACKER_BASE_CURRENCY), or have a rate in the file" in said
    )
    assert "3 events of 1 customers" in _replay(tmp_path, content, 0, base_currency="GBP")


def test_repeated_events_and_unknown_words_are_told(tmp_path: Path) -> None:
    said = _replay(tmp_path, b"\n".join([ONE, ONE, line(2, type="INTEREST"), line(3, channel="POS", type="POS")]), 0)
    assert "1 transactions were left out: customer, account and event_id had come before" in said
    assert "2 transactions have an unknown type and count as other; known are other, deposit" in said
    assert "1 transactions have an unknown channel and count as other; known are other, counter" in said


@pytest.mark.parametrize(("until", "status"), [("2026-01-06", 0), ("2026-01-07", 1)])
def test_a_model_is_not_trained_beyond_the_end_of_what_is_known(tmp_path: Path, until: str, status: int) -> None:
    file = tmp_path / "bank.jsonl"
    file.write_bytes(b"\n".join(line(n, occurred_at=AT_MS - n * 86_400_000, customer_id=f"c{n}") for n in range(90)))
    done = tracker("train", file, "--until", until, "--horizon", "10", "--out", tmp_path / "model.json", status=status)
    assert ("--until: the history ends on 2026-01-05" in done.stderr) == (status == 1)
    assert ("Give 2026-01-06 or a day before it" in done.stderr) == (status == 1)
