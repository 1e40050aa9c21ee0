"""The commands that need no server, and how each tells what is wrong or missing."""

import gzip
import json
from pathlib import Path

import pytest

from commands.embedded import free_port
from commands.offers import SHIPPED, catalogue
from handlers.churn.model import dumps
from streams.ops.settings import variable
from tests.live import BERKA, outside, tracker
from tests.models import by_hand

COMMANDS = (
    "demo", "worker", "topics", "topics create", "offers", "offers check", "offers publish", "offers switch",
    "customer", "alerts", "publish", "convert", "convert berka", "convert cdnow", "simulate", "verify", "replay",
    "dead-letters", "dead-letters list", "dead-letters replay", "documents", "settings",
    "webhooks", "webhooks run", "webhooks check", "webhooks secret", "webhooks replay",
)  # fmt: skip
CDNOW = BERKA.parent / "cdnow" / "CDNOW_sample.txt"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does(command: str) -> None:
    said = tracker(*command.split(), "--help").stdout
    assert f"Usage: tracker {command} " in said
    assert len(said.splitlines()) > 5


def test_help_names_every_command() -> None:
    said = tracker("--help").stdout
    for command in COMMANDS:
        assert command.split()[0] in said


def test_all_mistakes_in_the_settings_are_told_at_once() -> None:
    wrong = {
        variable("kafka_bootstrap_servers"): "nowhere",
        variable("partitions"): "0",
        variable("base_currency"): "EURO",
        variable("redis_ulr"): "redis://localhost",
    }
    said = tracker("worker", status=2, environment=outside() | wrong).stderr
    for name in wrong:
        assert name in said
    assert f"did you mean {variable('redis_url')}?" in said


def test_settings_shows_what_is_set_and_where_from_and_no_secret(tmp_path: Path) -> None:
    config, secret = tmp_path / "tracker.toml", tmp_path / "secret"
    config.write_text("partitions = 3\n")
    secret.write_text("hidden\n")
    given = outside() | {
        "TRACKER_CONFIG": str(config),
        "TRACKER_CONTROL_KEY_FILE": str(secret),
        "TRACKER_REDIS_URL": "redis://user:hidden@somewhere:6379/0",
        "TRACKER_CLOCK": "stream",
    }
    done = tracker("settings", environment=given)
    assert "TRACKER_PARTITIONS: 3  (from TRACKER_CONFIG)" in done.stdout
    assert "TRACKER_CLOCK: stream  (from environment)" in done.stdout
    assert "TRACKER_BASE_CURRENCY: EUR  (from default)" in done.stdout
    assert "TRACKER_INSTANCE_ID: not set" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    shown = json.loads(tracker("settings", "--json", environment=given).stdout)
    assert shown["TRACKER_REDIS_URL"] == {"value": "set, not shown", "from": "environment"}
    assert shown["TRACKER_CONTROL_KEY"] == {"value": "set, not shown", "from": "file"}
    assert shown["TRACKER_PARTITIONS"] == {"value": 3, "from": "TRACKER_CONFIG"}


@pytest.mark.parametrize("command", ["worker", "verify"])
def test_settings_that_a_command_cannot_do_without_are_named(command: str) -> None:
    said = tracker(command, status=2).stderr
    assert variable("kafka_bootstrap_servers") in said
    assert variable("redis_url") in said


def test_servers_that_are_not_there_are_told_in_a_line() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    kafka = outside() | {variable("kafka_bootstrap_servers"): nowhere}
    said = tracker("alerts", status=1, environment=kafka).stderr.strip()
    assert said.startswith("Kafka: ")
    assert variable("kafka_bootstrap_servers") in said
    redis = outside() | {variable("redis_url"): f"redis://{nowhere}/0"}
    said = tracker("customer", "c", status=1, environment=redis).stderr.strip()
    assert said.startswith("Redis: Redis cannot be reached")
    assert "\n" not in said


@pytest.mark.skipif(not CDNOW.exists(), reason="the CDNOW data is not beside the project")
def test_cdnow_becomes_purchases_in_dollars(tmp_path: Path) -> None:
    file = tmp_path / "cdnow.jsonl.gz"
    assert "lines written" in tracker("convert", "cdnow", CDNOW, "-o", file).stderr
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len({line["customer_id"] for line in lines}) == 2_357
    assert {(line["type"], line["currency"]) for line in lines} == {("purchase", "USD")}


def test_a_directory_that_holds_no_bank_is_told(tmp_path: Path) -> None:
    said = tracker("convert", "berka", tmp_path, "-o", tmp_path / "out.jsonl", status=1).stderr
    assert "disp.asc" in said or "trans.asc" in said


def test_a_simulated_bank_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.gz", "same.gz", "other.gz")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        tracker("simulate", "-o", file, "--customers", 5, "--days", 30, "--seed", seed, "--truth", tmp_path / "truth")
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other
    assert len((tmp_path / "truth").read_text().splitlines()) == 5


def test_replay_tells_which_lines_it_refused(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    file.write_text('{"event_id": "1"}\n')
    said = tracker("replay", file, "--alerts", tmp_path / "a", "--profiles", tmp_path / "p", status=1).stdout
    assert "1 records were refused" in said
    assert "1: customer_id is required; the first is line 1" in said


def test_replay_writes_what_model_and_challenger_said(tmp_path: Path) -> None:
    feed, looks = tmp_path / "feed.jsonl", tmp_path / "looks.jsonl"
    tracker("simulate", "--customers", 30, "--days", 90, "--seed", 3, "-o", feed)
    replayed = ("replay", feed, "--alerts", tmp_path / "a", "--profiles", tmp_path / "p", "--looks", looks)
    assert "TRACKER_CHURN_CHALLENGER" in tracker(*replayed, status=1).stderr
    environment = outside()
    for name, model in (("churn_model", by_hand(-9.0, 4.0)), ("churn_challenger", by_hand(-7.0, 4.0))):
        file = tmp_path / f"{name}.json"
        file.write_bytes(dumps(model))
        environment[variable(name)] = str(file)
    said = tracker(*replayed, environment=environment).stdout
    found = [json.loads(line) for line in looks.read_text().splitlines()]
    assert f"{len(found)} silences judged by two models" in said
    assert found[0].keys() == {"customer_id", "at", "champion", "challenger", "bands"}
    assert all(look["champion"] < look["challenger"] for look in found)
    assert len({tuple(look["bands"]) for look in found} - {("low", "low")}) > 1


def test_the_shipped_catalogue_is_right() -> None:
    lines = tracker("offers", "check", SHIPPED, "--json").stdout.splitlines()
    assert [json.loads(line)["offer_id"] for line in lines] == [offer.offer_id for offer in catalogue(SHIPPED).offers]
    assert {"product", "text", "when"} <= json.loads(lines[0]).keys()


def test_every_mistake_in_a_catalogue_is_told(tmp_path: Path) -> None:
    file = tmp_path / "offers.toml"
    file.write_text('[[offer]]\noffer_id = "a b"\n\n[[offer]]\noffer_id = "c"\nwhen = ["never"]\n')
    said = tracker("offers", "check", file, status=1).stderr
    assert len(said.splitlines()) >= 2
    assert all(line.startswith(str(file)) for line in said.splitlines())
