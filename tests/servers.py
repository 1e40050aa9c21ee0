"""The real servers that tests run against: what they need of the machine, and Kafka itself."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded import START_SECONDS_MAX, EmbeddedRedis, TiedProcess, free_port

FETCH_AND_START_SECONDS_MAX = 240
ANSWER_SECONDS_MAX = 15
JAVA_MIN = 17


class Kafka:
    """A real Kafka of one broker on a free loopback port, with data of its own that goes with it.

    Topics are made with `create_topic`, never by naming them. It ends with this process, however that ends.
    `properties` are added to its settings; `{port}` and `{controller_port}` stand for its own.
    """

    bootstrap_servers: str

    def __init__(self, properties: Sequence[str] = ()) -> None:
        self._port, self._controller_port = free_port(), free_port()
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        with ExitStack() as undo:
            self._data = Path(tempfile.mkdtemp(prefix="tracker-kafka-"))
            undo.callback(shutil.rmtree, self._data, ignore_errors=True)
            more = "".join(f"{line}\n" for line in properties)
            more = more.replace("{port}", str(self._port)).replace("{controller_port}", str(self._controller_port))
            (self._data / "more.properties").write_text(more)
            undo.callback(lambda: self.process.stop())
            self.start()
            self._undo = undo.pop_all()
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def start(self) -> None:
        """Starts it over the data that it has; where it was, after its process has ended."""
        serve = Path(__file__).parents[1] / "deploy/kafka/serve"
        command = [str(serve), str(self._port), str(self._controller_port), str(self._data)]
        self.process = TiedProcess(command, self._data / "output")
        self.process.wait_until(self._answers, FETCH_AND_START_SECONDS_MAX)

    def create_topic(self, name: str, partitions: int) -> None:
        """A new topic, ready for use. Raises KafkaException if it exists."""
        self.create_topics({name: partitions})

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """New topics, in one request. Raises KafkaException if one exists."""
        for made in self._admin.create_topics([NewTopic(name, n, 1) for name, n in partitions.items()]).values():
            made.result(ANSWER_SECONDS_MAX)

    def close(self) -> None:
        """Stops Kafka and removes its data; a second call does nothing."""
        self._undo.close()

    def _answers(self) -> bool:
        try:
            # Before the port is open a Kafka client would only log that it is not.
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            return bool(
                AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
                .list_topics(timeout=1)
                .brokers
            )
        except (OSError, KafkaException):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class RedisCluster:
    """Three real Redis servers that share the slots, without replicas, on loopback."""

    NODES = 3

    def __init__(self) -> None:
        with ExitStack() as undo:
            buses = [free_port() for _ in range(self.NODES)]
            more = {"cluster_enabled": "yes", "cluster_announce_ip": "127.0.0.1"}
            nodes = [EmbeddedRedis("redis-server", **more, cluster_port=bus) for bus in buses]
            for node in nodes:
                undo.callback(node.close)
            self.clients = [undo.enter_context(redis.Redis.from_url(node.url)) for node in nodes]
            self.url = nodes[0].url
            self._ports = [int(node.url.split(":")[2].split("/")[0]) for node in nodes]
            for place, client in enumerate(self.clients):
                first, end = (16_384 * number // self.NODES for number in (place, place + 1))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
                self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", self._ports[place], buses[place])
            _until(lambda: all(_whole(client) for client in self.clients), START_SECONDS_MAX)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Stops the servers."""
        self._undo.close()

    def node_of(self, key: str) -> int:
        """Which of the clients has the key's slot."""
        slot = self.clients[0].execute_command("CLUSTER", "KEYSLOT", key)
        for first, last, (_, port, *_) in _slots(self.clients[0]):
            if first <= slot <= last:
                return self._ports.index(port)
        raise KeyError(key)

    def begin_move(self, key: str, to: int) -> None:
        """The key's slot starts to move: no key is moved yet."""
        slot, source = self.clients[0].execute_command("CLUSTER", "KEYSLOT", key), self.clients[self.node_of(key)]
        self.clients[to].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(self.clients[to]))

    def move_keys(self, key: str, to: int, most: int) -> None:
        """Moves up to so many of the slot's keys."""
        slot, source = self.clients[0].execute_command("CLUSTER", "KEYSLOT", key), self.clients[self.node_of(key)]
        for name in source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, most):
            source.execute_command("MIGRATE", "127.0.0.1", self._ports[to], name, 0, 5_000)

    def end_move(self, key: str, to: int) -> None:
        """The slot is the other node's, on every node."""
        slot = self.clients[0].execute_command("CLUSTER", "KEYSLOT", key)
        for place in sorted(range(self.NODES), key=lambda place: place != to):
            self.clients[place].execute_command("CLUSTER", "SETSLOT", slot, "NODE", _id(self.clients[to]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _until(ready: Callable[[], bool], seconds_max: float) -> None:
    deadline, pause = monotonic() + seconds_max, Event()
    while not ready():
        if monotonic() > deadline:
            raise TimeoutError(f"not ready after {seconds_max:g} s")
        pause.wait(0.05)


def _whole(client: redis.Redis) -> bool:
    told = client.execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in told and b"cluster_known_nodes:%d" % RedisCluster.NODES in told


def _slots(client: redis.Redis) -> list[Any]:
    return list(client.execute_command("CLUSTER SLOTS"))


def _id(client: redis.Redis) -> str:
    found = client.execute_command("CLUSTER", "MYID")
    return found.decode() if isinstance(found, bytes) else str(found)


def fresh_name(of: str) -> str:
    """A name for a topic, group or key that no other test has used: tests share the servers of a session."""
    return f"{of}-{uuid4().hex[:12]}"


def missing_for(server: str) -> str | None:
    """Why the real server of a marker, `kafka` or `redis_server`, cannot run on this machine; None if it can."""
    if server == "redis_server":
        return None if shutil.which("redis-server") else "no redis-server on PATH"
    absent = [program for program in ("java", "mvn", "bash") if not shutil.which(program)]
    if absent:
        return f"a real Kafka needs {' and '.join(absent)} on PATH"
    if _java_version() < JAVA_MIN:
        return f"a real Kafka needs Java {JAVA_MIN} or newer"
    return None


def _java_version() -> int:
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    _, _, version = said.partition('version "')
    digits = version.split(".")[0].split("-")[0].strip('"\n ')
    return int(digits) if digits.isdigit() else 0
