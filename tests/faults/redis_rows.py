"""Rows: what happens to Redis."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import redis

from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import WENT_BACK, Scene
from tests.faults.servers import RedisServer, until
from tests.faults.workload import Plan, lately, records
from tests.faults.world import ALWAYS, EVERYSEC, Row, Seed

SLOW_MS = 150
SAID_SECONDS_MAX = 20
PLAN = Plan(events=400)
WALL = lately(Plan(events=400))
KNOWN = "partitions known to have gone back"
"""More is published than the store knows of."""


def killed_redis(seed: Seed, *options: str) -> Figures:
    """kill -9 of Redis in the middle, twice, and a restart over the log that it left."""
    with (
        RedisServer(*options) as server,
        Scene(seed.world.kafka, server.url, PLAN.partitions, poll_records_max=8) as scene,
    ):
        scene.publish(records(PLAN, seed.number))
        scene.start()
        for _ in range(2):
            scene.progress(seed.chance.randint(2, 12))
            run, working = server.run_id(), scene.behind() > 0
            server.kill()
            time.sleep(seed.chance.uniform(0, 0.5))
            server.start()
            seed.happened("Redis killed at work", working and server.run_id() != run)
        scene.rest()
        seed.happened("commands not answered", scene.says("Redis cannot be reached"))
        return scene.audit(seed.notes.append)


def went_back(seed: Seed) -> Figures:
    """A cut of power takes the last commits of Redis, of which Kafka has the alerts already. Every other seed waits
    for ticks of the clock on the wall, and a third is also killed while it reads again."""
    plan, clock = ((PLAN, "stream"), (WALL, "wall"))[seed.number % 2]
    with RedisServer(*EVERYSEC) as server:
        scene = Scene(seed.world.kafka, server.url, plan.partitions, poll_records_max=8, clock=clock)
        with scene:
            earlier, later = sliced(records(plan, seed.number), 2)
            scene.publish(earlier)
            worker = scene.start()
            scene.progress(seed.chance.randint(0, 20))
            copy = copied(scene, server)
            scene.publish(later)  # however quick the worker is, it has commits left to lose
            if seed.number % 4 < 2:
                seed.must(KNOWN)
                scene.rest()
            else:
                scene.progress(seed.chance.randint(1, 15))
            go_back(seed, scene, server, copy)
            if seed.number % 3 == 0:
                seed.must("killed while it reads again")
                for life in range(3):  # the first at once: a quick worker has soon read it all again
                    time.sleep(seed.chance.uniform(0.5, 2.5) if life else seed.chance.uniform(0, 0.2))
                    healing = not scene.at_rest()
                    worker.kill()
                    seed.happened("killed while it reads again", healing and worker.killed())
                    worker = scene.start()
            scene.rest()
            seed.happened(KNOWN, scene.says(WENT_BACK))
            return scene.audit(seed.notes.append)


class Copy(NamedTuple):
    """Of Redis' files, as a cut of power could have left them."""

    files: Path
    commits: int
    """The store had seen no fewer when they were copied."""


def copied(scene: Scene, server: RedisServer) -> Copy:
    """What the server holds now."""
    files = server.copied()
    return Copy(files, scene.commits())


def go_back(seed: Seed, scene: Scene, server: RedisServer, copy: Copy) -> None:
    """Redis is killed, and starts again with what the copy has. What is lost is counted before: a quick worker may have
    made up for it before anybody can ask."""
    seed.happened("commits lost", max(0, scene.commits() - copy.commits))
    server.kill()
    server.restore(copy.files)
    server.start()
    scene.commits()  # finds that the connection is closed


