"""`tracker demo`: the whole program on one screen, with no server needed."""

import os
import signal
import sys
import time
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import orjson
import typer

from commands.console import Bar, Failure, err, out, progress
from commands.demo_report import Findings, report, save
from commands.embedded import EmbeddedBroker, EmbeddedError, EmbeddedRedis, TiedProcess
from commands.kafka import Ends, consumer, ends, from_the_start, partitions, to_the_end
from commands.offers import SHIPPED, catalogue, publish_offers
from commands.publish import Feed
from commands.state import store
from commands.topics import make_topics, wanted_topics
from learning import berka, simulator
from learning.fields import RowError
from streams.ops.settings import Settings, load_settings, variable

DAYS = 120
SEED = 1
DIRECTORY = Path("var/demo")

SLICE_BYTES = 512 * 1024
SLICES_AHEAD = 6
"""The embedded broker forgets what is more than 5 MiB behind in a partition: even if all of it were one partition's,
and nothing could be compressed, this far ahead nothing is lost."""

WORKER_SECONDS_MAX = 120.0
CONSOLE_SECONDS_MAX = 60.0


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Directory of the Berka bank (trans.asc, disp.asc), instead of a simulated one.")
    ] = None,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the simulated bank.")] = 1_000,
) -> None:
    """Run a bank through the tracker and show what it finds; Ctrl-C shows what it has found so far.

    Starts a broker and a Redis of its own, or uses TRACKER_KAFKA_BOOTSTRAP_SERVERS and TRACKER_REDIS_URL where they are
    set, which must then hold nothing yet.
    """
    source = Source.simulated(customers) if data is None else Source.of_berka(data)
    with ExitStack() as stack:
        try:
            stage = Stage(stack, source.currency)
            stage.start_worker()
            stage.start_console()
        except EmbeddedError as error:
            raise Failure(str(error)) from error
        findings = Findings(source.currency, source.truth, embedded=stage.embedded)
        try:
            stage.run(source, findings)
        except KeyboardInterrupt:
            err.print("\n[yellow]Stopped: this is what was found so far[/]")
        except EmbeddedError as error:
            raise Failure(f"The worker did not get to the end; {stage.log} says why\n{error}") from error
        stage.collect(findings)
        save(findings, DIRECTORY)
        report(findings, DIRECTORY)
        stage.stay()


@dataclass(frozen=True)
class Source:
    """The transactions as lines, their currency, and, for a simulated bank, the truth about its customers."""

    what: str
    currency: str
    lines: list[bytes]
    truth: list[simulator.Truth] = field(default_factory=list)

    @classmethod
    def simulated(cls, customers: int) -> "Source":
        """A made-up bank."""
        what = f"{customers:,} simulated customers over {DAYS} days"
        with progress("making up a bank", None) as bar:
            lines = list(_lines(simulator.simulate(customers, DAYS, SEED), bar))
        return cls(what, simulator.CURRENCY, lines, list(simulator.ground_truth(customers, DAYS, SEED)))

    @classmethod
    def of_berka(cls, directory: Path) -> "Source":
        """A real one. Raises Failure, OSError."""
        try:
            with progress("reading the bank", None) as bar:
                return cls(f"the bank in {directory}", berka.CURRENCY, list(_lines(berka.transactions(directory), bar)))
        except RowError as error:
            raise Failure(str(error)) from error


