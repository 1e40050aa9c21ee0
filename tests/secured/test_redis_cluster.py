"""A Redis Cluster of six nodes with TLS and users: nodes that die, and what a program that knew only them does."""

from collections.abc import Iterator

import pytest

from streams.ops.settings import Settings
from streams.store.port import Changes, Position, StoreUnavailable
from streams.store.redis_store import RedisStore, redis_routing
from tests.live import until
from tests.secured.redis_page import WORKER
from tests.secured.redis_servers import PASSWORD, Secured
from tests.servers import RedisCluster

pytestmark = pytest.mark.redis_server
NUMBERS = range(12)
"""Partitions: some on each node."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    secured = Secured(tmp_path_factory.mktemp("secured"), "+cluster|slots")
    made = RedisCluster(1, secured.of_server(), secured.of_harness(), f"{WORKER}:{PASSWORD}", secured.settings())
    with made as nodes:
        yield nodes


def store_of(cluster: RedisCluster, *places: int) -> RedisStore:
    """Of a program that was told of these nodes."""
    return RedisStore(cluster.lines(*places))


def claimed(store: RedisStore, number: int) -> Position | None:
    try:
        return store.claim(number)
    except StoreUnavailable:
        return None


def test_a_missing_right_to_ask_for_the_slots_is_named(cluster: RedisCluster) -> None:
    def allowed(rule: str) -> None:
        for client in cluster.clients:
            client.execute_command("ACL", "SETUSER", WORKER, rule)

    allowed("-cluster|slots")
    try:
        with pytest.raises(StoreUnavailable, match=r"the right \+cluster\|slots "):
            store_of(cluster, 0, 1).claim(0)
    finally:
        allowed("+cluster|slots")


def test_a_single_redis_that_is_taken_for_a_cluster_is_told_as_such(redis_server: object) -> None:
    url = str(getattr(redis_server, "url", ""))
    store = RedisStore(redis_routing(Settings(redis_url=url, redis_cluster=True)))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable, match="TRACKER_REDIS_CLUSTER is set, but this Redis is no node"):
        store.claim(0)


def test_the_death_of_the_node_that_was_named_is_outlived(cluster: RedisCluster) -> None:
    """By a program that has run before, though it was told of that node alone; by one that starts meanwhile, if it was
    told of another; and the partitions of other nodes go on all the time."""
    known, named = store_of(cluster, 0), cluster.url_of(0)
    at = {number: known.commit(number, known.claim(number), 1, 0, Changes({"c": b"row"})) for number in NUMBERS}
    lost = [number for number in NUMBERS if cluster.node_of(f"{{{number}}}") == 0]
    assert 0 < len(lost) < len(NUMBERS)
    (replica,) = cluster.replicas(0)
    until(lambda: int(cluster.clients[replica].dbsize()) == int(cluster.clients[0].dbsize()))
    cluster.kill(0)
    assert cluster.url_of(0) == named
    with pytest.raises(StoreUnavailable, match="Redis cannot be reached"):
        store_of(cluster, 0).claim(0)

    others = [number for number in NUMBERS if number not in lost]
    for number in others:
        until(lambda number=number: claimed(known, number) is not None)  # type: ignore[misc]
    started = store_of(cluster, 0, 1)
    cluster.await_primary(replica)
    for store in (known, started):
        for number in NUMBERS:
            until(lambda store=store, number=number: claimed(store, number) is not None)  # type: ignore[misc]
    for number in NUMBERS:
        found = started.read(number)
        assert found is not None
        assert (found.version, found.offset) == (at[number].version, at[number].offset)
        assert started.load(number, ["c"]) == [b"row"]

    cluster.start(0)
    until(lambda: cluster.clients[0].info("replication")["role"] == "slave")
    store = store_of(cluster, 0)
    at_last = store.claim(lost[0])
    assert store.commit(lost[0], at_last, 2, 0, Changes()).version == at_last.version + 1
