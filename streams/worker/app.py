"""The worker: a Faust app that owns the process, and everything built and put together for it."""

import asyncio
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any, cast

import numpy as np
import uvloop
from confluent_kafka import Consumer, KafkaError
from mode import Service
from prometheus_client import CollectorRegistry

from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from streams.broker.assignment import Assignment
from streams.broker.clients import LastWord, bootstrap_servers, is_fatal
from streams.broker.membership import Asking, Membership
from streams.broker.ownership import PolledBatch
from streams.broker.poller import Poller, consumer_config
from streams.broker.preflight import Preflight
from streams.broker.published_scan import PublishedScan
from streams.broker.publisher import Publisher
from streams.broker.side_topics import SIDE_FETCH, SideTopics
from streams.broker.topics import topics_read
from streams.ops.health import Health
from streams.ops.logs import log_to_stderr
from streams.ops.metrics import Metrics
from streams.ops.retry import GaveUp
from streams.ops.settings import Settings, SettingsError
from streams.store.redis_store import RedisStore, redis_routing
from streams.worker.bootstrap import Parts, bootstrap, rules_at_start
from streams.worker.drift_monitor import DriftMonitor
from streams.worker.faust_app import StartOrder, faust_app
from streams.worker.handoff import Handoff
from streams.worker.loop import Loop
from streams.worker.offer_table import OfferTable
from streams.worker.warm_up import compile_all
from streams.worker.web import WorkerWeb, add_pages

_NICENESS = 3
"""Half the weight of Redis and the broker, where they share the machine."""

_AT_A_STRETCH_SECONDS = 0.25
_SWITCH_SECONDS = 0.001
_FREED_BYTES = (32 << 20) - 65_536
"""The largest that glibc learns from."""

_WORK_SECONDS_MAX = 2.0
_PUBLISH_UNTIL_SECONDS = 4.0
_STOP_SECONDS_MAX = 4.5
"""Since a worker was told to stop. What the work leaves of the time is for publishing: a worker told so just after its
start has its producer still to sign on, and all that it has decided still to publish."""
_TROUBLES = {
    KafkaError._ALL_BROKERS_DOWN: "no broker answers",
    KafkaError._AUTHENTICATION: "the brokers refuse the user name or password",
    KafkaError._SSL: "no secure connection",
}

_log = logging.getLogger("tracker.worker")


