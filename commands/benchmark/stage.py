"""What every measurement runs on: topics, keys and workers of the bench's own, taken away at the end."""

import os
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psutil
import redis
from confluent_kafka import KafkaException
from prometheus_client.parser import text_string_to_metric_families

from commands.benchmark.servers import Cpu, cpu_seconds, listening_process, machine_seconds, redis_cpu_seconds
from commands.benchmark.workload import CATALOGUE
from commands.console import Failure
from commands.embedded import EmbeddedError, TiedProcess
from commands.kafka import ANSWER_SECONDS_MAX, admin
from commands.offers import publish_offers
from commands.state import store
from commands.topics import make_topics, wanted_topics
from handlers.intake.inputs import INPUTS
from streams.broker.topics import faust_id
from streams.ops.settings import Settings, load_settings, variable
from streams.store.redis_store import RedisStore, redis_client

READY_SECONDS_MAX = 120.0
STALLED_SECONDS_MAX = 120.0
"""Without any progress for that long, a measurement is given up."""

_DELETE_BATCH = 1_000


class Worker:
    """One `tracker worker` process."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.started = time.monotonic()
        self._process = TiedProcess([sys.executable, "-m", "commands", "worker"], log)
        self.pid = self._process.pid
        self._seen = psutil.Process(self.pid)

    def wait_ready(self) -> None:
        """Until it has said where it listens, has the catalogue and partitions, and is caught up. Raises Failure."""
        self.wait_until(lambda: self._page("/readyz") is not None, READY_SECONDS_MAX)

    def wait_until(self, met: Callable[[], bool], seconds_max: float) -> None:
        """Raises Failure if the worker ends before, or time is out."""
        try:
            self._process.wait_until(met, seconds_max)
        except EmbeddedError as error:
            raise Failure(f"A worker of the bench did not do its work: {error}") from error

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        return cpu_seconds(self._seen)

    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._seen.memory_info().rss)

    def samples(self) -> dict[tuple[str, str], float]:
        """The samples of /metrics by name and first label's value (empty without labels), summed over the others."""
        values: dict[tuple[str, str], float] = {}
        for family in text_string_to_metric_families(self._page("/metrics") or ""):
            for sample in family.samples:
                key = sample.name, next(iter(sample.labels.values()), "")
                values[key] = values.get(key, 0.0) + sample.value
        return values

    def hold(self) -> None:
        """Stops the process in its tracks, until `go_on`."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Continues."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as a crash does."""
        os.kill(self.pid, signal.SIGKILL)
        self._seen.wait(READY_SECONDS_MAX)

    def stop(self) -> None:
        """Ends it in order; one that has ended already stays so."""
        self._process.stop()

    def _page(self, path: str) -> str | None:
        """A page of the worker's web server, None where there is none yet or the answer isn't 200."""
        said = re.search(r"^ready (http://\S+)$", self.log.read_text("utf-8", "replace"), re.MULTILINE)
        if said is None:
            return None
        with suppress(OSError), urllib.request.urlopen(said[1] + path, timeout=ANSWER_SECONDS_MAX) as answer:
            return str(answer.read().decode())
        return None


