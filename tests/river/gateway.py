"""A way to a server that can be shut and opened: what a worker sees of an outage."""

import selectors
import socket
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Self

from commands.embedded import free_port

CHUNK_BYTES = 65_536


class Gateway:
    """A port on loopback that leads to a server while it is open. While it is shut, connections are refused."""

    def __init__(self, server: str) -> None:
        """`server` is host:port."""
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread: Thread | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def open(self) -> None:
        """Lets connections through from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def shut(self) -> None:
        """Cuts every connection and refuses new ones; a second call does nothing."""
        if self._listener is not None and self._thread is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
            self._listener = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shut()

    def _serve(self, listener: socket.socket) -> None:
        with listener, selectors.DefaultSelector() as ready:
            ready.register(listener, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is not listener:
                        self._pass_on(ready, key.fileobj)  # type: ignore[arg-type]
                    elif not self._accept(ready, listener):
                        for end in list(self._pairs):
                            self._cut(ready, end)
                        return

    def _accept(self, ready: selectors.BaseSelector, listener: socket.socket) -> bool:
        """False once the gateway has been shut."""
        try:
            near, _ = listener.accept()
        except OSError:
            return False
        try:
            far = socket.create_connection(self._server)
        except OSError:
            near.close()
            return True
        for end, other in ((near, far), (far, near)):
            self._pairs[end] = other
            ready.register(end, selectors.EVENT_READ)
        return True

    def _pass_on(self, ready: selectors.BaseSelector, end: socket.socket) -> None:
        if end not in self._pairs:
            return
        try:
            data = end.recv(CHUNK_BYTES)
            self._pairs[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._cut(ready, end)

    def _cut(self, ready: selectors.BaseSelector, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        if other is not None:
            self._pairs.pop(other, None)
            for one in (end, other):
                ready.unregister(one)
                one.close()
