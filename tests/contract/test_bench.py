"""`tracker bench` on real servers: what it promises of its last line, and that it leaves nothing behind."""

import subprocess
import sys

import orjson
import redis
from confluent_kafka.admin import AdminClient

from commands.embedded import EmbeddedRedis
from tests.servers import Kafka

PROMISED = {
    "events_per_s",
    "cpu_us_per_event",
    "latency_p50_ms",
    "latency_p99_ms",
    "latency_p999_ms",
    "redis_bytes_per_customer",
    "customers",
    "workers",
    "guarantees",
}


def bench(kafka: Kafka, server: EmbeddedRedis, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands", "bench", "--kafka", kafka.bootstrap_servers, "--redis", server.url]
    size = ["--events", "10000", "--customers", "5000", "--seconds", "1", "--json"]
    return subprocess.run([*command, *size, *words], capture_output=True, text=True, timeout=200)


def test_measures_and_leaves_nothing_behind(kafka: Kafka, redis_server: EmbeddedRedis) -> None:
    ended = bench(kafka, redis_server, "--only", "throughput", "--only", "latency", "--workers", "2")
    assert ended.returncode == 0, ended.stderr
    found = orjson.loads(ended.stdout.splitlines()[-1])
    assert found.keys() >= PROMISED
    assert found["workers"] == 2
    assert found["guarantees"]["redis_append_only_file"] is True
    assert all(found[name] > 0 for name in PROMISED - {"guarantees"})
    assert [latency["missing"] for latency in found["latencies"]] == [0, 0]
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.dbsize() == 0
    topics = AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=10).topics
    assert not [name for name in topics if name.startswith("tracker-bench")]


def test_refuses_a_redis_that_holds_a_trackers_state(kafka: Kafka, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.hset("{3}:pos", "epoch", 1)
        ended = bench(kafka, redis_server, "--only", "throughput")
        assert ended.returncode == 1
        assert "holds a tracker's state in partition 3" in ended.stderr.replace("\n", " ")
        assert client.hgetall("{3}:pos") == {b"epoch": b"1"}
