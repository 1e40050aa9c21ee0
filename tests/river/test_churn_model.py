"""A live run with a churn model, and one with a challenger beside it, say byte for byte what a replay says."""

import json
from collections import Counter
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from commands.offers import SHIPPED
from handlers.churn.challenger import BANDS
from handlers.churn.model import dumps
from tests.live import Bank, OpenBank, tracker, until
from tests.models import by_hand

CUSTOMERS, DAYS, SEED = 60, 150, 4


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated bank, some of whose customers leave."""
    file = tmp_path_factory.mktemp("churn") / "feed.jsonl"
    tracker("simulate", "--customers", CUSTOMERS, "--days", DAYS, "--seed", SEED, "-o", file)
    return file


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The settings that name the two files."""
    place = tmp_path_factory.mktemp("models")
    found = {"churn_model": by_hand(-9.0, 4.0), "churn_challenger": by_hand(-7.0, 3.5)}
    for setting, model in found.items():
        (place / f"{setting}.json").write_bytes(dumps(model))
    return {setting: place / f"{setting}.json" for setting in found}


def replayed(bank: Bank, feed: Path, place: Path, *options: object) -> list[str]:
    """The alerts of a replay with the bank's settings, a line each."""
    alerts = place / f"{bank.settings.group_id}.jsonl"
    bank.command("replay", feed, "--alerts", alerts, "--profiles", place / "profiles", *options)
    return alerts.read_text().splitlines()


def test_live_and_replay_say_the_same_with_a_model_and_with_a_challenger(
    open_bank: OpenBank, feed: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    alone = open_bank(partitions=1, poll_records_max=37, clock="stream", churn_model=models["churn_model"])
    beside = open_bank(partitions=1, poll_records_max=500, clock="stream", **models)
    with ExitStack() as stack:
        for bank in (alone, beside):
            bank.command("offers", "publish", SHIPPED)
            bank.publish(feed)
        workers = {bank: stack.enter_context(bank.worker()) for bank in (alone, beside)}
        for bank, worker in workers.items():
            worker.until(bank.at_rest)
        looks = tmp_path / "looks.jsonl"
        expected = {alone: replayed(alone, feed, tmp_path), beside: replayed(beside, feed, tmp_path, "--looks", looks)}
        met = Counter(tuple(json.loads(line)["bands"]) for line in looks.read_text().splitlines())
        assert len(met) > 3

        def counted(champion: str, challenger: str) -> float:
            series = f'tracker_churn_looks_total{{challenger="{challenger}",champion="{champion}"}}'
            return workers[beside].metric(series)

        until(lambda: all(counted(*bands) == met[bands] for bands in product(BANDS, BANDS)))
    for bank, alerts in expected.items():
        live = bank.command("alerts", "--json").stdout.splitlines()
        assert live == alerts
        churn = Counter(alert["status"] for alert in map(json.loads, live) if alert["kind"] == "churn_risk")
        assert churn["raised"] > 10
        assert churn["retracted"] > 5
    told = [[line.replace(bank.settings.topic_transactions, "") for line in expected[bank]] for bank in expected]
    assert told[0] == told[1]


def test_a_model_learns_from_the_topic_what_it_learns_from_the_file(
    open_bank: OpenBank, feed: Path, tmp_path: Path
) -> None:
    bank = open_bank(partitions=3, clock="stream")
    bank.publish(feed)
    learned = {}
    for place, files in {"topic": [], "file": [feed]}.items():
        model = tmp_path / f"{place}.json"
        bank.command("train", *files, "--until", "2025-05-01", "--horizon", 14, "--out", model)
        training = json.loads(model.read_bytes())["training"]
        learned[place] = {name: training[name] for name in ("events", "customers", "rows", "cutoffs", "silent_share")}
    assert learned["topic"] == learned["file"]
    assert learned["topic"]["events"] > 1_000
