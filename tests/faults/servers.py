"""The servers that faults are done to: Redis that can be killed and restarted, a proxy that cuts lines."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import redis
import urllib3

from commands.embedded import TiedProcess, free_port

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 30


def until(ready: Callable[[], bool], seconds_max: float, what: str) -> None:
    """Returns when ready() is true. Raises TimeoutError with `what` was waited for."""
    pause = 0.01
    deadline = time.monotonic() + seconds_max
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds_max:g} s for {what}")
        time.sleep(pause)
        pause = min(0.1, pause * 1.3)


class RedisServer:
    """A real redis-server on a port and in a directory of its own, which outlive its process and go with `close`."""

    def __init__(self, *options: str, directory: Path | None = None) -> None:
        """`directory` is one of the caller's, which stays."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._own = None if directory else Path(tempfile.mkdtemp(prefix="tracker-redis-"))
        self._directory = directory or Path(str(self._own))
        self._options = options
        self.start()

    def start(self) -> None:
        """Starts it over the data that it has. Returns when it answers and has loaded them."""
        fixed = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory), "--save", ""]
        more = ["--databases", "4096", *self._options]
        self.process = TiedProcess(["redis-server", *fixed, *more], Path(tempfile.gettempdir(), f"redis-{self.port}"))
        self.process.wait_until(self.answers, START_SECONDS_MAX)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.stop()

    def run_id(self) -> str:
        """Of the process: another one after a restart."""
        with self.client() as client:
            return str(client.info("server")["run_id"])

    def copied(self) -> Path:
        """A copy of its log as it is at this moment, which a cut of power could have left."""
        copy = Path(tempfile.mkdtemp(prefix=f"{self._directory.name}-copy-"))
        shutil.copytree(self._directory, copy, dirs_exist_ok=True)
        return copy

    def restore(self, copy: Path) -> None:
        """Goes back to a copy. The server must not be running."""
        shutil.rmtree(self._directory)
        copy.rename(self._directory)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, protocol=2)

    def close(self) -> None:
        self.process.stop()
        Path(tempfile.gettempdir(), f"redis-{self.port}").unlink(missing_ok=True)
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


TOXIPROXY = ROOT / "var/tools/toxiproxy-server"


def ask_to_cut(url: str, stream: str) -> None:
    """Has toxiproxy stop a direction of the line whose toxics are at `url`."""
    toxic = {"name": stream, "type": "timeout", "stream": stream, "attributes": {"timeout": 0}}
    answer = urllib3.request("POST", url, body=orjson.dumps(toxic), retries=False, timeout=5)
    if answer.status >= 300:
        raise RuntimeError(f"toxiproxy: {url}: {answer.status} {answer.data!r}")


class Proxies:
    """toxiproxy: lines that can be cut, delayed, or stopped in one direction."""

    def __init__(self) -> None:
        self._port = free_port()
        self._http = urllib3.PoolManager(retries=False, timeout=5)
        with ExitStack() as undo:
            self._log = Path(tempfile.gettempdir(), f"toxiproxy-{self._port}")
            undo.callback(self._log.unlink, missing_ok=True)
            process = TiedProcess([str(TOXIPROXY), "-host", "127.0.0.1", "-port", str(self._port)], self._log)
            undo.callback(process.stop)
            process.wait_until(self._answers, START_SECONDS_MAX)
            self._undo = undo.pop_all()

    def line(self, to_port: int, name: str) -> int:
        """A new line to a port of this machine; answers the port to connect to."""
        port = free_port()
        self._ask("POST", "/proxies", {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{to_port}"})
        return port

    def cut(self, name: str, stream: str) -> None:
        """From now on nothing comes through in a direction, `upstream` or `downstream`, and nobody is told."""
        ask_to_cut(self.cutting(name), stream)

    def cutting(self, name: str) -> str:
        """Where somebody else can ask for a cut of this line."""
        return f"http://127.0.0.1:{self._port}/proxies/{name}/toxics"

    def is_cut(self, name: str) -> bool:
        """Whether a direction of the line is stopped."""
        answer = self._http.request("GET", self.cutting(name))
        return any(toxic["type"] == "timeout" for toxic in orjson.loads(answer.data))

    def silent(self, port: int, seconds: float) -> bool:
        """Whether a Redis behind a line does not answer a PING for so long."""
        try:
            with redis.Redis(port=port, socket_timeout=seconds, protocol=2) as client:
                client.ping()
        except (redis.TimeoutError, redis.ConnectionError):
            return True
        return False

    def slow(self, name: str, milliseconds: int) -> None:
        """Each answer comes that much later, and half of that more or less."""
        attributes = {"latency": milliseconds, "jitter": milliseconds // 2}
        toxic = {"name": "slow", "type": "latency", "stream": "downstream", "attributes": attributes}
        self._ask("POST", f"/proxies/{name}/toxics", toxic)

    def enable(self, name: str, enabled: bool) -> None:
        """Whether connections are taken; those that are open are closed when not."""
        self._ask("POST", f"/proxies/{name}", {"enabled": enabled})

    def mend(self) -> None:
        """All lines are whole again."""
        self._ask("POST", "/reset", {})

    def close(self) -> None:
        self._undo.close()

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/version", None)
        except (urllib3.exceptions.HTTPError, OSError):
            return False
        return True

    def _ask(self, method: str, path: str, body: object) -> None:
        content = None if body is None else orjson.dumps(body)
        answer = self._http.request(method, f"http://127.0.0.1:{self._port}{path}", body=content)
        if answer.status >= 300:
            raise RuntimeError(f"toxiproxy: {method} {path}: {answer.status} {answer.data!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
