"""Which connection leads to a partition: always the same to a single Redis, that of the slot's node in a cluster."""

from collections.abc import Callable
from typing import Protocol

import redis

from streams.redis_line import Line, unavailable


class Lines(Protocol):
    """Used by one thread."""

    def of(self, partition: int) -> Line:
        """The connection for the keys of a partition. Raises StoreUnavailable."""

    def lost(self) -> None:
        """Something on a connection went wrong: partitions may be elsewhere by now."""


class OneServer:
    """A single Redis, or the master that a Sentinel client names."""

    def __init__(self, client: redis.Redis) -> None:
        self._line = Line(client.connection_pool)

    def of(self, partition: int) -> Line:
        return self._line

    def lost(self) -> None:
        """The line connects again by itself, to wherever its pool says."""


class ClusterNodes:
    """A connection to each node that has a partition of ours. All keys of a partition are in one slot, for their tag.

    After any trouble the cluster is asked anew which node has which slot. A slot that is on the move answers ASK or
    TRYAGAIN to some commands: its partition waits, like one whose node is down, until the move is over.
    """

    def __init__(self, connect: Callable[[], redis.RedisCluster]) -> None:
        """`connect` asks the cluster for its nodes."""
        self._connect = connect
        self._cluster: redis.RedisCluster | None = None
        self._lines: dict[str, Line] = {}

    def of(self, partition: int) -> Line:
        try:
            if self._cluster is None:
                self._cluster = self._connect()
            node = self._cluster.get_node_from_key(f"{{{partition}}}")  # type: ignore[no-untyped-call]
            pool = self._cluster.get_redis_connection(node).connection_pool
        except (redis.RedisError, OSError) as error:
            raise unavailable(error) from None
        return self._lines.setdefault(node.name, Line(pool))

    def lost(self) -> None:
        """Answers that are still to come are asked of the lines that they were sent on."""
        self._cluster, self._lines = None, {}