def run_worker(settings: Settings, intake: TransactionIntake | None = None) -> int:
    """Runs a worker until it is told to stop (SIGTERM, SIGINT: 0) or can't go on (1). `intake` as for `bootstrap`.

    Prints `ready http://host:port` once /healthz, /readyz and /metrics can be asked there. Raises SettingsError.
    """
    bootstrap_servers(settings)
    if settings.redis_url is None:
        raise SettingsError("TRACKER_REDIS_URL is not set; write for example redis://127.0.0.1:6379/0")
    _give_way()
    log_to_stderr()
    rules = rules_at_start(settings)
    # The clients of Kafka repeat each failed attempt; an outage is logged once, where it is noticed.
    for name in ("faust", "mode", "streams", "aiokafka", "tracker.kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL if "kafka" in name else logging.ERROR)
    # No per-event object is part of a cycle, so collecting often finds nothing and stops the loop.
    gc.set_threshold(200_000, 20, 50)
    # Threads hand batches to each other: who is waited for should not wait for another's slice of the interpreter.
    sys.setswitchinterval(_SWITCH_SECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="tracker-faust-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_run(settings, folder, rules, intake))


async def _run(settings: Settings, folder: str, rules: Rules, intake: TransactionIntake | None) -> int:
    worker = Worker(settings, folder, rules, intake)
    await worker.run()
    return worker.code


class Worker:
    """The composition root. Made inside the running event loop; lives for one `run`."""

    def __init__(self, settings: Settings, folder: str, rules: Rules, intake: TransactionIntake | None) -> None:
        self.code = 0
        self._quiet = True
        """No thread has anything under way."""
        self._publish_until = 0.0
        self._started = False
        self._folder = folder
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._health = Health()
        self._executor = ThreadPoolExecutor(1, "work")
        self._app = faust_app(settings, folder)
        self._app.web = WorkerWeb(self._app, settings.web_host, settings.web_port, _say_ready)
        self._membership = Membership(settings, self._group_consumer, Asking(settings), self._health, self._metrics)
        self._side_topics = SideTopics(
            topics_read(settings), Consumer(consumer_config(settings, self._on_kafka_error) | SIDE_FETCH)
        )
        self._preflight = Preflight(settings, self._membership.consumer, self._health)
        self._app.boot_strategy = StartOrder(self._app, self._preflight)
        self._offer_table = OfferTable(self._app, settings, self._health, rules)
        self._batches = Handoff(self._app, maxsize=0)
        self._app.agent(self._batches, name="loop", concurrency=1)(self._work)
        self._app.service(cast(Any, _Threads(self)))  # starts when Faust has its table, stops first
        self._build_loop(bootstrap(settings, self._offer_table.rules, intake=intake))
        add_pages(self._app, self._health, self._registry, self._observe)

    async def run(self) -> None:
        """Until told to stop, or until something fails that can't be retried."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._over.set)
        beating = asyncio.ensure_future(self._beat())
        drifting = asyncio.ensure_future(self._watch_drift())
        running = asyncio.ensure_future(self._start_and_wait())
        over = asyncio.ensure_future(self._over.wait())
        await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            error = running.exception()
            self._crash(error or self._app.crash_reason or RuntimeError("the Faust app ended by itself"))
        _log.info("stopping")
        self._publish_until = time.monotonic() + _PUBLISH_UNTIL_SECONDS
        stopping = asyncio.ensure_future(self._app.stop())
        await asyncio.wait({stopping}, timeout=_STOP_SECONDS_MAX)
        if not stopping.done() or not self._quiet:
            # A thread hangs in a call that has no end, Faust's while Kafka is away: it must not keep the process.
            _log.warning("left without waiting for what still hangs")
            shutil.rmtree(self._folder, ignore_errors=True)
            logging.shutdown()
            os._exit(self.code if self._quiet else 1)
        for task in (running, over, beating, drifting):
            task.cancel()
        self._executor.shutdown()
        _log.info("stopped")

    async def start_threads(self) -> None:
        """Faust is up: from here on records are read."""
        await asyncio.gather(self._loop.run_in_executor(self._executor, compile_all), self._offer_table.loaded())
        gc.freeze()
        _keep_freed_memory()
        self._quiet = False
        self._publisher.start()
        self._poller.start()
        Thread(target=self._preflight.watch_rights, name="rights", daemon=True).start()
        self._started = True

    async def stop_threads(self) -> None:
        """In this order: stop reading, finish the batch in work, publish, acknowledge, trim the outbox, leave the
        group."""
        self._started = False
        quiet = await asyncio.to_thread(self._poller.stop, _WORK_SECONDS_MAX)
        if quiet:
            await self._loop.run_in_executor(self._executor, self._work_loop.settle)
        seconds = max(0.0, self._publish_until - time.monotonic())
        consumer = self._membership.consumer if quiet else None
        self._quiet = await asyncio.to_thread(self._publisher.stop, seconds, consumer) and quiet
        if not self._quiet:
            _log.warning("work under way was given up; the next owner of the partitions does it again")
            return
        await self._loop.run_in_executor(self._executor, self._work_loop.trim, list(self._assignment))
        await asyncio.to_thread(self._membership.consumer.close)
        await asyncio.to_thread(self._side_topics.consumer.close)

    def _build_loop(self, parts: Parts) -> None:
        settings, lock = self._settings, Lock()
        published_scan = PublishedScan(settings, self._on_kafka_error)
        self._publisher = Publisher(
            settings,
            Consumer(consumer_config(settings, self._on_kafka_error)),
            RedisStore(redis_routing(settings)),
            published_scan,
            self._health,
            self._metrics,
            self._on_outage,
            self._crash_from_thread,
        )
        self._assignment = ownerships = Assignment(
            topics_read(settings),
            settings.retry_seconds_max,
            self._membership,
            self._side_topics,
            lock,
            parts.partition,
            parts.cache.drop,
            self._publisher,
            published_scan,
            self._health,
            self._metrics,
        )
        self._work_loop = Loop(lock, parts, self._publisher, ownerships, self._metrics)
        self._poller = Poller(
            settings,
            self._membership,
            self._side_topics,
            ownerships,
            self._health,
            self._metrics,
            self._deliver,
            self._crash_from_thread,
        )
        self._cache = parts.cache

    async def _start_and_wait(self) -> None:
        seconds_max = self._settings.retry_seconds_max
        try:
            await asyncio.wait_for(self._app.start(), seconds_max)
        except TimeoutError:
            why = "; ".join(self._health.problems()) or "Faust has not read its table from Kafka"
            raise GaveUp(f"the start has not come to its end within {seconds_max} s: {why}") from None
        await self._app.wait_for_stopped()

    async def _work(self, words: Any) -> Any:
        """The agent: one batch after the other, in its own thread."""
        async for _ in words:
            more = True
            while more:
                self._offer_table.refresh()
                try:
                    more = await self._loop.run_in_executor(self._executor, self._work_off)
                except Exception as error:
                    self._crash(error)
                    raise
            yield

    def _work_off(self) -> bool:
        """Works off what is waiting and what comes, for a while. True if there is more, and it stopped only to let the
        catalogue be refreshed."""
        until = time.monotonic() + _AT_A_STRETCH_SECONDS
        self._batches.attend()
        while (left := until - time.monotonic()) > 0:
            polled_batches = self._batches.next(0)
            if polled_batches is None:
                self._work_loop.settle()
                polled_batches = self._batches.next(left)
            if polled_batches is not None:
                self._work_loop.work(polled_batches, self._batches.look)
                self._health.worked_off()
                self._poller.done()
        self._work_loop.settle()
        return self._batches.leave()

    def _deliver(self, polled_batches: list[PolledBatch]) -> None:
        self._health.handed_over()
        self._batches.hand_over(polled_batches, self._loop)

    async def _beat(self) -> None:
        while True:
            self._health.beat("event loop")
            await asyncio.sleep(1.0)

    async def _watch_drift(self) -> None:
        """For as long as the worker runs, where there is a churn model."""
        model = self._offer_table.rules().churn
        if model is None:
            return
        store = RedisStore(redis_routing(self._settings))
        drift = DriftMonitor(
            model,
            store,
            lambda: [ownership.number for ownership in list(self._assignment)],
            self._health,
            self._metrics,
        )
        try:
            await drift.watch()
        except Exception as error:
            self._crash(error)
            raise

    def _observe(self) -> None:
        self._poller.observe()
        self._metrics.agent_up.set(self._started and self._health.alive)
        self._metrics.store_up.set(not self._health.troubled("redis"))
        self._metrics.kafka_up.set(not self._health.troubled("kafka"))
        self._metrics.customers_in_memory.set(len(self._cache))
        self._metrics.cache_bytes.set(self._cache.size)

    def _on_kafka_error(self, error: KafkaError) -> None:
        """From any thread of librdkafka's clients. One that is given up for good ends the worker; but the publisher's
        producer, whose calls fail then, is made anew."""
        if is_fatal(error):
            self._crash_from_thread(LastWord(f"a client of Kafka has been given up: {error.str()}"))
        self._on_outage(error)

    def _group_consumer(self) -> Consumer:
        """The loop's, which has not joined its group yet."""
        return Consumer(consumer_config(self._settings, self._on_group_error))

    def _on_group_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._membership.heard(error)
        self._on_outage(error)

    def _on_outage(self, error: KafkaError) -> None:
        if (text := _TROUBLES.get(error.code())) is not None:
            if not self._health.troubled("kafka"):
                _log.error("Kafka: %s", text)
            self._health.trouble("kafka", text)

    def _crash_from_thread(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._crash, error)

    def _crash(self, error: BaseException) -> None:
        """The process ends with 1. What went wrong is logged as streams.ops.logs does it: without what was read."""
        self.code = 1
        self._health.crashed(error)
        if isinstance(error, LastWord | GaveUp):  # no fault of the program: whoever runs it is told what is
            _log.critical("cannot go on: %s", f"{error}: {error.__cause__}" if error.__cause__ else error)
        else:
            _log.critical("crashed: %s", type(error).__name__, exc_info=error)
        self._over.set()


class _Threads(Service):
    """The threads as a service of the app."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    async def on_start(self) -> None:
        await self._worker.start_threads()

    async def on_stop(self) -> None:
        await self._worker.stop_threads()


def _give_way() -> None:
    """To Redis and the broker, where they share the machine: all workers wait for them. Before there are threads, which
    inherit it."""
    os.nice(_NICENESS)
    if os.getsid(0) == os.getpid():  # as a service: Linux weighs sessions against each other, sched(7), autogroup
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_NICENESS), "ascii")


def _keep_freed_memory() -> None:
    """Freeing a large block tells glibc to give blocks up to that size out of memory that it keeps, twice as much of it
    (mallopt(3), M_MMAP_THRESHOLD). Otherwise each turn's arrays are new pages, and cost a microsecond an event."""
    np.empty(_FREED_BYTES, np.uint8)


def _say_ready(address: str) -> None:
    print(f"ready {address}", flush=True)
