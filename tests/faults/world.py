"""What the rows of the table share: servers started once, by the first who asks, and what a row is.

A row proves its fault. It names in `Row.happens` what must have happened in every seed, and the seed counts each time
that it has seen it happen, with the same words:

    def moved(seed: Seed) -> Figures:
        ...
        cluster.end_move(tag, to)
        if cluster.node_of(tag) == to:
            seed.happened("slot moved")
        return scene.audit(seed.notes.append)

    ROWS = (Row("slots-move", "slots of a Redis Cluster move", moved, happens=("slot moved",)),)

A seed in which one of them has not happened is red, whatever the audit says. Where a seed does more than every seed
must (a number of times, or a fault that is only some seeds'), it says so before: `seed.must("slot moved", 4)`.

What counts as seen is evidence from outside the row: the exit code of a worker, its log (`worker.said`), its /metrics
(`worker.count`), what Redis or Kafka answers. That a line of the row was passed is none. To see that a row proves its
fault, take the fault away and see the row red: tests/broken/faults_taken_away.py has that for each of them, for
`make broken`.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from types import TracebackType
from typing import Any, Self

from commands.embedded import free_port
from tests.faults.audit import Figures
from tests.faults.scene import BROKER, Scene
from tests.faults.servers import TOXIPROXY, Proxies, RedisServer
from tests.secured.cluster import SecuredKafka
from tests.servers import Kafka

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


class World:
    """Servers for as many seeds at once as there are. A row that hurts a server takes one of its own."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._lock = RLock()
        self._databases = count(1)
        self._servers: dict[str, Any] = {}
        self.cuttable_kafka = ""

    @property
    def kafka(self) -> Kafka:
        """Has a second door, on a line that can be cut: `cuttable_kafka`."""
        return self._server("kafka", self._make_kafka)

    def _make_kafka(self) -> Kafka:
        if not TOXIPROXY.exists():
            return Kafka(BROKER)
        door = free_port()
        self.cuttable_kafka = f"127.0.0.1:{self.proxies.line(door, 'kafka')}"
        return Kafka(
            (
                *BROKER,
                f"listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},DOOR://127.0.0.1:{door}",
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},DOOR://{self.cuttable_kafka}",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DOOR:PLAINTEXT",
                "inter.broker.listener.name=PLAINTEXT",
            )
        )

    @property
    def secured(self) -> SecuredKafka:
        """Three brokers with TLS, users and ACLs, of which one row at a time may kill one."""
        return self._server("secured", self._make_secured)

    def _make_secured(self) -> SecuredKafka:
        kafka = SecuredKafka(("transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",))
        kafka.add_users(["tracker"])
        return kafka

    @property
    def redis(self) -> RedisServer:
        return self._server("redis", lambda: RedisServer(*EVERYSEC))

    @property
    def proxies(self) -> Proxies:
        return self._server("proxies", Proxies)

    def scene(self, partitions: int, **changes: Any) -> Scene:
        """On the shared servers, in a database of its own."""
        return Scene(self.kafka, f"redis://127.0.0.1:{self.redis.port}/{self.database()}", partitions, **changes)

    def database(self) -> int:
        """The number of a database of the shared Redis that nobody else uses."""
        with self._lock:
            return next(self._databases)

    def _server(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._servers:
                self._servers[name] = self._undo.enter_context(make())
            return self._servers[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._undo.close()


@dataclass
class Seed:
    """One run of one row."""

    world: World
    number: int
    chance: random.Random
    notes: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    """How often each fault was seen to happen."""
    least: Counter[str] = field(default_factory=Counter)
    """How often each must happen."""

    def happened(self, what: str, times: int = 1) -> None:
        """The fault was seen to happen, so many times."""
        self.times[what] += times

    def must(self, what: str, times: int = 1) -> None:
        """The fault must happen in this seed, at least so many times."""
        self.least[what] = max(times, self.least[what])

    def kept(self, promise: bool, words: str) -> Figures:
        """What a promise of the row's own adds to the figures: one in `other` where it was not kept."""
        if not promise:
            self.notes.append(f"not kept: {words}")
        return Figures(other=0 if promise else 1)

    def missed(self) -> Figures:
        """One in `other` for each fault that did not happen as often as it must."""
        missed = [what for what, least in self.least.items() if self.times[what] < least]
        self.notes += [f"did not happen: {what}: {self.times[what]} of {self.least[what]}" for what in missed]
        return Figures(other=len(missed))


@dataclass(frozen=True)
class Row:
    """`run` does the fault to one seed and answers what the audit found."""

    name: str
    words: str
    run: Callable[[Seed], Figures]
    seeds: int = 3
    at_once: int = 1
    """Seeds that may run at the same time."""
    needs: tuple[str, ...] = ()
    """Programs, beside Kafka and redis-server."""
    happens: tuple[str, ...] = ()
    """What must have happened in each seed, in the words of `Seed.happened`. Raises ValueError if that is nothing."""

    def __post_init__(self) -> None:
        if not self.happens:
            raise ValueError(f"row {self.name} does not say what must have happened")

    def done(self, seed: Seed) -> Figures:
        """Runs the seed. A fault that did not happen counts as `other`."""
        for what in self.happens:
            seed.must(what)
        return self.run(seed).plus(seed.missed())


def missing(row: Row) -> list[str]:
    """Programs that the row needs and this machine lacks, with what installs them."""
    install = {"toxiproxy": "make toxiproxy (needs Go)", "redis-sentinel": "apt-get install redis-sentinel"}
    return [f"{name}: {install.get(name, f'apt-get install {name}')}" for name in row.needs if not _have(name)]


def _have(program: str) -> bool:
    return TOXIPROXY.exists() if program == "toxiproxy" else shutil.which(program) is not None
