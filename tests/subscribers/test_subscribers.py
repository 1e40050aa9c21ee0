"""The programs in docs/subscribers.md read what a worker publishes: each alert that was committed, once, in order.

Each runs where its language is. Packages come as they are locked beside this file, into var/subscribers.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from commands.examples import EXAMPLES
from schemas.alert import Alert, cloud_event_headers
from streams.broker.transactions import produce, producer_config
from streams.ops.settings import Settings
from streams.store.port import Outgoing
from tests.live import ROOT
from tests.servers import Kafka, fresh_name

HERE = Path(__file__).parent
PAGE = (ROOT / "docs" / "subscribers.md").read_text("utf-8")
INSTALL_SECONDS_MAX = 280
LANGUAGES = {"python": None, "java": "java", "js": "npm", "go": "go"}
"""By the mark of its block in the page, the tool that it needs."""


@pytest.fixture(scope="module")
def topic(kafka: Kafka) -> str:
    """Two alerts in transactions that were committed, one between them in a transaction that was aborted."""
    name = fresh_name("alerts")
    kafka.create_topics({name: 1})
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers, topic_alerts=name, group_id=name)
    producer = Producer(producer_config(settings, lambda error: None))
    producer.init_transactions(30)
    first, second = _alerts()
    for alert, kept in ((first, True), (first, False), (second, True)):
        producer.begin_transaction()
        value = msgspec.json.encode(alert)
        produce(producer, Outgoing(name, alert.customer_id.encode(), value, cloud_event_headers(alert)))
        producer.flush(30)
        (producer.commit_transaction if kept else producer.abort_transaction)(30)
    return name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subscriber_reads_each_committed_alert_once_and_in_order(
    kafka: Kafka, topic: str, language: str, tmp_path: Path
) -> None:
    tool = LANGUAGES[language]
    if tool is not None and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on this machine")
    (program,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    command = _command(language, program, tmp_path)
    environment = os.environ | {"KAFKA": kafka.bootstrap_servers, "TOPIC": topic}
    wanted = [f"{alert.alert_id} {dict(cloud_event_headers(alert))['ce_type'].decode()} C-1001" for alert in _alerts()]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert list(_lines(running, len(wanted))) == wanted
        finally:
            running.kill()


def _alerts() -> tuple[Alert, Alert]:
    first, second = EXAMPLES["alert"]
    assert isinstance(first, Alert)
    assert isinstance(second, Alert)
    return first, second


def _lines(running: subprocess.Popen[str], count: int) -> Iterator[str]:
    """Its first lines that speak of an alert; pytest's own timeout bounds the wait."""
    assert running.stdout is not None
    for line in running.stdout:
        if " customer-tracker." in line:
            yield line.strip()
            count -= 1
        if not count:
            return


def _command(language: str, program: str, folder: Path) -> list[str]:
    packages = ROOT / "var" / "subscribers" / language
    match language:
        case "python":
            (folder / "subscriber.py").write_text(program)
            return [sys.executable, "subscriber.py"]
        case "java":
            (folder / "Subscriber.java").write_text(program)
            (jars,) = (ROOT / "var" / "kafka").glob("jars-*")
            return ["java", "-cp", f"{jars}/*", "Subscriber.java"]
        case "js":
            if not (packages / "node_modules").is_dir():
                shutil.copytree(HERE / "node", packages, dirs_exist_ok=True)
                _install(["npm", "ci", "--silent", "--ignore-scripts"], packages)
            (packages / "subscriber.js").write_text(program)
            return ["node", str(packages / "subscriber.js")]
        case _:
            shutil.copytree(HERE / "go", packages, dirs_exist_ok=True)
            (packages / "main.go").write_text(program)
            _install(["go", "build", "-o", "subscriber", "."], packages)
            return [str(packages / "subscriber")]


def _install(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False)
    if done.returncode:
        reason = f"{command[0]} could not bring what the program needs: {done.stderr.strip()[-300:]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
