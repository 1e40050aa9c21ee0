"""A receiver of webhooks as a bank's tool would be: it verifies, and answers as the test says."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, NamedTuple

from standardwebhooks import Webhook

WAIT_SECONDS_MAX = 60
HANG_SECONDS_MAX = 30


class Delivery(NamedTuple):
    """What came, and was verified."""

    webhook_id: str
    alert: Any
    headers: dict[str, str]
    status: int


class Receiver:
    """On loopback. `answer` gives the status for an alert; "hang" answers nothing until the receiver is closed."""

    def __init__(self, secret: str) -> None:
        self.answer: Callable[[Any], int | str] = lambda alert: 204
        self.deliveries: list[Delivery] = []
        self.retry_after: str | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        verifier = Webhook(secret)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                alert = verifier.verify(body, headers)
                status = receiver.answer(alert)
                if status == "hang":
                    receiver._closed.wait(HANG_SECONDS_MAX)
                    self.close_connection = True
                    return
                with receiver._changed:
                    receiver.deliveries.append(Delivery(headers["webhook-id"], alert, headers, int(status)))
                    receiver._changed.notify_all()
                self.send_response(int(status))
                if receiver.retry_after is not None:
                    self.send_header("retry-after", receiver.retry_after)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    @property
    def taken(self) -> list[Delivery]:
        return [each for each in self.deliveries if each.status < 300]

    def until(self, done: Callable[[], bool]) -> None:
        """Waits for deliveries until it holds."""
        end = monotonic() + WAIT_SECONDS_MAX
        with self._changed:
            while not done():
                assert monotonic() < end, f"{len(self.deliveries)} deliveries, {len(self.taken)} taken"
                self._changed.wait(0.2)

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
