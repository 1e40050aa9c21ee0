"""Rows: what happens to Redis."""

import time

from tests.faults.audit import Figures
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


ROWS = (
    Row("redis-everysec", "kill -9 of Redis, AOF everysec, twice a seed", lambda s: killed_redis(s, *EVERYSEC), 10, 3),
    Row("redis-always", "kill -9 of Redis, AOF always, twice a seed", lambda s: killed_redis(s, *ALWAYS), 10, 3),
    Row("redis-went-back", "Redis loses its last commits", went_back, 24, 4),
)
