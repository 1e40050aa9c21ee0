"""What RedisStore does when Redis refuses, fails or is slow: a commit is whole or not there, and the error says why."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from commands.embedded import EmbeddedRedis
from streams.store.port import Changes, Moved, Outgoing, Position, StoreUnavailable
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import OneServer

SECRET = "hidden-customer"
PAYLOAD = b"hidden-payload"
ENTRY = Outgoing("customer-alerts", b"k", PAYLOAD, [])
WRITES = Changes({SECRET: PAYLOAD, "other": PAYLOAD}, {SECRET: 5, "early": None}, [ENTRY, ENTRY], 1)


@pytest.fixture
def admin(server: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server, protocol=2) as client:
        yield client


@pytest.fixture
def store(server: str) -> Iterator[RedisStore]:
    with redis_client(server) as client:
        yield RedisStore(OneServer(client))


@pytest.fixture(params=[None, pytest.param("redis-server", marks=pytest.mark.redis_server)], ids=["embedded", "real"])
def fresh_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that nothing has used, so that its memory is known."""
    with EmbeddedRedis(request.param) as server:
        yield server.url


@pytest.fixture
def configured(admin: redis.Redis) -> Iterator[Callable[[str, object], None]]:
    """Changes a setting of the server for the length of the test."""
    before: dict[str, str] = {}

    def change(name: str, value: object) -> None:
        found = admin.config_get(name)
        before.setdefault(name, str(found[name]))
        admin.config_set(name, str(value))

    yield change
    for name, value in before.items():
        admin.config_set(name, value)


def seeded(store: RedisStore, partition: int) -> Position:
    changes = Changes({SECRET: b"old"}, {SECRET: 1, "early": 2}, [ENTRY, ENTRY])
    return store.commit(partition, store.claim(partition), 10, 20, changes)


def everything(store: RedisStore, partition: int) -> object:
    rows = store.load(partition, [SECRET, "other"])
    return rows, store.due(partition, 10**13, 99), store.outbox(partition, 0, 99), store.read(partition)


def refused(store: RedisStore, partition: int, at: Position, match: str, changes: Changes = WRITES) -> None:
    """The commit is refused, with words that give nothing away."""
    with pytest.raises(StoreUnavailable, match=match) as caught:
        store.commit(partition, at, 11, 21, changes)
    assert "hidden" not in str(caught.value)
    assert f"{{{partition}}}" not in str(caught.value)


def test_a_redis_that_is_not_there_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with redis_client(f"redis://127.0.0.1:{port}/0") as client, pytest.raises(StoreUnavailable, match="be reached"):
        RedisStore(OneServer(client)).claim(0)


def test_a_redis_that_says_nothing_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        with redis_client(url, timeout_seconds=0.1) as client, pytest.raises(StoreUnavailable, match="be reached"):
            RedisStore(OneServer(client)).read(0)


def test_of_rows_that_cannot_be_read_each_partition_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        with redis_client(url, timeout_seconds=0.1) as client:
            told = RedisStore(OneServer(client)).load_all([(0, ["c"]), (1, []), (2, ["c", "d"])])
            store = RedisStore(OneServer(client))
            store.ask_ahead([(0, ["c"]), (1, [])])
            ahead = store.ahead()
    assert [isinstance(answer, StoreUnavailable) for answer in told] == [True, False, True]
    assert [isinstance(answer, StoreUnavailable) for answer in ahead] == [True, False]


def test_a_wrong_password_is_named_without_being_told(server: str) -> None:
    url = server.replace("redis://", "redis://tracker:hidden@")
    with redis_client(url) as client, pytest.raises(StoreUnavailable, match="user name or password") as caught:
        RedisStore(OneServer(client)).read(0)
    assert "hidden" not in str(caught.value)


def test_a_full_redis_refuses_the_commit_and_takes_it_later(
    store: RedisStore, partition: int, configured: Callable[[str, object], None]
) -> None:
    at = seeded(store, partition)
    before = everything(store, partition)
    configured("maxmemory", 1)
    refused(store, partition, at, "maxmemory")
    assert everything(store, partition) == before
    configured("maxmemory", 0)
    assert store.commit(partition, at, 11, 21, WRITES).version == at.version + 1


def test_a_commit_that_fills_redis_is_finished_or_not_begun(fresh_server: str) -> None:
    names = [f"c{n}" for n in range(30_000)]
    changes = Changes(dict.fromkeys(names, b"row"), dict.fromkeys(names, 5), [ENTRY] * 1_000)
    with redis_client(fresh_server) as client:
        store = RedisStore(OneServer(client))
        at = seeded(store, 0)
        before = everything(store, 0)
        start = client.info("memory")["used_memory"]
        for limit in range(start, start + 20_000_000, 100_000):
            client.config_set("maxmemory", limit)
            try:
                at = store.commit(0, at, 11, 21, changes)
            except StoreUnavailable:
                assert everything(store, 0) == before
                assert store.load(0, names) == [None] * len(names)
            else:
                break
        assert start < limit < client.info("memory")["used_memory"]
        assert store.read(0) == at
        assert store.load(0, names) == [b"row"] * len(names)
        assert store.depths(0) == (len(names) + 2, at.sequence)


def test_a_replica_refuses_the_commit(store: RedisStore, admin: redis.Redis, partition: int) -> None:
    at = seeded(store, partition)
    before = everything(store, partition)
    admin.replicaof("127.0.0.1", "1")
    try:
        refused(store, partition, at, "read-only replica")
        assert everything(store, partition) == before
    finally:
        admin.replicaof("NO", "ONE")
    assert store.commit(partition, at, 11, 21, WRITES).version == at.version + 1


