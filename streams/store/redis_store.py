"""The state in Redis 7, Sentinel's master, Redis Cluster or Valkey: what commit.lua writes, read and asked for."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import Any
from weakref import WeakSet

import msgspec
import redis
from redis.connection import ConnectionPool
from redis.sentinel import Sentinel

from streams.ops.settings import Settings
from streams.store.commands import claim, command, commit, mget, reads
from streams.store.connection import Connection, FunctionMissing, KeyRefused, LibraryThere, RightMissing
from streams.store.port import FIELDS, Changes, Fenced, Moved, Outgoing, Position, StoreUnavailable, after
from streams.store.profile_library import profile_library, supersedes
from streams.store.redis_options import ANSWER_SECONDS_MAX, fixed_options, nodes, options_of, sentinel_options
from streams.store.redis_safety import see_that_it_keeps_writes
from streams.store.routing import ClusterNodes, Node, OneServer, Routing

_LIBRARY = Path(__file__).with_name("commit.lua").read_bytes()
_FIELDS = tuple(name.encode() for name in FIELDS)
_SCAN_COUNT = b"1000"
_PAGE = 1_000


def redis_client(url: str, timeout_seconds: float = ANSWER_SECONDS_MAX) -> redis.Redis:
    """A client for RedisStore: redis://, rediss:// or unix://. Connects when first asked; never retries by itself.

    No answer within `timeout_seconds` is an error. Raises ValueError for another kind of address.
    """
    return redis.Redis.from_url(url, **fixed_options(timeout_seconds))


def redis_routing(settings: Settings) -> Routing:
    """The connections that the settings name: to one Redis, to the one that Sentinel says is the master whenever it
    connects, or to the nodes of a cluster."""
    if settings.redis_cluster:
        options = options_of(settings)

        def connect(node: Node) -> ConnectionPool:
            return ConnectionPool(**options | node._asdict())

        return ClusterNodes(connect, nodes(settings))
    return OneServer(redis_of(settings))


def redis_of(settings: Settings) -> redis.Redis:
    """The client of the one Redis, or of the one that Sentinel says is the master whenever it connects."""
    options = options_of(settings)
    if settings.redis_sentinels is None:
        return redis.Redis(connection_pool=ConnectionPool(**options))
    for name in ("host", "port", "path", "connection_class"):
        options.pop(name, None)
    encrypted = str(settings.redis_url).startswith("rediss:")
    servers = [(host.strip("[]"), int(port)) for host, port in _hosts(str(settings.redis_sentinels))]
    found = Sentinel(servers, sentinel_kwargs=sentinel_options(settings), ssl=encrypted, **options)  # type: ignore[no-untyped-call]
    master: redis.Redis = found.master_for(settings.redis_sentinel_master)  # type: ignore[no-untyped-call]
    return master


def _hosts(servers: str) -> list[tuple[str, str]]:
    return [(host, port) for host, _, port in (server.rpartition(":") for server in servers.split(","))]


class RedisStore:
    """A Store over connections of its own, to one Redis or to the nodes of a cluster.

    The library is loaded where Redis does not have it (a new server, an empty one after a failover).
    """

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._sent: deque[tuple[int, int, Connection]] = deque()
        """Partition, epoch and connection of each commit that was sent and not asked about."""
        self._asked_ahead: list[Connection | StoreUnavailable | None] = []
        """Where each answer to `ask_ahead` is to come from, None where nothing was to ask."""
        self._ready: WeakSet[Connection] = WeakSet()
        """Connections to servers that have tracker_profile, keep what is written, and let us do what we must."""

    def claim(self, partition: int) -> Position:
        """Raises RightMissing where the Redis user may not do all that will be needed, UnsafeRedis where Redis would
        lose what is written: before anything is."""
        if self._connection(partition) not in self._ready:
            self._get_ready(partition)
        try:
            return _position(self._call(partition, claim(partition)))
        except KeyRefused:
            raise RightMissing("~{*}:pos") from None

    def load(self, partition: int, customers: Sequence[str]) -> list[bytes | None]:
        if not customers:
            return []
        rows: list[bytes | None] = self._ask(partition, mget(partition, customers))
        return rows

    def load_all(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> list[list[bytes | None] | StoreUnavailable]:
        found: list[list[bytes | None] | StoreUnavailable] = [[] for _ in wanted]
        places: dict[Connection, list[int]] = {}
        for place, (partition, customers) in enumerate(wanted):
            if customers:
                try:
                    places.setdefault(self._connection(partition), []).append(place)
                except StoreUnavailable as error:
                    found[place] = error
        for connection, its in places.items():
            for place, answer in zip(its, connection.ask_all([mget(*wanted[place]) for place in its]), strict=True):
                found[place] = answer
        if any(isinstance(answer, StoreUnavailable) for answer in found):
            self._lost()
        return found

    def ask_ahead(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> None:
        self.ahead()
        for partition, customers in wanted:
            connection: Connection | StoreUnavailable | None = None
            if customers:
                try:
                    connection = self._connection(partition)
                    connection.send_aside(mget(partition, customers))
                except StoreUnavailable as error:
                    connection = error
            self._asked_ahead.append(connection)
        for connection in dict.fromkeys(self._asked_ahead):
            if isinstance(connection, Connection):
                connection.flush()

    def ahead(self) -> list[list[bytes | None] | StoreUnavailable]:
        asked, self._asked_ahead = self._asked_ahead, []
        return [
            connection.aside() if isinstance(connection, Connection) else (connection or []) for connection in asked
        ]

    def due(self, partition: int, until: int, limit: int) -> list[tuple[str, int]]:
        bounds = [b"-inf", b"%d" % until, b"BYSCORE", b"LIMIT", b"0", b"%d" % limit, b"WITHSCORES"]
        flat: list[bytes] = self._ask(partition, command(b"ZRANGE", b"{%d}:due" % partition, *bounds))
        return _customers_due(flat)

    def next_due(self, partition: int) -> int | None:
        earliest = command(b"ZRANGE", b"{%d}:due" % partition, b"0", b"0", b"WITHSCORES")
        first: list[bytes] = self._ask(partition, earliest)
        return int(float(first[1])) if first else None

    def seen(self, partition: int, segments: Sequence[int]) -> dict[int, bytes]:
        prefix = b"{%d}:seen:" % partition
        found: dict[int, bytes] = {}
        for segment in segments:  # one at a time: half a megabyte each
            data: bytes | None = self._ask(partition, command(b"GET", prefix + b"%d" % segment))
            if data is not None:
                found[segment] = data
        return found

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        new = after(at, offset, clock, changes)
        _judge(partition, at.epoch, self._call(partition, commit(partition, at, new, changes)))
        return new

    def send(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        new = after(at, offset, clock, changes)
        connection = self._connection(partition)
        connection.send(commit(partition, at, new, changes))
        self._sent.append((partition, at.epoch, connection))
        return new

    def flush(self) -> None:
        for connection in dict.fromkeys(connection for *_, connection in self._sent):
            connection.flush()

    def has_answer(self) -> bool:
        return bool(self._sent) and self._sent[0][2].has_answer()

    def answered(self) -> None:
        partition, epoch, connection = self._sent.popleft()
        with self._watched():
            answer = connection.answer()
        _judge(partition, epoch, answer)

    def outbox(self, partition: int, after: int, limit: int) -> list[tuple[int, Outgoing]]:
        span = [b"%d" % (after + 1), b"+", b"COUNT", b"%d" % limit]
        entries: list[tuple[bytes, list[bytes]]] | None = self._ask(
            partition, command(b"XRANGE", b"{%d}:outbox" % partition, *span)
        )
        return [(int(name.partition(b"-")[0]), _outgoing.decode(held[1])) for name, held in entries or ()]

    def depths(self, partition: int) -> tuple[int, int]:
        due: int = self._ask(partition, command(b"ZCARD", b"{%d}:due" % partition))
        outbox: int = self._ask(partition, command(b"XLEN", b"{%d}:outbox" % partition))
        return due, outbox

    def customers(self, partition: int) -> list[str]:
        return list(dict.fromkeys(self._names(partition)))

    def all_due(self, partition: int) -> Iterator[tuple[str, int]]:
        for first in count(0, _PAGE):
            span = [b"%d" % first, b"%d" % (first + _PAGE - 1), b"WITHSCORES"]
            flat: list[bytes] = self._ask(partition, command(b"ZRANGE", b"{%d}:due" % partition, *span))
            yield from _customers_due(flat)
            if len(flat) < 2 * _PAGE:
                return

    def forget(self, partition: int, customers: Sequence[str]) -> None:
        prefix, names = b"{%d}:" % partition, [customer.encode() for customer in customers]
        for some in (names[at : at + _PAGE] for at in range(0, len(names), _PAGE)):
            # The row goes last: by it whoever died in between finds the customer again.
            self._ask(partition, command(b"ZREM", prefix + b"due", *some))
            self._ask(partition, command(b"DEL", *[prefix + b"c:" + name for name in some]))

    def sample(self, partition: int, most: int) -> list[bytes]:
        # by SCAN they come in the order of their hashes
        names = list(islice(dict.fromkeys(islice(self._names(partition), 2 * most)), most))
        return [row for row in self.load(partition, names) if row is not None]

    def read(self, partition: int) -> Position | None:
        found: list[bytes | None] = self._ask(partition, command(b"HMGET", b"{%d}:pos" % partition, *_FIELDS))
        return None if found[0] is None else _position(found)

    def look(self, partition: int, customer: str) -> tuple[bytes | None, Position | None]:
        """A customer's row, and where the partition stands, in one round trip."""
        asked = [mget(partition, [customer]), command(b"HMGET", b"{%d}:pos" % partition, *_FIELDS)]
        with self._watched():
            rows, stands = self._connection(partition).ask_all(asked)
            for answer in (rows, stands):
                if isinstance(answer, StoreUnavailable):
                    raise answer
        return rows[0], None if stands[0] is None else _position(stands)

    def _names(self, partition: int) -> Iterator[str]:
        """Customers, some more than once."""
        start = len(b"{%d}:c:" % partition)
        for key in self._scan(partition, b"{%d}:c:*" % partition):
            if not (name := key[start:].decode()).startswith("\0"):
                yield name

    def _scan(self, partition: int, pattern: bytes) -> Iterator[bytes]:
        cursor = b"0"
        while True:
            keys: list[bytes]
            cursor, keys = self._ask(partition, command(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", _SCAN_COUNT))
            yield from keys
            if cursor == b"0":
                return

    def _call(self, partition: int, told: bytes) -> Any:
        try:
            return self._ask(partition, told)
        except FunctionMissing:
            self._load_library(partition)
            return self._ask(partition, told)

    def _get_ready(self, partition: int) -> None:
        see_that_it_keeps_writes(partition, lambda told: self._ask(partition, told))
        self._load_profile(partition)
        for right, asked in reads(partition):
            try:
                self._ask(partition, asked)
            except KeyRefused:
                raise RightMissing(right) from None
        self._ready.add(self._connection(partition))

    def _load_profile(self, partition: int) -> None:
        """Leaves tracker_profile to readers of every kind, as this program knows the rows and the features."""
        try:
            loaded: bytes = self._ask(partition, command(b"FCALL_RO", b"tracker_profile_edition", b"0"))
            newer = supersedes(loaded.decode())
        except FunctionMissing:
            newer = True
        if newer:
            self._ask(partition, command(b"FUNCTION", b"LOAD", b"REPLACE", profile_library()))

    def _load_library(self, partition: int) -> None:
        with suppress(LibraryThere):  # another worker was quicker
            self._ask(partition, command(b"FUNCTION", b"LOAD", _LIBRARY))
        self._load_profile(partition)

    def _ask(self, partition: int, told: bytes) -> Any:
        with self._watched():
            return self._connection(partition).ask(told)

    def _connection(self, partition: int) -> Connection:
        return self._routing.of(partition)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (FunctionMissing, LibraryThere, RightMissing):
            raise
        except StoreUnavailable:
            self._lost()
            raise

    def _lost(self) -> None:
        """The next connection may lead to another server."""
        self._routing.lost()
        self._ready.clear()


_outgoing = msgspec.msgpack.Decoder(Outgoing)


def _position(found: Sequence[bytes | None]) -> Position:
    return Position.of([int(value or 0) for value in found])


def _customers_due(flat: Sequence[bytes]) -> list[tuple[str, int]]:
    return [(customer.decode(), int(float(at))) for customer, at in zip(flat[::2], flat[1::2], strict=True)]


def _judge(partition: int, epoch: int, verdict: bytes) -> None:
    if verdict == b"FENCED":
        raise Fenced(f"partition {partition} has a newer owner than epoch {epoch}")
    if verdict == b"MOVED":
        raise Moved(f"partition {partition} does not stand where the owner of epoch {epoch} left it")
