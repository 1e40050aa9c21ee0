"""The real servers that tests run against: what they need of the machine, and Kafka itself."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
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

from commands.embedded import START_SECONDS_MAX, TiedProcess, free_port
from streams.ops.settings import Settings
from streams.store.redis_store import redis_routing
from streams.store.routing import Routing

FETCH_AND_START_SECONDS_MAX = 240
ANSWER_SECONDS_MAX = 15
JAVA_MIN = 17


class Kafka:
    """A real Kafka of one broker on a free loopback port, with data of its own that goes with it.

    Topics are made with `create_topic`, never by naming them. It ends with this process, however that ends.
    `properties` are added to its settings; `{port}` and `{controller_port}` stand for its own.
    """

    bootstrap_servers: str
    client: dict[str, Any]
    """librdkafka's configuration of a client."""

    def __init__(self, properties: Sequence[str] = ()) -> None:
        self._port, self._controller_port = free_port(), free_port()
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        self.client = {"bootstrap.servers": self.bootstrap_servers, "log_level": 0}
        with ExitStack() as undo:
            self._data = Path(tempfile.mkdtemp(prefix="tracker-kafka-"))
            undo.callback(shutil.rmtree, self._data, ignore_errors=True)
            more = "".join(f"{line}\n" for line in properties)
            more = more.replace("{port}", str(self._port)).replace("{controller_port}", str(self._controller_port))
            (self._data / "more.properties").write_text(more)
            undo.callback(lambda: self.process.stop())
            self.start()
            self._undo = undo.pop_all()
        self._admin = AdminClient(self.client)

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
            return bool(AdminClient(self.client).list_topics(timeout=1).brokers)
        except (OSError, KafkaException):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class RedisCluster:
    """Real Redis servers on loopback: three that share the slots, and as many replicas of each as wanted."""

    NODES = 3
    """That have slots."""

    def __init__(
        self,
        replicas: int = 0,
        server: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        user: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`server` are settings of each server, with _ for -, `client` what redis-py needs to connect to one as
        somebody who may do all; `user` is the tracker's, name:password, `settings` are its own beside the URL."""
        self._user = user
        self.settings = dict(settings or {})
        self._client = {"host": "127.0.0.1", "protocol": 2, "socket_timeout": 5, **(client or {})}
        with ExitStack() as undo:
            folder = Path(tempfile.mkdtemp(prefix="tracker-redis-cluster-"))
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            count = self.NODES * (1 + replicas)
            self._ports, buses = ([free_port() for _ in range(count)] for _ in range(2))
            self._processes: list[TiedProcess | None] = [None] * count
            undo.callback(self._stop)
            port = "tls-port" if self._client.get("ssl") else "port"
            more = {name.replace("_", "-"): value for name, value in (server or {}).items()}
            more |= {"port": "0"} if self._client.get("ssl") else {}
            if replicas:
                more |= {"cluster-node-timeout": "1500", "cluster-replica-validity-factor": "0"}
            self._commands: list[list[str]] = []
            for place, bus in enumerate(buses):
                (folder / str(place)).mkdir()
                settings = {"bind": "127.0.0.1", "dir": str(folder / str(place)), "save": "", "appendonly": "yes"}
                settings |= {"cluster-enabled": "yes", "cluster-announce-ip": "127.0.0.1", "cluster-port": str(bus)}
                settings |= more | {port: str(self._ports[place])}
                self._commands.append(
                    ["redis-server", *(word for name, value in settings.items() for word in (f"--{name}", value))]
                )
            self._log = folder / "log"
            self.clients = [undo.enter_context(redis.Redis(port=each, **self._client)) for each in self._ports]
            for place in range(count):
                self.start(place)
            for place in range(self.NODES):
                first, end = (16_384 * number // self.NODES for number in (place, place + 1))
                self.clients[place].execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            for place, bus in enumerate(buses):
                self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", self._ports[place], bus)
            _until(lambda: all(self._whole(each) for each in self.clients), START_SECONDS_MAX)
            for place in range(self.NODES, count):
                primary = _id(self.clients[place % self.NODES])
                _until(lambda place=place, of=primary: self._told_to_follow(place, of), START_SECONDS_MAX)  # type: ignore[misc]
            _until(lambda: all(self._follows(place) for place in range(self.NODES, count)), START_SECONDS_MAX)
            _until(lambda: all(self._whole(each) for each in self.clients), START_SECONDS_MAX)
            self._undo = undo.pop_all()

    @property
    def url(self) -> str:
        """Of the first node alone."""
        return self.url_of(0)

    def url_of(self, *places: int) -> str:
        """TRACKER_REDIS_URL with these nodes."""
        scheme = "rediss" if self._client.get("ssl") else "redis"
        hosts = ",".join(f"127.0.0.1:{self._ports[place]}" for place in places)
        return f"{scheme}://{f'{self._user}@' if self._user else ''}{hosts}"

    def lines(self, *places: int) -> Routing:
        """Of a program that was told of these nodes, else of the first."""
        told: dict[str, Any] = {"redis_url": self.url_of(*places or (0,)), "redis_cluster": True, **self.settings}
        return redis_routing(Settings(**told))

    def start(self, place: int) -> None:
        """Starts a node over the data that it has."""
        process = TiedProcess(self._commands[place], self._log)
        self._processes[place] = process
        process.wait_until(lambda: self._answers(place), START_SECONDS_MAX)

    def pid(self, place: int) -> int:
        """Of a running node."""
        process = self._processes[place]
        assert process is not None
        return process.pid

    def kill(self, place: int) -> None:
        """kill -9 of a node; returns when it is gone."""
        os.kill(self.pid(place), signal.SIGKILL)
        process = self._processes[place]
        assert process is not None
        process.stop()
        self._processes[place] = None

    def fail_over(self, primary: int) -> None:
        """A replica of the node takes its slots, in agreement with it. Returns when all nodes say so."""
        replica = next(place for place in self.replicas(primary))
        deadline = monotonic() + 3 * START_SECONDS_MAX
        while True:
            with suppress(redis.ResponseError):  # it leads already, and not every node has heard of it
                self.clients[replica].execute_command("CLUSTER", "FAILOVER")
            try:
                # Redis gives the attempt up after 5 s, without a word
                return self.await_primary(replica, 6)
            except TimeoutError:
                if monotonic() > deadline:
                    raise

    def replicas(self, primary: int) -> list[int]:
        """The nodes that follow it at this moment."""
        told = self.clients[primary].execute_command("CLUSTER", "REPLICAS", _id(self.clients[primary]))
        lines = [line.decode() if isinstance(line, bytes) else line for line in told]
        return [self._ports.index(int(line.split()[1].split("@")[0].rpartition(":")[2])) for line in lines]

    def await_primary(self, place: int, seconds_max: float = START_SECONDS_MAX) -> None:
        """Returns when the node has slots and the cluster is whole with it."""

        def leads() -> bool:
            try:
                mine = self._ports[place]
                return all(
                    b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")
                    and any(primary[1] == mine for _, _, primary, *_ in _slots(client))
                    for client, process in zip(self.clients, self._processes, strict=True)
                    if process is not None
                )
            except redis.RedisError:
                return False

        _until(leads, seconds_max)

    def close(self) -> None:
        """Stops the servers."""
        self._undo.close()

    def _stop(self) -> None:
        for process in self._processes:
            if process is not None:
                process.stop()

    def _answers(self, place: int) -> bool:
        try:
            return bool(self.clients[place].ping())
        except redis.RedisError:
            return False

    def _whole(self, client: redis.Redis) -> bool:
        told = client.execute_command("CLUSTER", "INFO")
        return b"cluster_state:ok" in told and b"cluster_known_nodes:%d" % len(self.clients) in told

    def _told_to_follow(self, place: int, primary: str) -> bool:
        try:
            return bool(self.clients[place].execute_command("CLUSTER", "REPLICATE", primary))
        except redis.ResponseError:  # it has not heard of that node yet
            return False

    def _follows(self, place: int) -> bool:
        return bool(self.clients[place].info("replication").get("master_link_status") == "up")

    def node_of(self, key: str) -> int:
        """Which of the clients has the key's slot."""
        asked = next(client for client, process in zip(self.clients, self._processes, strict=True) if process)
        slot = asked.execute_command("CLUSTER", "KEYSLOT", key)
        for first, last, (_, port, *_), *_ in _slots(asked):
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
