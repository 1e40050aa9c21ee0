"""What the processes under measurement use: processor time and memory, by the kernel's account and Redis's own."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import redis


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds used so far, user and system; None where the process is on another machine."""

    workers: float
    redis: float
    broker: float | None
    bench: float
    """This process's share."""
    machine: float
    """Everything on this machine."""

    @property
    def elsewhere(self) -> float | None:
        """Processor time of what has no part in the measurement, given that Redis is on this machine; None
        where the broker isn't."""
        if self.broker is None:
            return None
        return self.machine - self.workers - self.redis - self.broker - self.bench


def machine_seconds() -> float:
    """Processor seconds used on this machine, by whatever."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def listening_process(address: str) -> psutil.Process | None:
    """The process on this machine that serves `host:port`; None if it's elsewhere or can't be looked at."""
    host, _, port = address.rpartition(":")
    if not _here(host.strip("[]")):
        return None
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in sockets:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.pid is not None
            and connection.laddr.port == int(port)
        ):
            return psutil.Process(connection.pid)
    return None


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and all its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


def redis_cpu_seconds(client: redis.Redis) -> float:
    """The same of the Redis server, wherever it is; a child that rewrites the log counts when it has ended."""
    said = client.info("cpu")
    names = ("used_cpu_user", "used_cpu_sys", "used_cpu_user_children", "used_cpu_sys_children")
    return sum(float(said[name]) for name in names)


def stored_bytes(client: redis.Redis) -> int:
    """Bytes that Redis has allocated for what it stores: keys, values, tables. Buffers of clients and log left out."""
    said = client.info("memory")
    return int(said["used_memory"]) - int(said["mem_clients_normal"]) - int(said["mem_aof_buffer"])


def where(url: str) -> str:
    """Host and port of a redis:// address, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}" if parts.scheme != "unix" else "unix socket"


def _here(host: str) -> bool:
    try:
        addresses_of_host = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    ours = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    return any(ipaddress.ip_address(str(address)).is_loopback or address in ours for address in addresses_of_host)