class Stage:
    """Topics, a group and a key space that nobody else uses, from `with` to its end.

    Raises Failure where Redis holds a tracker's state in one of the partitions, KafkaException, redis.RedisError.
    """

    def __init__(self, kafka: str, redis_url: str, partitions: int) -> None:
        name = f"tracker-bench-{uuid4().hex[:8]}"
        changes: dict[str, Any] = {
            "kafka_bootstrap_servers": kafka,
            "redis_url": redis_url,
            "partitions": partitions,
            "group_id": name,
            **{topic.setting: f"{name}-{topic.name.replace('_', '-')}" for topic in INPUTS},
            "topic_alerts": f"{name}-alerts",
            "topic_dead_letters": f"{name}-dead-letters",
            "topic_offers": f"{name}-offers",
            "topic_audit": f"{name}-audit",
            "topic_webhook_letters": f"{name}-webhook-dlq",
            "base_currency": "EUR",
            "clock": "stream",
            "web_port": 0,
        }
        # Workers inherit it: an address may hold a password, which has no place on a command line.
        os.environ.update({variable(setting): str(value) for setting, value in changes.items()})
        self.settings: Settings = load_settings()
        self.partitions = partitions
        self.client = redis_client(redis_url, timeout_seconds=60.0)
        self.state: RedisStore = store(self.settings)
        self._broker = listening_process(kafka.split(",")[0])
        self._admin = admin(self.settings)
        self._workers: list[Worker] = []
        self._undo = ExitStack()

    def start_worker(self, name: str | None = None) -> Worker:
        """One more worker, not waited for, of that name in its group (TRACKER_INSTANCE_ID)."""
        named = variable("instance_id")
        os.environ.pop(named, None)
        if name is not None:
            os.environ[named] = name
        worker = Worker(self._folder / f"worker-{len(self._workers)}.log")
        self._undo.callback(worker.stop)
        self._workers.append(worker)
        return worker

    def cpu(self, workers: list[Worker]) -> Cpu:
        """Processor time so far of those workers, of Redis, and of the broker if it's on this machine."""
        broker = None if self._broker is None else cpu_seconds(self._broker)
        theirs = sum(worker.cpu_seconds() for worker in workers)
        return Cpu(theirs, redis_cpu_seconds(self.client), broker, time.process_time(), machine_seconds())

    def processed(self) -> int:
        """Records up to which the partitions stand in Redis, committed: one round trip."""
        pipe = self.client.pipeline(transaction=False)
        for number in range(self.partitions):
            pipe.hget(f"{{{number}}}:pos", "offset")
        return sum(int(offset or 0) for offset in pipe.execute())

    def rest(self) -> None:
        """Returns when nothing waits to be published. Raises Failure."""
        deadline = time.monotonic() + STALLED_SECONDS_MAX
        while any(self.state.depths(number)[1] for number in range(self.partitions)):
            if time.monotonic() > deadline:
                raise Failure(f"After {STALLED_SECONDS_MAX:g} s at rest alerts still wait to be published")
            time.sleep(0.05)

    def progress(self, records: int, every: float = 0.01) -> Iterator[tuple[float, int]]:
        """Yields (time.monotonic(), records processed) at each move, until there are so many.

        Looks `every` so many seconds. Raises Failure when all stands still.
        """
        moved, before = time.monotonic(), -1
        while True:
            done, now = self.processed(), time.monotonic()
            if done != before:
                moved, before = now, done
                yield now, done
            if done >= records:
                return
            if now - moved > STALLED_SECONDS_MAX:
                raise Failure(f"The workers stand still at {done:,} of {records:,} records")
            time.sleep(every)

    def guarantees(self) -> dict[str, object]:
        """What holds during every measurement, as far as the servers say."""
        said = self.client.info("persistence")
        with suppress(redis.ResponseError):  # managed servers do not tell
            said["appendfsync"] = self.client.config_get("appendfsync").get("appendfsync")
        return {
            "delivery": "exactly once to read_committed subscribers",
            "commit": "one fenced Redis call a partition and batch: rows, due times, outbox, offset",
            "publish": "Kafka transactions, acks=all, idempotent",
            "redis_append_only_file": bool(said["aof_enabled"]),
            "redis_appendfsync": said.get("appendfsync"),
            "kafka_replication_factor": self.settings.replication_factor,
        }

    def __enter__(self) -> Self:
        with self._undo as undo:
            self._folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="tracker-bench-")))
            self._require_free()
            undo.callback(self._delete_keys)
            undo.callback(self._delete_topics)
            make_topics(self.settings)
            publish_offers(self.settings, CATALOGUE)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, Failure):  # the logs are about to go
            for worker in self._workers:
                error.add_note(worker.log.read_text("utf-8", "replace")[-2_000:])
        self._undo.close()

    def _require_free(self) -> None:
        for number in range(self.partitions):
            if self.client.exists(*(f"{{{number}}}:{key}" for key in ("pos", "due", "outbox"))):
                raise Failure(
                    f"This Redis holds a tracker's state in partition {number}, and the bench would mix with it;"
                    " use another database, for example with /1 at the end of the address"
                )

    def _delete_keys(self) -> None:
        """Only keys of the bench's partitions, which held nothing before."""
        ours = re.compile(rb"\{(\d+)\}:(pos|due|outbox|c:|seen:)")
        batch: list[bytes] = []
        for key in self.client.scan_iter(match="{*}:*", count=_DELETE_BATCH):
            match = ours.match(key)
            if match and int(match[1]) < self.partitions:
                batch.append(key)
            if len(batch) == _DELETE_BATCH:
                self.client.unlink(*batch)
                batch = []
        if batch:
            self.client.unlink(*batch)

    def _delete_topics(self) -> None:
        names = [topic.name for topic in wanted_topics(self.settings)]
        groups = [self.settings.group_id, faust_id(self.settings)]
        for future in self._admin.delete_topics(names, operation_timeout=ANSWER_SECONDS_MAX).values():
            with suppress(KafkaException):  # one that could not be made
                future.result()
        for future in self._admin.delete_consumer_groups(groups, request_timeout=ANSWER_SECONDS_MAX).values():
            with suppress(KafkaException):  # still has a member that was killed, or was never joined
                future.result()