def test_a_redis_without_its_replicas_refuses_the_commit(
    store: RedisStore, partition: int, configured: Callable[[str, object], None]
) -> None:
    at = seeded(store, partition)
    before = everything(store, partition)
    configured("min-replicas-to-write", 1)
    refused(store, partition, at, "min-replicas")
    assert everything(store, partition) == before


@pytest.mark.parametrize(
    "command", ["mset", "hset", "hmget", "zadd", "zrem", "zcard", "xadd", "xtrim", "xlen", "fcall"]
)
def test_a_user_who_lacks_a_right_writes_nothing(
    server: str, store: RedisStore, admin: redis.Redis, partition: int, command: str
) -> None:
    at = seeded(store, partition)
    before = everything(store, partition)
    rights = ["+@all", f"-{command}"]
    admin.acl_setuser("narrow", enabled=True, reset=True, passwords=["+word"], keys=["*"], commands=rights)
    try:
        with redis_client(server.replace("redis://", "redis://narrow:word@")) as client:
            refused(RedisStore(OneServer(client)), partition, at, rf"the right \+{command}\b")
    finally:
        admin.acl_deluser("narrow")
    assert everything(store, partition) == before


@pytest.mark.parametrize("name", ["pos", "due", "outbox"])
def test_a_key_of_another_type_refuses_the_commit(
    store: RedisStore, admin: redis.Redis, partition: int, name: str
) -> None:
    at = seeded(store, partition)
    key = f"{{{partition}}}:{name}"
    admin.rename(key, key + ":aside")
    admin.set(key, "something else")
    refused(store, partition, at, "another type")
    refused(store, partition, at, "another type", replace(WRITES, outbox=[]))
    admin.rename(key + ":aside", key)
    assert store.load(partition, [SECRET, "other"]) == [b"old", None]
    assert store.commit(partition, at, 11, 21, WRITES).version == at.version + 1


def test_an_outbox_that_somebody_wrote_to_refuses_the_commit(
    store: RedisStore, admin: redis.Redis, partition: int
) -> None:
    at = seeded(store, partition)
    admin.xadd(f"{{{partition}}}:outbox", {"m": b"\x90"}, id="4-0")
    refused(store, partition, at, "refused the command")
    assert store.read(partition) == at
    assert store.load(partition, [SECRET, "other"]) == [b"old", None]
    assert store.due(partition, 10**13, 99) == [(SECRET, 1), ("early", 2)]


def test_a_redis_that_has_lost_the_functions_gets_them_again(
    store: RedisStore, admin: redis.Redis, partition: int
) -> None:
    at = seeded(store, partition)
    admin.function_flush()
    assert store.commit(partition, at, 11, 21, WRITES).version == at.version + 1


def test_a_redis_that_was_emptied_has_moved_and_starts_again(
    store: RedisStore, admin: redis.Redis, partition: int
) -> None:
    at = seeded(store, partition)
    admin.flushall()
    admin.function_flush()
    with pytest.raises(Moved):
        store.commit(partition, at, 11, 21, WRITES)
    assert store.claim(partition) == Position(1, 0, 0, 0, 0, 0, 0)


def test_a_partition_of_before_the_topics_beside_is_read_from_their_start(
    store: RedisStore, admin: redis.Redis, partition: int
) -> None:
    seeded(store, partition)
    admin.hdel(f"{{{partition}}}:pos", "outcomes", "customer_events")
    at = store.claim(partition)
    assert at.offsets == (10, 0, 0)
    assert store.commit(partition, at, 10, 21, Changes(beside=(4, 0))).offsets == (10, 4, 0)
    assert store.claim(partition).offsets == (10, 4, 0)


def test_workers_that_start_together_all_find_the_functions(server: str, admin: redis.Redis, partition: int) -> None:
    def claim(_: int) -> int:
        with redis_client(server) as client:
            return RedisStore(OneServer(client)).claim(partition).epoch

    with ThreadPoolExecutor(8) as pool:
        for turn in range(5):
            admin.function_flush()
            assert sorted(pool.map(claim, range(8))) == list(range(8 * turn + 1, 8 * turn + 9))


def test_a_late_answer_is_never_read_for_another_question(server: str, admin: redis.Redis, partition: int) -> None:
    with redis_client(server, timeout_seconds=0.1) as client:
        store = RedisStore(OneServer(client))
        at = seeded(store, partition)
        admin.client_pause(400, all=False)
        with pytest.raises(StoreUnavailable):
            store.commit(partition, at, 11, 21, Changes({"late": b"row"}))
        assert store.load(partition, [SECRET]) == [b"old"]
        deadline = time.monotonic() + 10
        while True:
            assert time.monotonic() < deadline
            try:
                at = store.claim(partition)
            except StoreUnavailable:
                continue
            break
        assert at.version in (1, 2)
        assert store.load(partition, ["late"]) == [b"row" if at.version == 2 else None]


def test_a_connection_that_the_server_closed_is_replaced(
    server: str, store: RedisStore, admin: redis.Redis, partition: int
) -> None:
    at = seeded(store, partition)
    admin.client_kill_filter(_type="normal", skipme=True)
    refused(store, partition, at, "be reached")
    assert store.commit(partition, at, 11, 21, WRITES).version == at.version + 1


def test_after_a_refusal_the_next_question_goes_over_a_new_connection(
    store: RedisStore, admin: redis.Redis, partition: int, configured: Callable[[str, object], None]
) -> None:
    """For a master that has become a replica is left only by connecting again."""

    def connections() -> set[str]:
        return {client["id"] for client in admin.client_list() if client["name"] == "customer-tracker"}

    others = connections()
    at = seeded(store, partition)
    mine = connections() - others
    configured("min-replicas-to-write", 1)
    refused(store, partition, at, "min-replicas")
    assert store.read(partition) == at
    assert len(connections() - others - mine) == 1