class Stage:
    """The servers, the topics and the worker, for as long as `stack` is open."""

    def __init__(self, stack: ExitStack, currency: str) -> None:
        """Raises SettingsError, Failure where topics or keys hold anything, EmbeddedError."""
        given = load_settings()
        changes: dict[str, Any] = {"clock": "stream", "base_currency": currency, "web_port": 0}
        self.embedded = given.kafka_bootstrap_servers is None
        broker: EmbeddedBroker | None = None
        if given.kafka_bootstrap_servers is None:
            broker = stack.enter_context(EmbeddedBroker())
            changes["kafka_bootstrap_servers"] = broker.bootstrap_servers
        if "serve_port" not in given.model_fields_set:
            changes["serve_port"] = 0
        if given.redis_url is None:
            changes["redis_url"] = stack.enter_context(EmbeddedRedis()).url
        self._stack = stack
        self._changes = changes
        self._stopped = False
        signal.signal(signal.SIGINT, self._stop)
        self.settings = Settings(**changes)
        self.state = store(self.settings)
        self._require_empty(broker)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        self.log = DIRECTORY / "worker.log"
        self._console_log = DIRECTORY / "console.log"
        publish_offers(self.settings, catalogue(SHIPPED))

    def start_worker(self) -> None:
        """The worker is a process of its own, as in a bank."""
        self._worker = TiedProcess(self._command("worker"), self.log)
        self._stack.callback(self._worker.stop)

    def start_console(self) -> None:
        """A process of its own, too; on a terminal a browser opens where there is one."""
        self._console = TiedProcess(self._command("serve", web_port=0), self._console_log)
        self._stack.callback(self._console.stop)
        with progress("starting the console", None):
            self._console.wait_until(lambda: self._console_address() is not None, CONSOLE_SECONDS_MAX)
        address = self._console_address() or ""
        out.print(f"[bold]Console[/]: {address}")
        if stays() and (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
            webbrowser.open(address)

    def stay(self) -> None:
        """Keeps everything running on a terminal, until Ctrl-C."""
        if not stays() or self._stopped:
            return
        out.print(f"\n[bold]The console stays open[/] at {self._console_address()} until Ctrl-C")
        with suppress(KeyboardInterrupt):
            Event().wait()

    def run(self, source: Source, findings: Findings) -> None:
        """Feeds the lines and returns when all of them are processed. Raises EmbeddedError if the worker ends."""
        out.print(f"[bold]Customer tracker[/]: {source.what}, {len(source.lines):,} transactions")
        feed = Feed(self.settings)
        with progress("waiting for the worker", None) as bar:
            self._worker.wait_until(self._ready, WORKER_SECONDS_MAX)
        findings.started = time.monotonic()
        with progress("processing", len(source.lines)) as bar:
            behind: list[int] = []
            for number in _slices(source.lines, feed):
                findings.sent = number
                behind.append(number)
                if len(behind) > SLICES_AHEAD:
                    self._wait_for(behind.pop(0), bar, findings)
            findings.sent = feed.sent
            feed.end()
            high = sum(end.high for end in self._ends().values())
            self._wait_for(high, bar, findings)
        findings.seconds = time.monotonic() - findings.started
        with progress("publishing the last alerts", None):
            self._worker.wait_until(self._published, WORKER_SECONDS_MAX)

    def collect(self, findings: Findings) -> None:
        """Reads what the run has left: alerts from their topic, customers from Redis."""
        findings.events = min(self._processed(), findings.sent)
        reader = consumer(self.settings)
        try:
            topic = self.settings.topic_alerts
            for message in to_the_end(reader, topic, from_the_start(partitions(reader, topic))):
                findings.alerts.append(message.value() or b"")
        finally:
            reader.close()
        for number in range(self.settings.partitions):
            position = self.state.read(number)
            if position is not None:
                findings.clock = max(findings.clock, position.clock)
                ids = self.state.customers(number)
                findings.rows.update(
                    (customer, row) for customer, row in zip(ids, self.state.load(number, ids), strict=True) if row
                )

    def _command(self, name: str, **more: object) -> list[str]:
        """A command of the program. It is told what differs from our own settings."""
        settings_given = [f"{variable(setting)}={value}" for setting, value in (self._changes | more).items()]
        return ["env", *settings_given, sys.executable, "-m", "commands", name]

    def _console_address(self) -> str | None:
        lines = self._console_log.read_text("utf-8", "replace").splitlines() if self._console_log.exists() else []
        return next((line.split()[1] for line in lines if line.startswith("ready http")), None)

    def _require_empty(self, broker: EmbeddedBroker | None) -> None:
        settings = self.settings
        if broker is not None:
            for wanted in wanted_topics(settings):
                broker.create_topic(wanted.name, wanted.partitions)
        elif any(differing := {name: lines for name, lines in make_topics(settings).items() if lines}):
            raise Failure("\n".join(f"Topic {name}: {'; '.join(lines or [])}" for name, lines in differing.items()))
        else:
            for topic in (settings.topic_transactions, settings.topic_alerts):
                if any(end.high > 0 for end in self._ends(topic).values()):
                    raise Failure(
                        f"The topic {topic} has held records before, and the demo would mix with them; use a Kafka of"
                        " its own, or give it other names: TRACKER_TOPIC_TRANSACTIONS, TRACKER_TOPIC_ALERTS,"
                        " TRACKER_TOPIC_DEAD_LETTERS, TRACKER_TOPIC_OFFERS, TRACKER_GROUP_ID"
                    )
        if any(self.state.read(number) is not None for number in range(settings.partitions)):
            raise Failure(
                "This Redis holds a tracker's state already, and the demo would mix with it; use another database, for"
                " example with /1 at the end of TRACKER_REDIS_URL"
            )

    def _ends(self, topic: str | None = None) -> dict[int, Ends]:
        topic = topic or self.settings.topic_transactions
        reader = consumer(self.settings)
        try:
            return {number: ends(reader, topic, number) for number in partitions(reader, topic)}
        finally:
            reader.close()

    def _stop(self, *_: object) -> None:
        """Ctrl-C. It is remembered: what is raised while a destructor or a callback runs may be lost there."""
        self._stopped = True
        raise KeyboardInterrupt

    def _wait_for(self, number: int, bar: Bar, findings: Findings) -> None:
        def reached() -> bool:
            if self._stopped:
                raise KeyboardInterrupt
            done = self._processed()
            bar.at(done)
            return done >= number

        self._worker.wait_until(reached, WORKER_SECONDS_MAX)

    def _processed(self) -> int:
        stands = (self.state.read(number) for number in range(self.settings.partitions))
        return sum(position.offset for position in stands if position is not None)

    def _ready(self) -> bool:
        return all(self.state.read(number) is not None for number in range(self.settings.partitions))

    def _published(self) -> bool:
        return all(self.state.depths(number)[1] == 0 for number in range(self.settings.partitions))


def stays() -> bool:
    """Whether somebody is there to look: nobody is where output goes to a file, nor in CI."""
    return sys.stdout.isatty() and os.environ.get("CI") != "true"


def _lines(rows: Iterable[object], bar: Bar) -> Iterator[bytes]:
    for number, row in enumerate(rows, 1):
        if number % 1_000 == 0:
            bar.at(number)
        yield orjson.dumps(row)


def _slices(lines: list[bytes], feed: Feed) -> Iterator[int]:
    """Sends slice after slice; yields how many lines have been sent after each."""
    size = 0
    for line in lines:
        feed.send(line)
        size += len(line)
        if size >= SLICE_BYTES:
            size = 0
            yield feed.sent