def refused(seed: Seed) -> Figures:
    """Redis takes no writes for some seconds, for one reason after the other: full, a replica, no disk left, slow."""
    with (
        tempfile.TemporaryDirectory(prefix="tracker-disk-") as folder,
        ExitStack() as undo,
    ):
        small = Path(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
        undo.callback(subprocess.run, ["umount", "-l", folder], check=False)
        server = undo.enter_context(RedisServer(*ALWAYS, directory=small))
        port = seed.world.proxies.line(server.port, f"slow-{server.port}")
        scene = undo.enter_context(
            Scene(
                seed.world.kafka,
                f"redis://127.0.0.1:{port}/0",
                PLAN.partitions,
                audit_redis_url=server.url,
                poll_records_max=8,
            )
        )
        scene.start()
        for part, trouble in zip(
            sliced(records(PLAN, seed.number), 4), (_full, _replica, _no_disk, _slow), strict=True
        ):
            words = TROUBLES[trouble]
            before = scene.says(words)
            with trouble(server, small, seed):
                scene.publish(part)
                if trouble is _slow:
                    seed.happened("slow", _pings_slowly(port))
                else:
                    _wait_for(scene, words, before)
                time.sleep(seed.chance.uniform(0, 2))
            scene.rest()
            seed.happened(words, scene.says(words) - before)
        return scene.audit(seed.notes.append)


@contextmanager
def _full(server: RedisServer, _: Path, seed: Seed) -> Iterator[None]:
    with server.client() as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def _replica(server: RedisServer, _: Path, seed: Seed) -> Iterator[None]:
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def _no_disk(server: RedisServer, small: Path, seed: Seed) -> Iterator[None]:
    """Where fsync is always done a Redis that cannot write its log ends; it is started again when there is room."""
    filling = small / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
    yield
    filling.unlink(missing_ok=True)
    if not server.answers():
        server.process.stop()
        server.start()


@contextmanager
def _slow(server: RedisServer, _: Path, seed: Seed) -> Iterator[None]:
    seed.world.proxies.slow(f"slow-{server.port}", SLOW_MS)
    yield
    seed.world.proxies.mend()


TROUBLES = {
    _full: "Redis has reached maxmemory",
    _replica: "Redis is a read-only replica",
    _no_disk: "Redis cannot",
    _slow: "slow",
}
"""What a worker then says in its log; nothing where it is only slow."""


def _wait_for(scene: Scene, words: str, lines: int) -> None:
    """Returns when the workers' logs hold the words in more lines than that, or after a while."""
    with suppress(TimeoutError):
        until(lambda: scene.says(words) > lines, SAID_SECONDS_MAX, words)


def _pings_slowly(port: int) -> bool:
    with redis.Redis(port=port, socket_timeout=5, protocol=2) as client:
        started = time.monotonic()
        client.ping()
        return time.monotonic() - started > SLOW_MS / 2_000 - 0.005


def cut(seed: Seed, way: str) -> Figures:
    """The line between the workers and Redis goes silent, one way, for longer than an answer is waited for."""
    world = seed.world
    with RedisServer(*EVERYSEC) as server:
        name = f"redis-{server.port}"
        port = world.proxies.line(server.port, name)
        url = f"redis://127.0.0.1:{port}/0"
        scene = Scene(world.kafka, url, PLAN.partitions, audit_redis_url=server.url, poll_records_max=8)
        with scene:
            scene.publish(records(PLAN, seed.number))
            scene.start()
            scene.progress(seed.chance.randint(1, 20))
            working = scene.behind() > 0
            world.proxies.cut(name, way)
            seed.happened("silent at work", working and world.proxies.silent(port, 1))
            time.sleep(seed.chance.uniform(2, 7))
            world.proxies.mend()
            scene.rest()
            seed.happened("lines given up", scene.says("Redis cannot be reached"))
            return scene.audit(seed.notes.append)


KILLED = ("Redis killed at work", "commands not answered")
SILENT = ("silent at work", "lines given up")

ROWS = (
    Row(
        "redis-everysec",
        "kill -9 of Redis, AOF everysec, twice a seed",
        lambda seed: killed_redis(seed, *EVERYSEC),
        10,
        3,
        happens=KILLED,
    ),
    Row(
        "redis-always",
        "kill -9 of Redis, AOF always, twice a seed",
        lambda seed: killed_redis(seed, *ALWAYS),
        10,
        3,
        happens=KILLED,
    ),
    Row("redis-went-back", "Redis loses its last commits", went_back, 24, 4, happens=("commits lost",)),
    Row(
        "redis-refuses",
        "full memory, READONLY, full disk, slow",
        refused,
        4,
        1,
        ("toxiproxy", "mount"),
        happens=tuple(TROUBLES.values()),
    ),
    Row(
        "redis-cut-out",
        "nothing from the worker reaches Redis",
        lambda seed: cut(seed, "upstream"),
        4,
        1,
        ("toxiproxy",),
        happens=SILENT,
    ),
    Row(
        "redis-cut-in",
        "no answer of Redis arrives",
        lambda seed: cut(seed, "downstream"),
        4,
        1,
        ("toxiproxy",),
        happens=SILENT,
    ),
)
