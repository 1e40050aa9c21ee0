"""Row: a Redis Cluster whose slots move under the workers."""

import time

from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import Scene
from tests.faults.workload import Plan, records
from tests.faults.world import Row, Seed
from tests.servers import RedisCluster

PLAN = Plan(events=400)
MOVES = 4


def slots_move(seed: Seed) -> Figures:
    """The slot of one partition after the other moves to another node, key by key, while transactions come; the worker
    is killed in the middle of one of the moves."""
    seed.must("slot moved", MOVES)
    killed_in = seed.chance.randrange(MOVES)
    with (
        RedisCluster() as cluster,
        Scene(seed.world.kafka, cluster.url, PLAN.partitions, poll_records_max=8, redis_cluster=True) as scene,
    ):
        worker = scene.start()
        for number, part in enumerate(sliced(records(PLAN, seed.number), MOVES)):
            tag = f"{{{seed.chance.randrange(PLAN.partitions)}}}"
            scene.publish(part)
            scene.progress(seed.chance.randint(1, 4))
            to = (cluster.node_of(tag) + seed.chance.choice((1, 2))) % cluster.NODES
            cluster.begin_move(tag, to)
            for _ in range(3):
                cluster.move_keys(tag, to, seed.chance.randint(0, 6))
                time.sleep(seed.chance.uniform(0.05, 0.4))
            if number == killed_in:
                worker.kill()
                seed.happened("worker killed in a move", worker.killed())
                worker = scene.start()
            cluster.move_keys(tag, to, 10_000)
            cluster.end_move(tag, to)
            seed.happened("slot moved", cluster.node_of(tag) == to)
        scene.rest()
        refused = "on its way to another node", "on another node"
        seed.happened("commands sent to the wrong node", sum(scene.says(words) for words in refused))
        kept = seed.kept(worker.alive(), "the worker outlives it")
        return scene.audit(seed.notes.append).plus(kept)


ROWS = (
    Row(
        "slots-move",
        "Redis Cluster of three, four slots move, the worker killed once",
        slots_move,
        6,
        2,
        happens=("slot moved", "worker killed in a move", "commands sent to the wrong node"),
    ),
)
