"""The program as it is run: its commands, and workers as processes of their own, on topics and a Redis of a test's own.

A `Bank` is one environment of TRACKER_* variables; nothing of the program's is replaced.
"""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import NewPartitions, OffsetSpec
from typer.testing import CliRunner, Result

from commands.embedded import TiedProcess
from commands.kafka import admin, consumer, partitions, to_the_end
from commands.main import run as program
from commands.state import store
from streams.broker.topics import topics_read
from streams.ops.settings import OWN_RHYTHM, PREFIX, Settings, variable
from streams.store.redis_store import RedisStore
from tests.servers import fresh_name

ROOT = Path(__file__).resolve().parents[1]
BERKA = ROOT.parent / "shared" / "data" / "berka"
START_SECONDS_MAX = 90
WORK_SECONDS_MAX = 90
ANSWER_SECONDS_MAX = 10
PAUSE_SECONDS = 0.05

Json = dict[str, Any]
OpenBank = Callable[..., "Bank"]
"""Makes a Bank with these settings, its topics made; see conftest.py."""


class Bank:
    """Topics, a consumer group and a Redis, all named by settings in the environment."""

    def __init__(self, bootstrap_servers: str, redis_url: str, logs: Path, **settings: object) -> None:
        name = fresh_name("bank")
        self._logs = logs
        self._values: dict[str, object] = {
            "kafka_bootstrap_servers": bootstrap_servers,
            "redis_url": redis_url,
            "group_id": name,
            "topic_transactions": name,
            "topic_alerts": f"{name}-alerts",
            "topic_dead_letters": f"{name}-dlq",
            "topic_offers": f"{name}-offers",
            "topic_outcomes": f"{name}-outcomes",
            "topic_customer_events": f"{name}-customer-events",
            "topic_audit": f"{name}-audit",
            "topic_webhook_letters": f"{name}-webhook-dlq",
            "session_timeout_ms": 6_000,
            "web_port": 0,
            "churn_model": OWN_RHYTHM,  # it needs a few days only, and these tests are not about who leaves
        } | settings
        self.settings = Settings(**self._values)  # type: ignore[arg-type]
        self.state: RedisStore = store(self.settings)
        self._workers = 0

    def environment(self, **changes: object) -> dict[str, str]:
        """This process's environment with the bank's settings in the place of any others."""
        return outside() | {variable(name): str(value) for name, value in (self._values | changes).items()}

    def command(self, *arguments: object, status: int = 0, **changes: object) -> Result:
        """Runs `tracker` with these arguments in this process, and expects that exit status."""
        return tracker(*arguments, status=status, environment=self.environment(**changes))

    def worker(self, program: str = "commands", **changes: object) -> "Worker":
        """One more worker, of the program that this module is. Use as a context."""
        self._workers += 1
        log = self._logs / f"{self.settings.group_id}-{self._workers}.log"
        return Worker(self.environment(**changes), log, program)

    def publish(self, file: Path, *options: object) -> None:
        """Publishes a file of transactions, heartbeats at its end included."""
        self.command("publish", file, *options)

    def grow(self, partitions: int) -> None:
        """Gives the topics that are read more partitions, as an administrator of Kafka does."""
        grown = [NewPartitions(topic, partitions) for topic in topics_read(self.settings)]
        client = admin(self.settings)
        for done in client.create_partitions(grown).values():
            done.result(ANSWER_SECONDS_MAX)
        self._values["partitions"] = partitions
        self.settings = Settings(**self._values)  # type: ignore[arg-type]

    def alerts(self) -> list[Json]:
        """Every alert in the topic, as a read_committed subscriber sees them."""
        return [json.loads(line) for line in self.command("alerts", "--json").stdout.splitlines()]

    def verified(self, status: int = 0) -> Json:
        """The last line of `tracker verify --json`: how much was compared, and how many differences there are."""
        lines = self.command("verify", "--json", status=status).stdout.splitlines()
        assert status or len(lines) == 1, lines[:5]
        summary: Json = json.loads(lines[-1])
        return summary

    def processed(self) -> int:
        """Records that Redis has, over all partitions; negative while a partition has never been claimed."""
        stands = [self.state.read(number) for number in range(self.settings.partitions)]
        return sum(-1 if position is None else position.offset for position in stands)

    def at_rest(self) -> bool:
        """Everything in the topic is in Redis, everything in the outbox is in Kafka, subscribers can read it, and the
        group has been told."""
        numbers = range(self.settings.partitions)
        stands = {number: position for number in numbers if (position := self.state.read(number)) is not None}
        reader = consumer(self.settings, self.settings.group_id)
        try:
            for at, topic in enumerate(topics_read(self.settings)):
                starts = {number: position.offsets[at] for number, position in stands.items()}
                if len(stands) < len(numbers) or any(to_the_end(reader, topic, starts)):
                    return False
            logs = [TopicPartition(self.settings.topic_transactions, number) for number in numbers]
            told = reader.committed(logs, timeout=ANSWER_SECONDS_MAX)
            alerts = partitions(reader, self.settings.topic_alerts)
        except KafkaException:  # the broker is still finding out who keeps the group
            return False
        finally:
            reader.close()
        all_told = all(
            log.offset >= stands[log.partition].offset and log.metadata == str(stands[log.partition].sequence)
            for log in told
        )
        return all_told and not held_up(self.settings, self.settings.topic_alerts, alerts)


