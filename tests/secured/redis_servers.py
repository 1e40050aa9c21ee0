"""Redis servers that ask for TLS, a certificate and a user: what they and their clients are told."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

from commands.embedded import START_SECONDS_MAX, TiedProcess, free_port
from tests.secured.certificates import Authority, Certificate
from tests.secured.redis_page import SENTINEL, WORKER, default_user, rules_of

ADMIN, PASSWORD = "admin", "word"
"""The user of the tests, and everybody's password."""


class Secured:
    """An authority, a certificate of the servers and one of their clients, and the users of docs/security.md."""

    def __init__(self, folder: Path, *more_rights: str) -> None:
        """`more_rights` are given to the worker's user."""
        self._folder = folder
        self.authority = Authority(folder / "certificates")
        self.server: Certificate = self.authority.certificate("redis")
        self.client: Certificate = self.authority.certificate("tracker", PASSWORD)
        self.harness: Certificate = self.authority.certificate("harness")
        self.users = folder / "users.acl"
        lines = [default_user(), f"user {ADMIN} on >{PASSWORD} ~* &* +@all"]
        lines += [f"user {WORKER} on >{PASSWORD} {' '.join(rules_of(WORKER))} {' '.join(more_rights)}"]
        self.users.write_text("\n".join([*lines, f"user replica on >{PASSWORD} +psync +replconf +ping"]) + "\n")

    def of_server(self) -> dict[str, str]:
        """Settings of a Redis, with _ for -."""
        return self._tls() | {"masteruser": "replica", "masterauth": PASSWORD, "aclfile": str(self.users)}

    def _tls(self) -> dict[str, str]:
        return {
            "tls_cert_file": str(self.server.certificate),
            "tls_key_file": str(self.server.key),
            "tls_ca_cert_file": str(self.authority.location),
            "tls_auth_clients": "yes",
            "tls_replication": "yes",
            "tls_cluster": "yes",
        }

    def of_harness(self) -> dict[str, Any]:
        """What redis-py needs to connect as somebody who may do all."""
        return self.of_anybody() | {"username": ADMIN, "password": PASSWORD}

    def of_anybody(self) -> dict[str, Any]:
        """What redis-py needs to connect at all."""
        files = {"ssl_certfile": str(self.harness.certificate), "ssl_keyfile": str(self.harness.key)}
        return {"ssl": True, "ssl_ca_certs": str(self.authority.location), **files}

    def settings(self) -> dict[str, str]:
        """The tracker's settings for TLS."""
        return {
            "redis_ssl_ca_location": str(self.authority.location),
            "redis_ssl_certificate_location": str(self.client.certificate),
            "redis_ssl_key_location": str(self.client.key),
            "redis_ssl_key_password": PASSWORD,
        }

    def start(self, **more: str) -> "SecuredServer":
        """A Redis with TLS."""
        port = free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        settings = {"bind": "127.0.0.1 127.0.0.2", "port": "0", "tls_port": str(port), "dir": str(folder), "save": ""}
        settings |= self.of_server() | {"appendonly": "yes"} | more
        words = [
            word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", *value.split(" "))
        ]
        return SecuredServer(port, ["redis-server", *[word or "" for word in words]], folder / "log", self.of_harness())

    def start_sentinel(self, master: str, port_of_master: int) -> "SecuredServer":
        """A Sentinel with TLS and users, that watches the master alone."""
        port = free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        lines = [
            "port 0",
            f"tls-port {port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            *[f"{name.replace('_', '-')} {value}" for name, value in self._tls().items() if name != "tls_cluster"],
            "user default off",
            f"user {ADMIN} on >{PASSWORD} ~* &* +@all",
            f"user {SENTINEL} on >{PASSWORD} {' '.join(rules_of(SENTINEL))}",
            f"sentinel monitor {master} 127.0.0.1 {port_of_master} 1",
            f"sentinel auth-user {master} {ADMIN}",
            f"sentinel auth-pass {master} {PASSWORD}",
            f"sentinel down-after-milliseconds {master} 500",
            f"sentinel failover-timeout {master} 5000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        command = ["redis-server", str(folder / "sentinel.conf"), "--sentinel"]
        return SecuredServer(port, command, folder / "log", self.of_harness())


class SecuredServer:
    """A running server; `client` is one of somebody who may do all."""

    def __init__(self, port: int, command: list[str], log: Path, harness: Mapping[str, Any]) -> None:
        self.port = port
        self.client = redis.Redis(host="127.0.0.1", port=port, protocol=2, socket_timeout=5, **harness)
        self._process = TiedProcess(command, log)
        self._process.wait_until(self._answers, START_SECONDS_MAX)

    def url(self, user: str = WORKER, host: str = "127.0.0.1") -> str:
        """With the user's password."""
        return f"rediss://{user}:{PASSWORD}@{host}:{self.port}/0"

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.stop()

    def close(self) -> None:
        """Stops the server."""
        self.client.close()
        self._process.stop()

    def _answers(self) -> bool:
        return answers(self.client.ping)


def answers(ask: Callable[[], object]) -> bool:
    """Whether it is answered, with anything but an error or nothing."""
    try:
        return bool(ask())
    except redis.RedisError:
        return False
