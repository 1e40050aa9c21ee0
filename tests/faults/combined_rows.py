"""Rows: two faults at once, and faults at the size of batches and transactions that the program has by itself."""

from pathlib import Path

from tests.faults.audit import Figures
from tests.faults.data_rows import WRONG, set_clock, was_wrong
from tests.faults.killing import sliced
from tests.faults.redis_rows import KNOWN, WALL, copied, go_back
from tests.faults.scene import WENT_BACK, Scene
from tests.faults.servers import RedisServer
from tests.faults.steps import COMMITTING_RECORDS, STEPS, Kill
from tests.faults.workload import Plan, records
from tests.faults.world import EVERYSEC, Row, Seed

PLAN = Plan(events=400)
LARGE = Plan(events=3_000, customers=60)


def clock_and_store(seed: Seed) -> Figures:
    """Workers whose clocks are an hour ahead publish; then the store goes back, and the clock is an hour behind."""
    with (
        RedisServer(*EVERYSEC) as server,
        Scene(seed.world.kafka, server.url, WALL.partitions, poll_records_max=8, clock="wall") as scene,
    ):
        wrong = Path(scene.logs, "clock")
        set_clock(wrong, 1)
        scene.publish(records(WALL, seed.number))
        worker = scene.start(clock=wrong)
        scene.progress(seed.chance.randint(0, 20))
        copy = copied(scene, server)
        scene.rest()
        set_clock(wrong, -1)
        go_back(seed, scene, server, copy)
        if seed.number % 2:
            worker.kill()
            scene.start(clock=wrong)
        scene.rest()
        was_wrong(seed, wrong, scene)
        seed.happened(KNOWN, scene.says(WENT_BACK))
        return scene.audit(seed.notes.append)


def aborted_and_store(seed: Seed) -> Figures:
    """A worker is killed with records in a transaction that is never committed, and the store goes back meanwhile."""
    with (
        RedisServer(*EVERYSEC) as server,
        Scene(seed.world.kafka, server.url, PLAN.partitions, poll_records_max=8) as scene,
    ):
        before, during, after = sliced(records(PLAN, seed.number), 3)
        scene.publish(before)
        scene.live()
        copy = copied(scene, server)
        scene.publish(during)
        worker = scene.start(Kill(COMMITTING_RECORDS, seed.chance.randint(2, 4)))
        scene.rest(worker=worker)
        seed.happened("killed before the commit", worker.killed())
        go_back(seed, scene, server, copy)
        scene.publish(after)
        scene.start()
        scene.rest()
        seed.happened("records aborted", scene.aborted())
        seed.happened(KNOWN, scene.says(WENT_BACK))
        return scene.audit(seed.notes.append)


def store_twice(seed: Seed) -> Figures:
    """The store goes back a second time, further, while what it had lost the first time is read again."""
    with (
        RedisServer(*EVERYSEC) as server,
        Scene(seed.world.kafka, server.url, PLAN.partitions, poll_records_max=4) as scene,
    ):
        scene.publish(records(PLAN, seed.number))
        worker = scene.start()
        scene.progress(seed.chance.randint(1, 8))
        further = copied(scene, server)
        scene.progress(seed.chance.randint(4, 10))
        copy = copied(scene, server)
        scene.rest()
        go_back(seed, scene, server, copy)
        scene.progress(seed.chance.randint(4, 12))
        healing = scene.healing()
        go_back(seed, scene, server, further)
        seed.happened("went back while it was healed", healing)
        if seed.number % 2:
            worker.kill()
            scene.start()
        scene.rest()
        seed.happened(KNOWN, scene.says(WENT_BACK))
        return scene.audit(seed.notes.append)


def as_shipped(seed: Seed) -> Figures:
    """Batches and transactions as large as the settings' defaults make them: the worker is killed at a step twice, and
    the store loses what a whole part of the transactions has come to."""
    seed.must("killed itself", 2)
    with (
        RedisServer(*EVERYSEC) as server,
        Scene(seed.world.kafka, server.url, LARGE.partitions, default_batches=True) as scene,
    ):
        parts = sliced(records(LARGE, seed.number), 4)
        for nth, part in enumerate(parts[:2]):
            scene.publish(part)
            seed.happened("killed itself", scene.live(Kill(LOADED[(2 * seed.number + nth) % len(LOADED)], 1)))
        worker = scene.start()
        scene.rest()
        copy = copied(scene, server)
        scene.publish(parts[2])
        scene.rest()
        go_back(seed, scene, server, copy)
        scene.publish(parts[3])
        scene.rest()
        seed.happened("batches of over 100 records", worker.large_batches())
        seed.happened(KNOWN, scene.says(WENT_BACK))
        return scene.audit(seed.notes.append)


LOADED = tuple(step for step in STEPS if step not in ("before trimming the outbox", "after claim"))
"""Steps that a worker comes to as soon as there are transactions."""

ROWS = (
    Row(
        "clock-went-back",
        "clock an hour ahead, the store goes back, clock an hour behind",
        clock_and_store,
        6,
        3,
        happens=("commits lost", *WRONG, KNOWN),
    ),
    Row(
        "aborted-went-back",
        "killed in a transaction that is aborted, and the store goes back",
        aborted_and_store,
        6,
        3,
        happens=("killed before the commit", "records aborted", "commits lost", KNOWN),
    ),
    Row(
        "went-back-twice",
        "the store goes back again, further, while it is healed",
        store_twice,
        8,
        4,
        happens=("commits lost", "went back while it was healed", KNOWN),
    ),
    Row(
        "as-shipped",
        "default sizes of batches and transactions: killed twice, the store goes back",
        as_shipped,
        6,
        3,
        happens=("killed itself", "commits lost", "batches of over 100 records", KNOWN),
    ),
)
