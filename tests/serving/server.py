"""A running `tracker serve`, and how tests ask it."""

from pathlib import Path
from typing import Any, NamedTuple

import orjson
import requests
from confluent_kafka import Producer

from tests.live import Bank, Program

START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 10


class Server(NamedTuple):
    """A running `tracker serve`."""

    bank: Bank
    address: str
    log: Path

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.address + path, timeout=ANSWER_SECONDS_MAX, allow_redirects=False, **more)

    def api(self, path: str, status: int = 200, **more: Any) -> Any:
        """What the API answers, which must have that status."""
        answer = self.get(f"/api/v1{path}", **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, self.address + path, timeout=ANSWER_SECONDS_MAX, allow_redirects=False, **more)

    def publish(self, topic: str, key: str, value: object, headers: dict[str, str] | None = None) -> None:
        """Puts a record into a topic, as whoever writes it."""
        producer = Producer({"bootstrap.servers": self.bank.settings.kafka_bootstrap_servers, "partitioner": "murmur2"})
        producer.produce(topic, key=key, value=orjson.dumps(value), headers=dict(headers or {}))
        assert producer.flush(ANSWER_SECONDS_MAX) == 0


class Running:
    """`tracker serve` as a process of its own, for as long as the context lasts."""

    def __init__(self, bank: Bank, folder: Path, **changes: object) -> None:
        self._bank, self._log = bank, folder / "serve.log"
        environment = bank.environment(serve_port=0, serve_requests_per_second=10_000, **changes)
        self._process = Program(environment, self._log, "serve")

    def __enter__(self) -> Server:
        self._process.wait_until(lambda: self._address() != "", START_SECONDS_MAX)
        found = Server(self._bank, self._address(), self._log)
        self._process.wait_until(lambda: _ready(found), START_SECONDS_MAX)
        return found

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def _address(self) -> str:
        lines = self._log.read_text().splitlines()
        return next((line.split()[1] for line in lines if line.startswith("ready http")), "")


def _ready(server: Server) -> bool:
    try:
        return server.get("/readyz").status_code == 200
    except requests.ConnectionError:
        return False
