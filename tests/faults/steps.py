"""A worker that kills itself at a numbered step of the loop, the n-th time that it comes there.

The worker is the program's own; here its parts are wrapped by name before it is put together, so that no line of the
program knows of tests. Imported once in a process from which workers are forked: what takes long is done by then.
"""

import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dis import get_instructions
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock, Thread
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from confluent_kafka import Producer

import commands.repartition
import streams.broker.publisher
import streams.broker.transactions
import streams.partition.partition
import streams.worker.app
from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from streams.broker.published_scan import PublishedScan
from streams.ops.settings import load_settings
from streams.store.connection import Connection
from streams.store.redis_store import RedisStore
from tests.faults.servers import ask_to_cut

STEPS = (
    "after poll",
    "after decode",
    "after load",
    "after decide",
    "before commit",
    "in commit",
    "after commit",
    "after begin_transaction",
    "after produce",
    "after send_offsets",
    "before commit_transaction",
    "after commit_transaction",
    "before trimming the outbox",
    "after claim",
)
"""In the order in which the loop comes to them. In commit: Redis is sent a call that
writes, the worker has not read the answer; that would be in the middle of a commit that were two calls."""

HEALING_STEPS = (
    "after claim",
    "before noting",
    "after noting",
    "after reading back",
    "after begin_transaction",
    "after produce",
    "after send_offsets",
    "before commit_transaction",
    "after commit_transaction",
    "before commit",
    "after commit",
    "before trimming the outbox",
)
"""Those of a partition of which nobody knows what is published. Noting: the group is told that it must be read back."""

COMMITTING_RECORDS = "before commit_transaction, of records"
"""A transaction may hold offsets only."""

TRANSACTION_SECONDS_MAX = 2
"""A killed worker's transaction holds subscribers up that long, instead of the 15 s of a real one."""

ENTRIES_MAX = 8
"""Of one transaction, instead of 2,000: so that a few alerts take several."""


HEAD_BYTES = 64
"""Of a command to Redis: the name of the function that it calls is in them."""


