"""The embedded servers answer as the real ones do where the tracker needs it, and leave nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
import redis
from confluent_kafka import Producer

from commands.embedded import EmbeddedBroker, EmbeddedError, EmbeddedRedis


def test_a_topic_cannot_be_created_twice() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("once", 1)
        with pytest.raises(EmbeddedError, match="once"):
            broker.create_topic("once", 2)


def test_two_brokers_know_nothing_of_each_other() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        one.create_topic("mine", 2)
        producer = Producer({"bootstrap.servers": other.bootstrap_servers})
        assert "mine" not in producer.list_topics(timeout=10).topics


def test_redis_answers_appends_every_second_and_is_gone_with_its_files() -> None:
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        assert client.set("k", b"v")
        assert client.get("k") == b"v"
        settings = client.config_get("*")
        assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "everysec")
        assert settings["bind"] == "127.0.0.1"
        directory = Path(settings["dir"])
        assert directory.is_dir()
    with redis.Redis.from_url(server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    assert not directory.exists()
    server.close()


def test_redis_ends_with_the_process_that_started_it_even_when_that_is_killed() -> None:
    program = "from commands.embedded import EmbeddedRedis; s = EmbeddedRedis(); print(s.url, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            server_pid = int(client.info("server")["process_id"])
            directory = client.config_get("dir")["dir"]
        parent.send_signal(signal.SIGKILL)
    deadline = monotonic() + 10
    while _runs(server_pid):
        assert monotonic() < deadline, "the server outlived its parent"
    shutil.rmtree(directory)


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(EmbeddedError, match="ended with status"):
        EmbeddedRedis("/bin/false")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text("utf-8").rsplit(")", 1)[1].split()[0] == "Z")
