"""The stores that the contract is held against."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
import redis

from streams.store.memory_store import MemoryStore
from streams.store.port import Store
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import OneServer
from tests.secured.redis_page import WORKER, rules_of

_partitions = count()

SERVERS = ["embedded", pytest.param("real", marks=pytest.mark.redis_server)]
KINDS = ["memory", *SERVERS, pytest.param("cluster", marks=pytest.mark.redis_server)]


@pytest.fixture
def partition() -> int:
    """A partition that no other test has written to."""
    return next(_partitions)


@pytest.fixture(params=KINDS)
def owner(request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    """Makes one owner after the other of one and the same state."""
    if request.param == "memory":
        shared = MemoryStore()
        yield lambda: shared
        return
    if request.param == "cluster":
        cluster = request.getfixturevalue("redis_cluster_nodes")
        yield lambda: RedisStore(cluster.lines())
        return
    url = _url(request)
    if request.param == "real":  # as a user with exactly the rights of docs/security.md
        with redis.Redis.from_url(url) as admin:
            admin.execute_command("ACL", "SETUSER", WORKER, "reset", "on", ">word", *rules_of(WORKER))
        url = url.replace("redis://", f"redis://{WORKER}:word@")
    clients = []

    def another() -> Store:
        clients.append(redis_client(url))
        return RedisStore(OneServer(clients[-1]))

    yield another
    for client in clients:
        client.close()


@pytest.fixture
def store(owner: Callable[[], Store]) -> Store:
    return owner()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """The address of a server whose settings a test may change, if it puts them back."""
    return _url(request)


def _url(request: pytest.FixtureRequest) -> str:
    name = {"embedded": "embedded_redis", "real": "redis_server"}[request.param]
    return str(request.getfixturevalue(name).url)