class Kill(NamedTuple):
    """SIGKILL at the `n`-th coming to the step, from 1."""

    step: str
    n: int

    def do(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Cut(NamedTuple):
    """At the `n`-th coming to the step a line goes silent: toxiproxy is asked at `url` to stop one direction."""

    step: str
    n: int
    url: str
    stream: str

    def do(self) -> None:
        ask_to_cut(self.url, self.stream)


def forked(
    environment: Mapping[str, str], kill: Kill | Cut | None, clock: Path | None, log: Path, small_transactions: bool
) -> None:
    """The life of a worker in a process just forked. Ends it. With small transactions a few alerts take several."""
    _begin(environment, log)
    if small_transactions:
        put(streams.broker.publisher, "ENTRIES_MAX", ENTRIES_MAX)
    if clock is not None:
        put_wrong(clock)
    if kill is not None:
        arm(kill)
    settings = load_settings()
    told = streams.broker.transactions.producer_config(settings, lambda _: None)["transaction.timeout.ms"]
    if told != TRANSACTION_SECONDS_MAX * 1_000:
        raise ValueError(f"a producer's transactions may last {told} ms: what was put is read by nobody")
    code = streams.worker.app.run_worker(settings)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def forked_repartition(environment: Mapping[str, str], kill: Kill | None, log: Path) -> None:
    """`tracker repartition` in a process just forked. Ends it. A kill counts whatever step it comes to."""
    _begin(environment, log)
    put(streams.broker.publisher, "ENTRIES_MAX", ENTRIES_MAX)
    if kill is not None:
        arm_repartition(kill)
    code = 1
    try:
        commands.repartition.repartition()
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _begin(environment: Mapping[str, str], log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.register(signal.SIGUSR1)  # says what each thread is about
    parent = parent_process()
    assert parent is not None
    Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
    os.environ.update(environment)
    put(streams.broker.transactions, "_TRANSACTION_SECONDS_MAX", TRANSACTION_SECONDS_MAX)


def put(module: ModuleType, name: str, value: int) -> None:
    """Another value for a constant of the program. Raises AttributeError where the module has none of that name, and
    ValueError where nothing in it reads it, or another module has one too: then it has moved."""
    if type(getattr(module, name)) is not type(value):
        raise ValueError(f"{module.__name__}.{name} is no {type(value).__name__}")
    if name not in _read_by(compile(Path(str(module.__file__)).read_text("utf-8"), name, "exec")):
        raise ValueError(f"nothing in {module.__name__} reads {name}")
    others = [other for other in sys.modules if other.startswith("streams.") and other != module.__name__]
    if twice := [other for other in others if hasattr(sys.modules[other], name)]:
        raise ValueError(f"{twice} have {name} too, beside {module.__name__}")
    setattr(module, name, value)


def _read_by(code: CodeType) -> set[str]:
    """Global names that the functions in it read."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    reads = {str(step.argval) for each in inner for step in get_instructions(each) if step.opname == "LOAD_GLOBAL"}
    return reads.union(*map(_read_by, inner))


def put_wrong(clock: Path) -> None:
    """From now on the clock of this process, and the timestamps of the records that it writes, are wrong by the seconds
    that the file says. (libfaketime 0.9.10 can't do it: it refuses how Python sleeps.)"""
    right = time.time
    read = clock.with_suffix(".read")

    def wrong() -> float:
        """Leaves word of the last hour by which it was wrong."""
        seconds = clock.read_text()
        read.with_name(f"{read.name}.{seconds}").touch()
        return right() + float(seconds)

    class Publishing(Producer):
        def produce(self, *args: Any, **more: Any) -> Any:
            super().produce(*args, **more, timestamp=int(time.time() * 1_000))

    parts: Any = time
    parts.time = wrong
    parts = streams.broker.publisher
    parts.Producer = Publishing


def arm(kill: Kill | Cut) -> None:
    """Wraps the parts of the worker that is about to be made in this process."""
    hit = _Countdown(kill)
    parts: Any = streams.worker.app
    parts.Consumer = _consumer(parts.Consumer, hit)
    publishing: Any = streams.broker.publisher
    publishing.Producer = _producer(publishing.Producer, hit)
    _after(TransactionIntake, "batches", lambda batches: hit("after decode") if any(map(len, batches)) else None)
    _after(RedisStore, "load_all", lambda found: hit("after load") if found else None)
    _after(Engine, "steps", lambda outcomes: hit("after decide") if any(one.rows for one in outcomes) else None)
    _after(RedisStore, "claim", lambda _: hit("after claim"))
    _after(PublishedScan, "published", lambda _: hit("after reading back"))
    _around_commit(hit)


def arm_repartition(kill: Kill) -> None:
    """Wraps what `tracker repartition` writes to Redis and to Kafka: before it, while it is under way, and after."""
    every = _Countdown(kill._replace(step=""))

    def hit(_: str, last: Callable[[], None] = lambda: None) -> None:
        every("", last)

    parts: Any = commands.repartition
    parts.Consumer = _consumer(parts.Consumer, hit)
    publishing: Any = streams.broker.publisher
    publishing.Producer = _producer(publishing.Producer, hit)
    _around_commit(hit)
    for method in ("claim", "commit", "forget"):
        _after(RedisStore, method, lambda _: hit("after"))


Hit = Callable[..., None]
"""Told of each step, and what is to be done just before the kill."""


class _Countdown:
    def __init__(self, kill: Kill | Cut) -> None:
        self._kill, self._left, self._lock = kill, kill.n, Lock()

    def __call__(self, step: str, last: Callable[[], None] = lambda: None) -> None:
        """`last` is done just before the kill."""
        if step == self._kill.step:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    last()
                    self._kill.do()


def _after(owner: Any, method: str, then: Callable[[Any], None]) -> None:
    original = getattr(owner, method)

    def wrapped(*args: Any, **more: Any) -> Any:
        result = original(*args, **more)
        then(result)
        return result

    setattr(owner, method, wrapped)


def _around_commit(hit: Hit) -> None:
    store: Any = RedisStore
    send: Any = RedisStore.send

    def wrapped(self: Any, partition: int, at: Any, offset: int, clock: int, changes: Any) -> Any:
        hit("before commit")
        if changes.published:
            hit("before trimming the outbox")
        return send(self, partition, at, offset, clock, changes)

    store.send = wrapped
    line: Any = Connection
    speak: Any = Connection.send

    def spoken(self: Any, *commands: bytes) -> None:
        speak(self, *commands)
        if any(b"tracker_commit" in command[:HEAD_BYTES] for command in commands):
            hit("in commit", self.flush)

    line.send = spoken
    _after(RedisStore, "answered", lambda _: hit("after commit"))


def _consumer(base: Any, hit: Hit) -> Any:
    class Polled(base):  # type: ignore[misc]
        def consume(self, *args: Any, **more: Any) -> Any:
            messages = super().consume(*args, **more)
            if any(message.error() is None for message in messages):
                hit("after poll")
            return messages

        def commit(self, *args: Any, **more: Any) -> Any:
            noting = not more["asynchronous"]
            if noting:
                hit("before noting")
            super().commit(*args, **more)
            if noting:
                hit("after noting")

    return Polled


def _producer(base: Any, hit: Hit) -> Any:
    class Publishing(base):  # type: ignore[misc]
        holds_records = False

        def begin_transaction(self, *args: Any) -> Any:
            self.holds_records = False
            super().begin_transaction(*args)
            hit("after begin_transaction")

        def produce(self, *args: Any, **more: Any) -> Any:
            super().produce(*args, **more)
            super().flush()
            self.holds_records = True
            hit("after produce")

        def send_offsets_to_transaction(self, *args: Any) -> Any:
            super().send_offsets_to_transaction(*args)
            hit("after send_offsets")

        def commit_transaction(self, *args: Any) -> Any:
            hit("before commit_transaction")
            if self.holds_records:
                hit(COMMITTING_RECORDS)
            super().commit_transaction(*args)
            hit("after commit_transaction")

    return Publishing


# Compiles the kernels where that has not been done, and loads them: each forked worker has them then.
Engine("transactions").step(
    partition_input(0, TransactionIntake("transactions", "EUR", {}).batch(0, [], StreamTime(), DuplicateFilter()), {}),
    Rules(),
)
