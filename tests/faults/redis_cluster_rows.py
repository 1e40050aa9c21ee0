"""Rows: nodes of a Redis Cluster of six, with TLS and users, that die or change their role under the workers."""

import os
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import Scene
from tests.faults.workload import Plan, records
from tests.faults.world import Row, Seed
from tests.secured.redis_page import WORKER
from tests.secured.redis_servers import PASSWORD, Secured
from tests.servers import RedisCluster

PLAN = Plan(events=400)


def node_killed(seed: Seed) -> Figures:
    """The node that the worker's TRACKER_REDIS_URL names first, which has a partition, is killed and comes back later.
    In every other seed the worker was told of it alone, and outlives that; else it is killed too, and starts while that
    node is down. In every third seed the replica that takes over is behind."""
    with ExitStack() as stack:
        cluster = _cluster(stack)
        killed = cluster.node_of(f"{{{seed.chance.randrange(PLAN.partitions)}}}")
        alone = seed.number % 2 == 0
        scene = _scene(stack, seed, cluster, (killed,) if alone else (killed, (killed + 1) % cluster.NODES))
        first, second, third = sliced(records(PLAN, seed.number), 3)
        worker = scene.start()
        scene.publish(first)
        scene.progress(seed.chance.randint(2, 10))
        (replica,) = cluster.replicas(killed)
        if behind := seed.number % 3 == 0:
            os.kill(cluster.pid(replica), signal.SIGSTOP)
            scene.publish(second)
            scene.progress(seed.chance.randint(1, 5))
        cluster.kill(killed)
        seed.happened("node of the URL killed")
        if behind:
            os.kill(cluster.pid(replica), signal.SIGCONT)
        else:
            scene.publish(second)
        if worker.complains("redis"):
            seed.happened("health told of it")
        if not alone:
            worker.kill()
            worker = scene.start()
        cluster.await_primary(replica)
        seed.happened("replica took over")
        scene.rest()
        cluster.start(killed)
        scene.publish(third)
        scene.rest()
        kept = seed.kept(worker.alive(), "the worker outlives it")
        kept = kept.plus(seed.kept(not worker.problems(), f"health tells that it is over: {worker.problems()}"))
        return scene.audit(seed.notes.append).plus(kept)


def failed_over(seed: Seed) -> Figures:
    """One partition's primary after the other hands its slots to its replica, and back, while transactions come."""
    with ExitStack() as stack:
        cluster = _cluster(stack)
        scene = _scene(stack, seed, cluster, (0, 1))
        worker = scene.start()
        for part in sliced(records(PLAN, seed.number), 4):
            scene.publish(part)
            scene.progress(seed.chance.randint(1, 6))
            primary = cluster.node_of(f"{{{seed.chance.randrange(PLAN.partitions)}}}")
            cluster.fail_over(primary)
            seed.happened("primary failed over")
        scene.rest()
        kept = seed.kept(worker.alive(), "the worker outlives it")
        kept = kept.plus(seed.kept(not worker.problems(), f"health tells that it is over: {worker.problems()}"))
        return scene.audit(seed.notes.append).plus(kept)


def _cluster(stack: ExitStack) -> RedisCluster:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracker-secured-")))
    secured = Secured(folder, "+cluster|slots")
    cluster = RedisCluster(1, secured.of_server(), secured.of_harness(), f"{WORKER}:{PASSWORD}", secured.settings())
    return stack.enter_context(cluster)


def _scene(stack: ExitStack, seed: Seed, cluster: RedisCluster, told: tuple[int, ...]) -> Scene:
    more: dict[str, Any] = {"redis_cluster": True, "poll_records_max": 8, **cluster.settings}
    everywhere = cluster.url_of(*range(len(cluster.clients)))
    return stack.enter_context(
        Scene(seed.world.kafka, cluster.url_of(*told), PLAN.partitions, audit_redis_url=everywhere, **more)
    )


ROWS = (
    Row(
        "cluster-node-killed",
        "Redis Cluster of six: the node of the URL is killed, its replica takes over",
        node_killed,
        6,
        1,
        happens=("node of the URL killed", "health told of it", "replica took over"),
    ),
    Row(
        "cluster-failover",
        "Redis Cluster of six: four times a primary hands over to its replica",
        failed_over,
        4,
        1,
        happens=("primary failed over",),
    ),
)
