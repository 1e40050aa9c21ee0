"""While workers are brought up one by one, old and new ones own partitions of the same Redis in turn: what either has
committed the other takes over, and neither writes over the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.store.port import FIELDS, Changes, Fenced, Moved, Offsets
from streams.store.redis_store import RedisStore, redis_client
from streams.store.routing import OneServer

COMMIT_2 = Path(__file__).with_name("commit_2.lua").read_bytes()
"""commit.lua as it was when it knew the names of the topics beside the transactions by itself."""

MORE = [0] * (len(FIELDS) - 9)
"""How far topics are read that have come since."""


class Worker:
    """Another version of the program: its calls, argument by argument."""

    def __init__(self, client: redis.Redis, version: int, topics: tuple[str, ...]) -> None:
        self._client = client
        self._version = version
        self._named = [] if version == 2 else [len(topics), *topics]

    def claim(self, partition: int) -> list[int]:
        found: Any = self._client.fcall(f"tracker_claim_{self._version}", 1, f"{{{partition}}}:pos", *self._named)
        return [int(value or 0) for value in found]

    def commit(self, partition: int, at: list[int], row: str, new: list[int]) -> str:
        """One row and no more, which leads to that position, epoch included."""
        keys = [f"{{{partition}}}:{name}" for name in ("pos", "due", "outbox", "c:ann")]
        counts = [0, 0, 0, 0, 0]
        numbers: list[Any] = [*self._named, *at, *new[1:], *counts, row]
        answer: Any = self._client.fcall(f"tracker_commit_{self._version}", len(keys), *keys, *numbers)
        return str(answer.decode())


@pytest.fixture
def client(server: str) -> Iterator[redis.Redis]:
    with redis_client(server) as client:
        yield client


@pytest.fixture
def new(client: redis.Redis) -> RedisStore:
    return RedisStore(OneServer(client))


@pytest.fixture
def old(client: redis.Redis) -> Worker:
    """A worker of the version before, which has loaded its library."""
    client.execute_command("FUNCTION", "LOAD", "REPLACE", COMMIT_2)
    return Worker(client, 2, ())


def test_what_the_version_before_has_committed_is_taken_over(old: Worker, new: RedisStore, partition: int) -> None:
    at = old.claim(partition)
    assert old.commit(partition, at, "theirs", [*at[:1], 1, 7, 0, 50, 0, 0, 3, 2]) == "OK"
    position = new.claim(partition)
    assert position.numbers == [2, 1, 7, 0, 50, 0, 0, 3, 2, *MORE]
    assert position.offsets == Offsets(7, 3, 2)
    assert new.load(partition, ["ann"]) == [b"theirs"]
    moved_on = new.commit(partition, position, 8, 60, Changes({"ann": b"ours"}, beside=Offsets(0, 0, 5)[1:]))
    assert moved_on.offsets == Offsets(8, 3, 5)


def test_an_old_worker_and_a_new_one_fence_each_other_and_lose_nothing(
    old: Worker, new: RedisStore, partition: int
) -> None:
    theirs = old.claim(partition)
    ours = new.claim(partition)
    assert old.commit(partition, theirs, "late", [1, 1, 1, 0, 0, 0, 0, 0, 0]) == "FENCED"
    ours = new.commit(partition, ours, 8, 60, Changes({"ann": b"ours"}, beside=Offsets(0, 4, 1)[1:]))
    theirs = old.claim(partition)
    assert theirs == [3, 1, 8, 0, 60, 0, 0, 4, 1]
    with pytest.raises(Fenced):
        new.commit(partition, ours, 9, 70, Changes({"ann": b"late"}))
    assert old.commit(partition, theirs, "theirs", [3, 2, 9, 0, 70, 0, 0, 4, 6]) == "OK"
    assert new.load(partition, ["ann"]) == [b"theirs"]
    assert new.claim(partition).numbers == [4, 2, 9, 0, 70, 0, 0, 4, 6, *MORE]


def test_a_topic_that_only_a_newer_worker_reads_stands_where_that_has_left_it(
    client: redis.Redis, new: RedisStore, partition: int
) -> None:
    """Both call the same function, so that one more topic makes nobody load another."""
    ours = new.claim(partition)
    newer = Worker(client, 3, (*FIELDS[7:], "messages"))
    at = newer.claim(partition)
    assert at == [*ours._replace(epoch=2).numbers, 0]
    assert newer.commit(partition, at, "theirs", [2, 1, 5, 0, 50, 0, 0, 1, 1, *MORE, 12]) == "OK"
    ours = new.claim(partition)
    assert ours.offsets == Offsets(5, 1, 1)
    ours = new.commit(partition, ours, 6, 60, Changes({"ann": b"ours"}))
    at = newer.claim(partition)
    assert at == [4, 2, 6, 0, 60, 0, 0, 1, 1, *MORE, 12]
    assert newer.commit(partition, [*at[:-1], 11], "late", [4, 3, 6, 0, 60, 0, 0, 1, 1, *MORE, 13]) == "MOVED"
    assert newer.commit(partition, at, "theirs", [4, 3, 6, 0, 60, 0, 0, 1, 1, *MORE, 13]) == "OK"
    with pytest.raises(Fenced):
        new.commit(partition, ours, 7, 60, Changes())
    with pytest.raises(Moved):
        new.commit(partition, ours._replace(epoch=4), 7, 60, Changes())


@pytest.mark.parametrize("named", [["many"], [-1], [40]])
def test_a_call_that_does_not_say_which_topics_it_reads_is_refused(
    client: redis.Redis, new: RedisStore, partition: int, named: list[Any]
) -> None:
    new.claim(partition)
    for function in ("tracker_claim_3", "tracker_commit_3"):
        with pytest.raises(redis.ResponseError, match="do not add up"):
            client.fcall(function, 1, f"{{{partition}}}:pos", *named)
