"""Redis over TLS, with certificates on both sides, found through Sentinels that have users of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from streams.ops.settings import Settings
from streams.store.port import Changes, StoreUnavailable
from streams.store.redis_store import RedisStore, redis_routing
from tests.live import until
from tests.secured.certificates import Authority
from tests.secured.redis_page import SENTINEL, rules_of
from tests.secured.redis_servers import PASSWORD, Secured, SecuredServer, answers

pytestmark = pytest.mark.redis_server
MASTER = "tracker"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    return Secured(tmp_path_factory.mktemp("secured"))


@pytest.fixture(scope="module")
def server(secured: Secured) -> Iterator[SecuredServer]:
    running = secured.start()
    yield running
    running.close()


def store(**settings: Any) -> RedisStore:
    return RedisStore(redis_routing(Settings(**settings)))


def test_a_worker_writes_over_tls_with_a_certificate_of_its_own(secured: Secured, server: SecuredServer) -> None:
    mine = store(redis_url=server.url(), **secured.settings())
    at = mine.commit(0, mine.claim(0), 1, 2, Changes({"c": b"row"}))
    assert mine.read(0) == at
    assert mine.load(0, ["c"]) == [b"row"]


def test_a_server_that_an_authority_unknown_to_us_has_signed_is_not_talked_to(
    secured: Secured, server: SecuredServer, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "Somebody else")
    for changes in ({"redis_ssl_ca_location": str(other.location)}, {"redis_ssl_ca_location": None}):
        with pytest.raises(StoreUnavailable, match=r"be reached.*certificate verify failed") as caught:
            store(redis_url=server.url(), **secured.settings() | changes).read(0)
        assert PASSWORD not in str(caught.value).split()


def test_a_server_under_a_name_that_its_certificate_does_not_have_is_not_talked_to(
    secured: Secured, server: SecuredServer
) -> None:
    with pytest.raises(StoreUnavailable, match="IP address mismatch"):
        store(redis_url=server.url(host="127.0.0.2"), **secured.settings()).read(0)
    assert store(redis_url=server.url(host="localhost"), **secured.settings()).read(9) is None


def test_a_worker_without_a_certificate_is_not_let_in(secured: Secured, server: SecuredServer) -> None:
    with pytest.raises(StoreUnavailable, match="be reached"):
        store(redis_url=server.url(), redis_ssl_ca_location=str(secured.authority.location)).read(0)


def test_a_worker_that_speaks_no_tls_is_not_let_in(server: SecuredServer) -> None:
    with pytest.raises(StoreUnavailable, match="be reached"):
        store(redis_url=server.url().replace("rediss", "redis")).read(0)


class Watched:
    """A primary, a replica and a Sentinel, all with TLS and users."""

    def __init__(self, secured: Secured, stack: ExitStack) -> None:
        self.master, self.replica = secured.start(), secured.start()
        stack.callback(self.master.close)
        stack.callback(self.replica.close)
        self.replica.client.replicaof("127.0.0.1", str(self.master.port))
        until(lambda: self.replica.client.info("replication")["master_link_status"] == "up")
        self.sentinel = secured.start_sentinel(MASTER, self.master.port)
        stack.callback(self.sentinel.close)
        until(lambda: len(self.sentinel.client.sentinel_slaves(MASTER)) == 1)
        self.settings = {
            "redis_url": self.master.url().replace(str(self.master.port), "1"),
            "redis_sentinels": f"127.0.0.1:{self.sentinel.port}",
            "redis_sentinel_master": MASTER,
            "redis_sentinel_username": SENTINEL,
            "redis_sentinel_password": PASSWORD,
            **secured.settings(),
        }


@pytest.fixture(scope="module")
def watched(secured: Secured) -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(secured, stack)


def test_without_their_password_sentinels_tell_nothing(watched: Watched) -> None:
    wrong = {"redis_sentinel_password": "hidden"}
    none = {"redis_sentinel_password": None, "redis_sentinel_username": None}
    for changes in (wrong, none):
        with pytest.raises(StoreUnavailable, match="Redis cannot be reached: No master found") as caught:
            store(**watched.settings | changes).read(0)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("rule", rules_of(SENTINEL))
def test_a_right_at_the_sentinels_that_is_missing_is_named(watched: Watched, rule: str) -> None:
    admin: Callable[..., object] = watched.sentinel.client.execute_command
    admin("ACL", "SETUSER", SENTINEL, f"-{rule[1:]}")
    try:
        with pytest.raises(StoreUnavailable) as caught:
            store(**watched.settings).read(0)
        assert f"the right {rule} " in str(caught.value)
    finally:
        admin("ACL", "SETUSER", SENTINEL, rule)


def test_sentinels_with_users_and_tls_say_where_redis_is_also_after_a_failover(watched: Watched) -> None:
    mine = store(**watched.settings)
    at = mine.commit(0, mine.claim(0), 1, 2, Changes({"c": b"row"}))
    until(lambda: watched.replica.client.hget("{0}:pos", "version") == b"1")
    watched.master.kill()
    until(lambda: answers(lambda: watched.replica.client.info("replication")["role"] == "master"))

    def claimed() -> bool:
        try:
            return mine.claim(0).version == at.version
        except StoreUnavailable:
            return False

    until(claimed)
    assert watched.replica.client.hget("{0}:pos", "epoch") == b"%d" % (at.epoch + 1)