def held_up(settings: Settings, topic: str, numbers: Iterable[int]) -> bool:
    """Whether a transaction that a killed worker has left open, until its time is out, keeps subscribers from what
    comes after it."""
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in numbers}
    client = admin(settings)
    readable, written = (
        {log.partition: answer.result(ANSWER_SECONDS_MAX).offset for log, answer in found.items()}
        for found in (
            client.list_offsets(asked, isolation_level=isolation)
            for isolation in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
        )
    )
    return readable != written


class Answer(NamedTuple):
    """What a page of a worker says. Status 0: nobody answers."""

    status: int
    text: str

    @property
    def said(self) -> Json:
        found: Json = json.loads(self.text)
        return found


class Program(TiedProcess):
    """`tracker` with these words as a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path, *words: str, program: str = "commands") -> None:
        settings = [f"{name}={value}" for name, value in environment.items() if name.startswith(PREFIX)]
        super().__init__(["env", *settings, sys.executable, "-m", program, *words], log)


class Worker(Program):
    """`tracker worker`. Leaving the context kills it, if it still runs."""

    def __init__(self, environment: dict[str, str], log: Path, program: str = "commands") -> None:
        super().__init__(environment, log, "worker", program=program)

    def address(self) -> str:
        """Where its pages are, once they can be asked."""
        self.wait_until(lambda: self._address() is not None, START_SECONDS_MAX)
        found = self._address()
        assert found is not None
        return found

    def get(self, page: str) -> Answer:
        """Asks one of /metrics, /healthz, /readyz."""
        try:
            with urllib.request.urlopen(self.address() + page, timeout=ANSWER_SECONDS_MAX) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())
        except OSError:
            return Answer(0, "")

    def until(self, condition: Callable[[], bool], seconds_max: float = WORK_SECONDS_MAX) -> "Worker":
        """Returns when the condition holds. Raises EmbeddedError if the worker ends before, or time is out."""
        self.wait_until(condition, seconds_max)
        return self

    def until_ready(self) -> "Worker":
        """Returns when it has partitions, the catalogue, and has caught up once."""
        return self.until(lambda: self.get("/readyz").status == 200, START_SECONDS_MAX)

    def metric(self, series: str) -> float:
        """The value of one series, written as in /metrics: tracker_alerts_total{kind="churn_risk",status="raised"}."""
        for line in self.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        raise AssertionError(f"/metrics has no {series}")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it alone."""
        self._process.send_signal(number)

    def end(self, seconds_max: float = 30) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        return self._process.wait(seconds_max)

    def said(self) -> str:
        """Everything that it has printed and logged."""
        return self._log.read_text("utf-8", "replace")

    def _address(self) -> str | None:
        ready = [line for line in self.said().splitlines() if line.startswith("ready http")]
        return ready[0].split()[1] if ready else None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()


def outside() -> dict[str, str]:
    """This process's environment without any setting of the program."""
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}


def tracker(*arguments: object, status: int = 0, environment: dict[str, str] | None = None) -> Result:
    """Runs `tracker` in this process, in an environment of its own; by default with no setting at all."""
    given = outside() if environment is None else environment
    unset = dict.fromkeys(name for name in os.environ if name not in given)
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(program, words, env=unset | given | {"COLUMNS": "200"}, prog_name="tracker")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, f"tracker {' '.join(words)}: {result.exit_code}\n{result.output}"
    return result


def until(condition: Callable[[], bool], seconds_max: float = WORK_SECONDS_MAX) -> None:
    """Returns when the condition holds. Raises TimeoutError."""
    deadline, never = monotonic() + seconds_max, Event()
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError(f"not so after {seconds_max:g} s")
        never.wait(PAUSE_SECONDS)
