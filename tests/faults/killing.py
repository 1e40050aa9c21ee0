"""Rows: workers that die, pause, come and go."""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.faults.audit import Figures
from tests.faults.scene import SESSION_MS
from tests.faults.steps import STEPS, Kill
from tests.faults.worker import Worker
from tests.faults.workload import Plan, Sent, records
from tests.faults.world import Row, Seed

PLAN = Plan()
LONG = Plan(events=900)
"""Enough that a worker is still at work when it is stopped."""
KILLS = 3
TRIM_SECONDS_MAX = 15
STOP_SECONDS_MAX = 5.0


def sliced(sent: Sequence[Sent], parts: int) -> list[Sequence[Sent]]:
    """The records in that many parts, in their order."""
    size = -(-len(sent) // parts)
    return [sent[at : at + size] for at in range(0, len(sent), size)]


def kill(seed: Seed) -> Figures:
    """Each life of the worker ends at another step, by its own kill -9; the last one finishes."""
    size, default = seed.chance.randint(5, 40), seed.number % 4 == 0
    seed.must("killed itself", KILLS)
    with seed.world.scene(PLAN.partitions, poll_records_max=size, default_batches=default) as scene:
        parts = sliced(records(PLAN, seed.number), KILLS + 1)
        for life, part in enumerate(parts[:KILLS]):
            scene.publish(part)
            step = STEPS[(seed.number * KILLS + life) % len(STEPS)]
            worker = scene.start(Kill(step, 1 if default or step == STEPS[-2] else seed.chance.randint(1, 3)))
            if step == STEPS[-2]:
                with suppress(TimeoutError):  # comes at rest
                    worker.wait(TRIM_SECONDS_MAX)
            else:
                scene.rest(worker=worker)
            if worker.killed():
                seed.happened("killed itself")
                seed.happened(step)
            worker.kill()
        scene.publish(parts[KILLS])
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append)


def zombie(seed: Seed) -> Figures:
    """A worker is stopped in the middle of its work, loses its partitions to another, and goes on later as if nothing
    had been."""
    with seed.world.scene(PLAN.partitions, poll_records_max=5) as scene:
        parts = sliced(records(PLAN, seed.number), 6)
        first, second = scene.start(), scene.start()
        for number, part in enumerate(parts):
            scene.publish(part)
            stopped = (first, second)[number % 2]
            scene.progress(seed.chance.randint(0, 6))
            stopped.signal(signal.SIGSTOP)
            ownerships = scene.epochs()
            time.sleep(SESSION_MS / 1_000 * seed.chance.uniform(0.5, 3.0))
            seed.happened("claimed by the other meanwhile", scene.epochs() - ownerships)
            stopped.signal(signal.SIGCONT)
        scene.rest()
        seed.happened("taken away from the one that goes on", scene.says("taken away"))
        fenced = sum(worker.count("tracker_commits_refused_total", reason="fenced") for worker in (first, second))
        seed.happened("commits fenced", fenced)
        ended = [line for worker in (first, second) if not worker.alive() for line in worker.said().splitlines()[-8:]]
        return scene.audit(seed.notes.append).plus(seed.kept(not ended, "no worker ended: " + "\n".join(ended)))


def storm(seed: Seed, seconds: float) -> Figures:
    """Workers come, leave and are killed every few seconds while transactions come."""
    plan = Plan(events=600, partitions=4)
    with seed.world.scene(plan.partitions, poll_records_max=5) as scene:
        sent = records(plan, seed.number)
        parts = sliced(sent, max(1, int(seconds / 2)))
        seed.must("partitions given", len(parts) // 2)
        workers, gone = [scene.start()], list[Worker]()
        for part in parts:
            scene.publish(part)
            if len(workers) < 2 or (len(workers) < 4 and seed.chance.random() < 0.5):
                workers.append(scene.start())
            else:
                leaving = workers.pop(seed.chance.randrange(len(workers)))
                leaving.signal(seed.chance.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)))
                gone.append(leaving)
            time.sleep(seed.chance.uniform(1, 3))
        scene.rest()
        seed.happened("partitions given", scene.says("given partitions"))
        seed.happened("workers killed", sum(worker.killed() for worker in gone))
        seed.happened("workers stopped", sum(not worker.alive() and not worker.killed() for worker in gone))
        return scene.audit(seed.notes.append)


def sigterm(seed: Seed) -> Figures:
    """SIGTERM under load: out within 5 s, and the next worker does nothing twice."""
    kept = Figures()
    with seed.world.scene(LONG.partitions, poll_records_max=3) as scene:
        for part in sliced(records(LONG, seed.number), 3):
            worker = scene.start()
            scene.publish(part)
            scene.progress(seed.chance.randint(1, 5))
            working = scene.behind() > 0
            asked = time.monotonic()
            worker.signal(signal.SIGTERM)
            code = worker.wait(20)
            seconds = time.monotonic() - asked
            kept = kept.plus(seed.kept(seconds < STOP_SECONDS_MAX, f"out within 5 s: it took {seconds:.1f}"))
            kept = kept.plus(seed.kept(code == 0, f"ends with 0: it ended with {code}"))
            seed.happened("stopped at work", working and worker.says("stopping") > 0 and scene.behind() > 0)
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append).plus(kept)


ROWS = (
    Row(
        "kill",
        "kill -9 of the worker at each of 14 steps of the loop, three times a seed",
        kill,
        56,
        6,
        happens=("killed itself",),
    ),
    Row(
        "zombie",
        "SIGSTOP for up to three sessions, then SIGCONT, six times a seed",
        zombie,
        10,
        3,
        happens=("claimed by the other meanwhile", "taken away from the one that goes on"),
    ),
    Row(
        "rebalances",
        "workers come, leave and are killed every 2 s for five minutes",
        lambda seed: storm(seed, 300),
        4,
        4,
        happens=("partitions given", "workers killed", "workers stopped"),
    ),
    Row("sigterm", "SIGTERM under load, three times a seed", sigterm, 12, 4, happens=("stopped at work",)),
)
