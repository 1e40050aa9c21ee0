"""A Redis Cluster whose slots move under an owner: it waits, and nothing is lost or written twice."""

from collections.abc import Callable
from itertools import count

import pytest

from streams.store.port import Changes, Fenced, Moved, Outgoing, Position, StoreUnavailable
from streams.store.redis_store import RedisStore
from tests.servers import RedisCluster

_partitions = count(500_000)


@pytest.fixture
def partition() -> int:
    return next(_partitions)


@pytest.fixture
def owner(redis_cluster_nodes: RedisCluster) -> Callable[[], RedisStore]:
    return lambda: RedisStore(redis_cluster_nodes.lines())


def changes(name: str) -> Changes:
    alert = Outgoing("customer-alerts", name.encode(), b"{}", [])
    return Changes({name: name.encode(), "all": name.encode()}, {name: 7}, [alert])


def test_partitions_of_one_owner_are_on_several_nodes(
    owner: Callable[[], RedisStore], redis_cluster_nodes: RedisCluster
) -> None:
    store = owner()
    numbers = [next(_partitions) for _ in range(12)]
    at = {number: store.claim(number) for number in numbers}
    after = {number: store.send(number, at[number], 3, 5, changes(f"c{number}")) for number in numbers}
    for _ in numbers:
        store.answered()
    assert {number: store.read(number) for number in numbers} == after
    assert {redis_cluster_nodes.node_of(f"{{{number}}}") for number in numbers} == {0, 1, 2}


@pytest.mark.parametrize("moved", [0, 1, 3, 100])
def test_a_slot_that_moves_holds_the_partition_up_and_loses_nothing(
    moved: int, owner: Callable[[], RedisStore], redis_cluster_nodes: RedisCluster, partition: int
) -> None:
    tag = f"{{{partition}}}"
    store = owner()
    at = store.commit(partition, store.claim(partition), 1, 5, changes("a"))
    to = (redis_cluster_nodes.node_of(tag) + 1) % redis_cluster_nodes.NODES
    redis_cluster_nodes.begin_move(tag, to)
    redis_cluster_nodes.move_keys(tag, to, moved)

    # on the move: each attempt is taken whole or refused whole, as an owner does it that claims again after a refusal
    standing = at
    for attempt in range(3):
        try:
            claimed = store.claim(partition)
            standing = store.commit(partition, claimed, 2 + attempt, 6, changes(f"b{attempt}"))
        except (StoreUnavailable, Fenced, Moved):
            continue
    redis_cluster_nodes.move_keys(tag, to, 1_000)
    redis_cluster_nodes.end_move(tag, to)

    found = settled(store, partition)
    assert (found.version, found.offset, found.sequence) == (standing.version, standing.offset, standing.sequence)
    entries = [entry.key for _, entry in store.outbox(partition, 0, 10)]
    assert len(entries) == found.sequence
    held = [row for row in store.load(partition, ["a", "b0", "b1", "b2"]) if row is not None]
    assert sorted(held) == sorted(key for key in entries if key is not None)
    assert store.load(partition, ["all"]) == [entries[-1]]
    done = store.commit(partition, found, 9, 9, changes("c"))
    assert store.read(partition) == done


def settled(store: RedisStore, partition: int) -> Position:
    """Claims as often as the owner must: the first attempt may still ask the node that had the slot."""
    for _ in range(20):
        try:
            return store.claim(partition)
        except StoreUnavailable:
            continue
    return store.claim(partition)
