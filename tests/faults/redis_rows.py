"""Rows: what happens to Redis."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import Scene
from tests.faults.servers import RedisServer
from tests.faults.workload import Plan, records
from tests.faults.world import ALWAYS, EVERYSEC, Row, Seed

PLAN = Plan(events=400)
WALL = Plan(events=400, silence_days=0)


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
            server.kill()
            time.sleep(seed.chance.uniform(0, 0.5))
            server.start()
        scene.rest()
        return scene.audit(seed.notes.append)


def went_back(seed: Seed) -> Figures:
    """A cut of power takes the last commits of Redis, of which Kafka has the alerts already. Every other seed waits
    for ticks of the clock on the wall, and a third is also killed while it reads again."""
    plan, clock = ((PLAN, "stream"), (WALL, "wall"))[seed.number % 2]
    with RedisServer(*EVERYSEC) as server:
        scene = Scene(seed.world.kafka, server.url, plan.partitions, poll_records_max=8, clock=clock)
        with scene:
            scene.publish(records(plan, seed.number))
            worker = scene.start()
            scene.progress(seed.chance.randint(0, 20))
            copy = server.copied()
            if seed.number % 4 < 2:
                scene.rest()
            else:
                scene.progress(seed.chance.randint(1, 15))
            server.kill()
            server.restore(copy)
            server.start()
            if seed.number % 3 == 0:
                for _ in range(3):
                    time.sleep(seed.chance.uniform(0.5, 2.5))
                    worker.kill()
                    worker = scene.start()
            scene.rest()
            return scene.audit(seed.notes.append)


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
            with trouble(server, small, seed):
                scene.publish(part)
                time.sleep(seed.chance.uniform(1, 3))
            scene.rest()
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
    seed.world.proxies.slow(f"slow-{server.port}", 150)
    yield
    seed.world.proxies.mend()


def cut(seed: Seed, way: str) -> Figures:
    """The line between the workers and Redis goes silent, one way, for longer than an answer is waited for."""
    world = seed.world
    with RedisServer(*EVERYSEC) as server:
        name = f"redis-{server.port}"
        url = f"redis://127.0.0.1:{world.proxies.line(server.port, name)}/0"
        scene = Scene(world.kafka, url, PLAN.partitions, audit_redis_url=server.url, poll_records_max=8)
        with scene:
            scene.publish(records(PLAN, seed.number))
            scene.start()
            scene.progress(seed.chance.randint(1, 20))
            world.proxies.cut(name, way)
            time.sleep(seed.chance.uniform(3, 8))
            world.proxies.mend()
            scene.rest()
            return scene.audit(seed.notes.append)


ROWS = (
    Row("redis-everysec", "kill -9 of Redis, AOF everysec, twice a seed", lambda s: killed_redis(s, *EVERYSEC), 10, 3),
    Row("redis-always", "kill -9 of Redis, AOF always, twice a seed", lambda s: killed_redis(s, *ALWAYS), 10, 3),
    Row("redis-went-back", "Redis loses its last commits", went_back, 24, 4),
    Row("redis-refuses", "full memory, READONLY, full disk, slow", refused, 4, 1, ("toxiproxy", "mount")),
    Row("redis-cut-out", "nothing from the worker reaches Redis", lambda s: cut(s, "upstream"), 4, 1, ("toxiproxy",)),
    Row("redis-cut-in", "no answer of Redis arrives", lambda s: cut(s, "downstream"), 4, 1, ("toxiproxy",)),
)
