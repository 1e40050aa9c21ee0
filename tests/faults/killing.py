"""Rows: workers that die, pause, come and go."""

from collections.abc import Sequence
from contextlib import suppress

from tests.faults.audit import Figures
from tests.faults.steps import STEPS, Kill
from tests.faults.workload import Plan, Sent, records
from tests.faults.world import Row, Seed

PLAN = Plan()
KILLS = 3
TRIM_SECONDS_MAX = 15


def sliced(sent: Sequence[Sent], parts: int) -> list[Sequence[Sent]]:
    """The records in that many parts, in their order."""
    size = -(-len(sent) // parts)
    return [sent[at : at + size] for at in range(0, len(sent), size)]


def kill(seed: Seed) -> Figures:
    """Each life of the worker ends at another step, by its own kill -9; the last one finishes."""
    with seed.world.scene(PLAN.partitions, poll_records_max=seed.chance.randint(5, 40)) as scene:
        parts = sliced(records(PLAN, seed.number), KILLS + 1)
        for life, part in enumerate(parts[:KILLS]):
            scene.publish(part)
            step = STEPS[(seed.number * KILLS + life) % len(STEPS)]
            worker = scene.start(Kill(step, seed.chance.randint(1, 3)))
            if step == STEPS[-2]:
                with suppress(TimeoutError):  # comes at rest
                    worker.wait(TRIM_SECONDS_MAX)
            else:
                scene.rest(worker=worker)
            seed.notes.append(f"step {step}: {'hit' if not worker.alive() else 'not reached'}")
            worker.kill()
        scene.publish(parts[KILLS])
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append)


ROWS = (Row("kill", "kill -9 of the worker at each of 14 steps of the loop, three times a seed", kill, 100, 6),)
