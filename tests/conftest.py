"""Servers for tests. Each is started once a session, by the first test that asks, on a port and files of its own.

Where the machine lacks a real one, tests that use it are skipped with the reason, and fail when CI=true. A test that
takes the fixture gets its marker, `kafka` or `redis_server`; one that asks for it by name must carry the marker itself:
`pytest.param("kafka", marks=pytest.mark.kafka)`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

import pytest
import redis
from hypothesis import settings

from commands.embedded import EmbeddedBroker, EmbeddedRedis
from tests.live import Bank, OpenBank
from tests.servers import Kafka, RedisCluster, missing_for

settings.register_profile("tracker", settings.default, deadline=None)  # how long a machine takes says nothing
settings.load_profile("tracker")

_REAL = ("kafka", "redis_server")
_missing_for = cache(missing_for)


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """librdkafka's mock cluster. Shared by the session: take topic and group names from servers.fresh_name."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A real Kafka. Shared by the session: take topic and group names from servers.fresh_name."""
    _require("kafka")
    with Kafka() as server:
        yield server


@pytest.fixture(scope="session")
def embedded_redis(_started: list[EmbeddedRedis]) -> Iterator[EmbeddedRedis]:
    """The embedded Valkey, emptied before each test."""
    with EmbeddedRedis() as server:
        _started.append(server)
        yield server
        _started.remove(server)


@pytest.fixture(scope="session")
def redis_server(_started: list[EmbeddedRedis]) -> Iterator[EmbeddedRedis]:
    """A real redis-server, its log flushed to disk every second, emptied before each test."""
    _require("redis_server")
    with EmbeddedRedis("redis-server") as server:
        _started.append(server)
        yield server
        _started.remove(server)


@pytest.fixture(scope="module")
def open_bank(kafka: Kafka, redis_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBank]:
    """Makes banks on the real Kafka, each with topics and with a real Redis of its own that no test empties."""
    with ExitStack() as stack:

        def opened(**settings: object) -> Bank:
            server = stack.enter_context(EmbeddedRedis("redis-server"))
            bank = Bank(kafka.bootstrap_servers, server.url, tmp_path_factory.mktemp("bank"), **settings)
            bank.command("topics", "create")
            return bank

        yield opened


@pytest.fixture(scope="session")
def redis_cluster_nodes() -> Iterator[RedisCluster]:
    """Three real redis-servers as a cluster. Shared by the session: take partitions that no other test writes to."""
    _require("redis_server")
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _started() -> list[EmbeddedRedis]:
    return []


@pytest.fixture(autouse=True)
def _empty(_started: list[EmbeddedRedis]) -> None:
    """Only servers that this session started itself are ever emptied."""
    for server in _started:
        with redis.Redis.from_url(server.url) as client:
            client.flushall()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    in_ci = os.environ.get("CI") == "true"
    for item in items:
        for server in _REAL:
            if server in getattr(item, "fixturenames", ()) or (
                server == "redis_server" and "redis_cluster_nodes" in getattr(item, "fixturenames", ())
            ):
                item.add_marker(server)
            if item.get_closest_marker(server) and not in_ci:
                reason = _missing_for(server)
                item.add_marker(pytest.mark.skipif(reason is not None, reason=reason or ""))


def _require(server: str) -> None:
    reason = _missing_for(server)
    if reason is not None:
        raise RuntimeError(f"{reason}, and in CI nothing may be left out")
