"""The demo, as a newcomer types it: the real bank gives the same with and without servers, live and in replay."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from commands.demo import DIRECTORY
from learning.simulator import CURRENCY
from streams.ops.settings import GENERAL, variable
from tests.live import ANSWER_SECONDS_MAX, BERKA, ROOT, Bank, Json, OpenBank, outside, tracker, until

DEMO_SECONDS_MAX = 120
ENOUGH_TO_BE_STOPPED = 6_000

pytestmark = pytest.mark.skipif(not (BERKA / "trans.asc").exists(), reason="the Berka data is not beside the project")


class Ended(NamedTuple):
    """One demo: what it printed and the files that it left."""

    status: int
    text: str
    files: Path

    def lines(self, name: str) -> list[Json]:
        return [json.loads(line) for line in (self.files / name).read_text().splitlines()]


class Demo:
    """`tracker demo` under way, in a directory of its own."""

    def __init__(self, stack: ExitStack, directory: Path, environment: dict[str, str], *arguments: str) -> None:
        directory.mkdir()
        self.files = directory / DIRECTORY
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "commands", "demo", *arguments],
                cwd=directory,
                env=environment | {"COLUMNS": "200"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        stack.callback(self._process.kill)

    def stop_once_it_works(self) -> None:
        """Ctrl-C as soon as the worker has its partitions."""
        log = self.files / "worker.log"
        until(lambda: log.exists() and "given partitions" in log.read_text())
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> Ended:
        text, _ = self._process.communicate(timeout=DEMO_SECONDS_MAX)
        return Ended(self._process.returncode, text, self.files)


@pytest.fixture(scope="module")
def berka_bank(open_bank: OpenBank) -> Bank:
    """A real Kafka and a real Redis for the demo."""
    return open_bank(partitions=8, base_currency="CZK", clock="stream", churn_model=GENERAL)


@pytest.fixture(scope="module")
def demos(berka_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Four at the same time: they mostly wait."""
    here = tmp_path_factory.mktemp("demos")
    with ExitStack() as stack:
        alone = outside()
        topic = variable("topic_transactions")  # an alert says which topic its cause is in
        alike = alone | {topic: berka_bank.settings.topic_transactions}
        stopped = Demo(stack, here / "stopped", alone, "--customers", str(ENOUGH_TO_BE_STOPPED))
        running = {
            "small": Demo(stack, here / "small", alone, "--customers", "100"),
            "berka": Demo(stack, here / "berka", alike, "--data", str(BERKA)),
            "berka on servers": Demo(stack, here / "servers", berka_bank.environment(), "--data", str(BERKA)),
        }
        stopped.stop_once_it_works()
        return {"stopped": stopped.ended()} | {name: demo.ended() for name, demo in running.items()}


def test_a_simulated_bank_ends_with_what_was_found(demos: dict[str, Ended]) -> None:
    ended = demos["small"]
    assert ended.status == 0, ended.text
    for told in ("Transactions processed", "Alerts: churn risk, raised", "Alerts: next best offer, raised"):
        assert told in ended.text
    for told in ("Three of the alerts", "transactions/s", "have left were noticed", "Where to look next", CURRENCY):
        assert told in ended.text
    assert "Console: http://127.0.0.1:" in ended.text
    assert "stays open" not in ended.text
    assert len(ended.lines("profiles.jsonl")) == 100
    assert len(ended.lines("alerts.jsonl")) > 100


def test_ctrl_c_ends_with_what_was_found_so_far(demos: dict[str, Ended]) -> None:
    ended = demos["stopped"]
    assert ended.status == 0, ended.text
    assert "Stopped: this is what was found so far" in ended.text, ended.text
    assert "Transactions processed" in ended.text
    assert "Where to look next" in ended.text
    assert len(ended.lines("profiles.jsonl")) <= ENOUGH_TO_BE_STOPPED


@pytest.mark.parametrize("file", ["alerts.jsonl", "profiles.jsonl"])
def test_a_real_bank_is_the_same_with_and_without_servers(demos: dict[str, Ended], file: str) -> None:
    without, on_servers = demos["berka"], demos["berka on servers"]
    assert (without.status, on_servers.status) == (0, 0), without.text + on_servers.text
    assert (without.files / file).read_bytes() == (on_servers.files / file).read_bytes()
    assert len(without.lines(file)) > 1_000


def test_replay_is_the_same_as_the_live_run(demos: dict[str, Ended], berka_bank: Bank, tmp_path: Path) -> None:
    live, bank = demos["berka on servers"], tmp_path / "berka.jsonl"
    alerts, profiles = tmp_path / "alerts.jsonl", tmp_path / "profiles.jsonl"
    tracker("convert", "berka", BERKA, "-o", bank)
    environment = outside() | {variable("base_currency"): "CZK"}
    tracker("replay", bank, "--alerts", alerts, "--profiles", profiles, environment=environment)
    assert profiles.read_bytes() == (live.files / "profiles.jsonl").read_bytes()
    replayed = [_placeless(alert) for line in alerts.read_text().splitlines() if _is_churn(alert := json.loads(line))]
    published = [_placeless(alert) for alert in live.lines("alerts.jsonl") if _is_churn(alert)]
    assert len(published) > 40
    assert sorted(replayed, key=_identity) == sorted(published, key=_identity)


def test_every_figure_of_the_live_run_can_be_recomputed(demos: dict[str, Ended], berka_bank: Bank) -> None:
    assert demos["berka on servers"].status == 0
    summary = berka_bank.verified()
    assert (summary["differences"], summary["events"]) == (0, 49_102)
    assert summary["customers"] == len(demos["berka"].lines("profiles.jsonl"))


def _is_churn(alert: Json) -> bool:
    """What is offered may differ: each partition learns from its own customers what they take."""
    return bool(alert["kind"] == "churn_risk")


def _identity(alert: Json) -> str:
    return str(alert["alert_id"])


def _placeless(alert: Json) -> Json:
    """Without partition and offset: a file has neither."""
    cause = {name: value for name, value in alert["cause"].items() if name not in ("partition", "offset")}
    return alert | {"cause": cause | {"topic": ""}}


def test_on_a_terminal_the_console_stays_until_ctrl_c(tmp_path: Path) -> None:
    """The demo's output goes to a terminal of the test's own; the report does not end it, Ctrl-C does."""
    terminal, its_side = os.openpty()
    environment = {name: value for name, value in outside().items() if name not in ("CI", "DISPLAY", "WAYLAND_DISPLAY")}
    said = bytearray()

    def reads() -> bool:
        if select.select([terminal], [], [], 0)[0]:
            with suppress(OSError):  # nobody has the other side open any more
                said.extend(os.read(terminal, 65_536))
        return b"stays open" in said

    with subprocess.Popen(
        [sys.executable, "-m", "commands", "demo", "--customers", "20"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=its_side,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as demo:
        os.close(its_side)
        try:
            until(reads, DEMO_SECONDS_MAX)
            text = said.decode()
            address = re.search(r"http://127\.0\.0\.1:\d+", text)
            assert address
            assert "Transactions processed" in text
            with urllib.request.urlopen(f"{address[0]}/api/v1/alerts?limit=1", timeout=ANSWER_SECONDS_MAX) as answer:
                assert len(json.load(answer)["alerts"]) == 1
            demo.send_signal(signal.SIGINT)
            until(lambda: reads() and demo.poll() is not None)
            assert demo.returncode == 0
            with pytest.raises(urllib.error.URLError):
                urllib.request.urlopen(address[0], timeout=ANSWER_SECONDS_MAX)
        finally:
            demo.kill()
            os.close(terminal)
