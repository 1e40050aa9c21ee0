"""Which connection leads to a partition: always the same to a single Redis, that of the slot's node in a cluster."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import redis
from redis.connection import ConnectionPool
from redis.crc import key_slot

from streams.store.commands import command
from streams.store.connection import Connection
from streams.store.port import StoreUnavailable


class Routing(Protocol):
    """Used by one thread."""

    def of(self, partition: int) -> Connection:
        """The connection for the keys of a partition. Raises StoreUnavailable."""

    def lost(self) -> None:
        """Something on a connection went wrong: partitions may be elsewhere by now."""


class OneServer:
    """A single Redis, or the master that a Sentinel client names."""

    def __init__(self, client: redis.Redis) -> None:
        self._connection = Connection(client.connection_pool)

    def of(self, partition: int) -> Connection:
        return self._connection

    def lost(self) -> None:
        """The line connects again by itself, to wherever its pool says."""


class Node(NamedTuple):
    """Where a node of a cluster can be reached."""

    host: str
    port: int


class ClusterNodes:
    """A connection to each node that has a partition of ours. All keys of a partition are in one slot, for their tag.

    After any trouble the cluster is asked anew which node has which slot: one of the nodes that were given or that the
    cluster has named, in any order, for a node that is cut off from the others still tells how it was before. A slot
    that is on the move answers ASK or TRYAGAIN to some commands: its partition waits, like one whose node is down,
    until the move is over.

    (redis-py's RedisCluster needs the right +command beside +cluster|slots, and calls a node that refuses either
    "not in cluster mode".)
    """

    def __init__(self, connect: Callable[[Node], ConnectionPool], given: Sequence[Node]) -> None:
        """`given` are some nodes of the cluster; one that is up is enough."""
        self._connect = connect
        self._given = list(given)
        self._nodes = list(given)
        """All that are known."""
        self._slots: list[tuple[int, int, Node]] = []
        """First slot, last slot, and the primary that has them."""
        self._connections: dict[Node, Connection] = {}
        self._of: dict[int, Connection] = {}

    def of(self, partition: int) -> Connection:
        connection = self._of.get(partition)
        if connection is None:
            connection = self._of[partition] = self._connection(self._primary(key_slot(b"{%d}" % partition)))
        return connection

    def lost(self) -> None:
        """Answers that are still to come are asked of the lines that they were sent on."""
        self._slots, self._connections, self._of = [], {}, {}

    def _primary(self, slot: int) -> Node:
        if not self._slots:
            self._ask()
        for first, last, node in self._slots:
            if first <= slot <= last:
                return node
        self._slots = []
        raise StoreUnavailable("no node of the Redis cluster has the partition's slot")

    def _ask(self) -> None:
        failed = StoreUnavailable("no node of the Redis cluster is known")
        for asked in random.sample(self._nodes, len(self._nodes)):
            try:
                told: list[Any] = self._connection(asked).ask(command(b"CLUSTER", b"SLOTS"))
            except StoreUnavailable as error:
                failed = error
                continue
            self._slots = [(int(first), int(last), _node(primary, asked)) for first, last, primary, *_ in told]
            named = [_node(each, asked) for _, _, *nodes in told for each in nodes]
            self._nodes = list(dict.fromkeys([*self._given, *named]))
            return
        raise failed

    def _connection(self, node: Node) -> Connection:
        if node not in self._connections:
            self._connections[node] = Connection(self._connect(node))
        return self._connections[node]


def _node(told: Sequence[Any], asked: Node) -> Node:
    """A node that has no address of its own to tell is reached like the one that was asked."""
    host = (told[0] or b"").decode()
    return Node(asked.host if host in ("", "?") else host, int(told[1]))
