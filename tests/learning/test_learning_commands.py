"""tracker train, backtest and models, as a data scientist types them."""

import gzip
from pathlib import Path

import orjson
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from commands.main import run
from handlers.churn.model import Scorer, loads
from learning.churn_training import Trained
from learning.registry import CHAMPION

DAY, DAYS = "2025-07-01", "30"


def tracker(*arguments: object) -> Result:
    return CliRunner().invoke(run, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> Path:
    """The history as Parquet, and in two compressed halves."""
    place = tmp_path_factory.mktemp("learning")
    rows = [orjson.loads(line) for line in lines]
    names = {name: None for row in rows for name in row}  # pyarrow takes the first row's alone
    rows = [names | row for row in rows]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), place / "bank.parquet")
    for name, part in (("a.jsonl.gz", lines[: len(lines) // 2]), ("b.jsonl.gz", lines[len(lines) // 2 :])):
        with gzip.open(place / name, "wb") as out:
            out.writelines(line + b"\n" for line in part)
    return place


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    file = place / "model.json"
    done = tracker("train", place / "bank.parquet", "--until", DAY, "--horizon", DAYS, "--out", file)
    assert done.exit_code == 0, done.output
    assert "of customers and days not seen: AUC" in done.output
    return file


def test_training_from_parquet_gives_what_json_lines_give(model: Path, trained: Trained) -> None:
    assert loads(model.read_bytes()) == trained.model


def test_backtest_scores_everybody_seen_before_the_split(model: Path, place: Path, trained: Trained) -> None:
    scores, report = place / "scores.csv", place / "report.html"
    options = ("--split", DAY, "--horizon", DAYS, "--predictions", scores, "--report", report)
    done = tracker("backtest", place / "a.jsonl.gz", place / "b.jsonl.gz", *options, "--model", model)
    assert done.exit_code == 0, done.output
    heading, *rows = scores.read_text().splitlines()
    assert heading == "customer_id,score"
    assert len(rows) == len(trained.last.customer)
    expected = sorted(Scorer(trained.model).scores(trained.last.inputs).tolist())
    assert sorted(float(row.split(",")[1]) for row in rows) == pytest.approx(expected, abs=1e-9)
    assert report.read_text().startswith("<!doctype html>")
    measured = loads(model.read_bytes()).measured
    assert measured is not None
    assert measured.customers == len(rows)


def test_models_are_promoted_listed_and_compared(model: Path, place: Path) -> None:
    directory = place / "models"
    assert "no models in" in tracker("models", "list", "--models", directory).output
    assert tracker("models", "promote", model, "--models", directory).exit_code == 0
    pointer = (directory / CHAMPION).read_text().strip()
    assert (directory / pointer).read_bytes() == model.read_bytes()
    listed = tracker("models", "list", "--models", directory)
    assert "* churn-" in listed.output
    compared = tracker("models", "compare", model, directory / pointer)
    assert compared.exit_code == 0, compared.output
    assert "log_loss" in compared.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("backtest", "a.jsonl.gz", "--split", "2025-03-01", "--horizon", DAYS, "--model", "model.json"),
            "after the split",
        ),
        (("backtest", "a.jsonl.gz", "--split", "2024-01-01", "--horizon", DAYS), "no transaction before 2024-01-01"),
        (("train", "junk.parquet", "--until", DAY, "--horizon", DAYS, "--out", "x.json"), "junk.parquet"),
        (("models", "promote", "junk.parquet"), "is not a churn model"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(place)
    (place / "junk.parquet").write_bytes(b"junk")
    files = ("--predictions", "p.csv", "--report", "r.html") if arguments[0] == "backtest" else ()
    done = tracker(*arguments, *files)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.output
