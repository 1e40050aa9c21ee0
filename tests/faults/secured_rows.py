"""Rows: a broker of a secured cluster of three is killed, under workers with names and the session that is the default.

While it is away health must tell the truth: a worker that owns nothing, while there are partitions that nobody owns, is
not ready. A worker that lost its place in the group takes it again by itself.
"""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from streams.broker.rights import worker_rights
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import Scene
from tests.faults.servers import until
from tests.faults.worker import Worker
from tests.faults.workload import Plan, records
from tests.faults.world import Row, Seed
from tests.secured.cluster import Broker, SecuredKafka
from tests.secured.roles import bindings

PLAN = Plan(events=400, partitions=4)
WORKERS = 2
SESSION_MS = 6_000
START_SECONDS_MAX = 150.0
OWNED_SECONDS_MAX = 60.0
AWAY_SECONDS = 20.0
TRUTH_SECONDS_MAX = 12.0
"""Two sessions: a worker may believe that long that it is still in its group."""
USER = "tracker"

Victim = Callable[[SecuredKafka, Scene], Broker]


def killed(seed: Seed, what: str, victim: Victim, seconds: float) -> Figures:
    """The broker is killed in the middle of the work, and comes back after a while."""
    kafka = seed.world.secured
    url = f"redis://127.0.0.1:{seed.world.redis.port}/{seed.world.database()}"
    own = kafka.settings(USER) | {"session_timeout_ms": SESSION_MS, "poll_records_max": 5}
    own.pop("kafka_bootstrap_servers")
    with Scene(kafka, url, PLAN.partitions, **own) as scene:
        kafka.allow(bindings(USER, worker_rights(scene.settings)))
        before, during, after = sliced(records(PLAN, seed.number), 3)
        workers = [scene.start(instance_id=f"{scene.settings.group_id}-{number}") for number in range(WORKERS)]
        scene.publish(before)
        until(lambda: _owned(workers) == PLAN.partitions and all(map(_owns, workers)), START_SECONDS_MAX, "owners")
        scene.progress(seed.chance.randint(0, 8))
        broker = victim(kafka, scene)
        broker.kill()
        try:
            scene.publish(during)
            untrue = _untrue_seconds(workers, seconds)
            if _another(lambda: victim(kafka, scene), broker):
                seed.happened(f"{what} killed")
        finally:
            broker.start()
        kept = seed.kept(untrue <= TRUTH_SECONDS_MAX, f"says that it is not ready: not so for {untrue:.0f} s")
        scene.publish(after)
        scene.rest(180)
        kafka.until_whole(120)
        kept = kept.plus(seed.kept(all(worker.alive() for worker in workers), "the workers outlive it"))
        kept = kept.plus(seed.kept(_all_own(workers), "every worker has its place in the group again"))
        return scene.audit(seed.notes.append).plus(kept)


def _untrue_seconds(workers: list[Worker], seconds: float) -> float:
    """The longest time for which a worker called itself ready that owned nothing, with partitions that nobody owned."""
    end, longest = time.monotonic() + seconds, 0.0
    since: dict[Worker, float] = {}
    while time.monotonic() < end:
        unowned = _owned(workers) < PLAN.partitions
        for worker in workers:
            if unowned and worker.ready() and not _owns(worker):
                longest = max(longest, time.monotonic() - since.setdefault(worker, time.monotonic()))
            else:
                since.pop(worker, None)
        time.sleep(0.25)
    return longest


def _all_own(workers: list[Worker]) -> bool:
    try:
        until(lambda: all(map(_owns, workers)) and all(map(Worker.ready, workers)), OWNED_SECONDS_MAX, "all to own")
    except TimeoutError:
        return False
    return True


def _owned(workers: list[Worker]) -> int:
    return sum(worker.count("tracker_partitions_owned") for worker in workers)


def _owns(worker: Worker) -> bool:
    return worker.count("tracker_partitions_owned") > 0


def _another(now: Callable[[], Broker], broker: Broker) -> bool:
    """Whether somebody else has taken its place."""
    try:
        until(lambda: now() is not broker, 30, "another in its place")
    except (TimeoutError, KafkaException):
        return False
    return True


def _coordinator(kafka: SecuredKafka, scene: Scene) -> Broker:
    return kafka.coordinator(scene.settings.group_id)


def _leader(kafka: SecuredKafka, scene: Scene) -> Broker:
    return kafka.leader(scene.settings.topic_transactions, 0)


def _controller(kafka: SecuredKafka, _: Scene) -> Broker:
    return kafka.controller()


def _row(what: str, victim: Victim, seeds: int) -> Row:
    return Row(
        f"{what.replace(' ', '-')}-killed",
        f"three secured brokers, named workers: kill -9 of the {what}, away for {AWAY_SECONDS:.0f} s",
        lambda seed: killed(seed, what, victim, AWAY_SECONDS),
        seeds,
        happens=(f"{what} killed",),
    )


ROWS = (
    _row("group coordinator", _coordinator, 6),
    _row("partition leader", _leader, 3),
    _row("controller", _controller, 3),
)
