"""Whatever goes wrong on the way to Redis is StoreUnavailable: nothing that redis-py raises gets past it."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import redis.cluster
from redis import exceptions
from redis.connection import ConnectionPool

from streams.store.connection import Connection, KeyRefused, RightMissing, Unreachable, unavailable
from streams.store.port import Changes, Position, StoreUnavailable
from streams.store.redis_safety import see_that_it_keeps_writes
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import ClusterNodes, Node, OneServer

AT = Position(1, 0, 0, 0, 0, 0, 0)


def _made(kind: type[Exception]) -> Exception:
    """One of the kind, however it wants to be made."""
    for arguments in (("hidden text",), ("5 h:1",), (), ("hidden text", "more")):
        try:
            return kind(*arguments)
        except (TypeError, ValueError):
            continue
    raise AssertionError(f"{kind.__name__} could not be made")


def _sent(store: RedisStore) -> None:
    store.send(0, AT, 1, 0, Changes())
    store.flush()
    store.answered()


KINDS = sorted(
    {
        kind
        for module in (exceptions, redis.cluster)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    },
    key=lambda kind: kind.__name__,
)


class Failing(ConnectionPool):
    """A pool whose connections can't be made, for the reason given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Never returns."""
        raise self._error


@pytest.mark.parametrize("kind", [*KINDS, OSError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("cluster", [False, True], ids=["one server", "cluster"])
def test_every_error_of_the_library_is_told_as_the_store_being_unavailable(
    kind: type[Exception], cluster: bool
) -> None:
    pool = Failing(_made(kind))
    client = redis_client("redis://h:1")
    client.connection_pool = pool
    store = RedisStore(ClusterNodes(lambda node: pool, [Node("h", 1)]) if cluster else OneServer(client))
    for asked in (store.claim, store.read, store.next_due, store.customers):
        with pytest.raises(StoreUnavailable):
            asked(0)
    assert isinstance(store.load_all([(0, ["c"])])[0], StoreUnavailable)
    store.ask_ahead([(0, ["c"])])
    assert isinstance(store.ahead()[0], StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        store.commit(0, AT, 1, 0, Changes())
    with pytest.raises(StoreUnavailable):
        _sent(store)


def test_no_kind_is_missing_from_the_walk() -> None:
    assert {exceptions.RedisClusterException, exceptions.RedisError, exceptions.SlotNotCoveredError} <= set(KINDS)
    assert len(KINDS) > 30


def test_an_error_while_an_answer_is_awaited_is_an_answer() -> None:
    line = Connection(Failing(exceptions.RedisClusterException("hidden")))
    line.send(b"a", b"b")
    line.flush()
    assert line.has_answer()
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            line.answer()
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("NOPERM this user has no permissions to run the 'mget' command", "+mget"),
        ("NOPERM User a has no permissions to run the 'cluster|slots' command", "+cluster|slots"),
        ("NOPERM tracker: the user may not run the 'xadd' command on {*}:outbox", "+xadd on ~{*}:outbox"),
        ("ACL failure in script: User a has no permissions to run the 'hmget' command script: on @x", "+hmget"),
    ],
)
def test_a_right_that_is_missing_is_named_as_it_stands_in_an_acl(text: str, right: str) -> None:
    found = unavailable(exceptions.ResponseError(text))
    assert isinstance(found, RightMissing)
    assert f"the right {right} (" in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "NOPERM this user has no permissions to access one of the keys used as arguments",
        "NOPERM No permissions to access a key",
    ],
)
def test_a_key_that_is_refused_is_told_as_a_key(text: str) -> None:
    assert isinstance(unavailable(exceptions.ResponseError(text)), KeyRefused)


def _told(error: Exception) -> Callable[[bytes], Any]:
    """A Redis that says who it is, and this to anything else."""

    def ask(told: bytes) -> Any:
        if b"HELLO" in told:
            return [b"server", b"redis", b"version", b"7.1.0", b"proto", 2]
        raise unavailable(error)

    return ask


def test_a_redis_as_a_service_that_knows_no_acl_is_written_to_and_the_log_says_what_is_not_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    see_that_it_keeps_writes(0, _told(exceptions.ResponseError("unknown command 'ACL'")))
    assert "not known whether Redis keeps what is written" in caplog.text
    with pytest.raises(Unreachable):
        see_that_it_keeps_writes(0, _told(exceptions.ConnectionError("closed")))
