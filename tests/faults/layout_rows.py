"""Rows: customers as an older version of the program has left them, and as a newer one has (upgrade and rollback)."""

import numpy as np

from handlers.churn.section import CHURN, DUE
from handlers.engine.beliefs import KNOWN
from handlers.profile.upgrade import current
from handlers.state.codec import VERSION, decode
from handlers.state.row import new_open_row
from streams.store.port import Changes
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.steps import Kill
from tests.faults.workload import Plan, partition_of, records
from tests.faults.world import Row, Seed
from tests.unit.test_compatibility import ROW_1

PLAN = Plan(poison=0)
OF_BEFORE = 8
"""Customers who are there in layout 1, with an alert that stands and an offer in its cooldown; the others are new."""


def older(seed: Seed) -> Figures:
    """Layout 1 is what the worker finds; it is killed twice while it goes over to the present one."""
    seed.must("rows of layout 1", OF_BEFORE)
    seed.must("killed itself", 2)
    with seed.world.scene(PLAN.partitions, poll_records_max=seed.chance.randint(5, 40)) as scene:
        for number in range(PLAN.partitions):
            names = [name for name in _customers(number) if int(name[1:]) < OF_BEFORE]
            due = dict.fromkeys(names, _due(ROW_1))
            scene.inherit(number, Changes(dict.fromkeys(names, ROW_1), {**due}))
            found = [row for row in scene.state.load(number, names) if row is not None]
            seed.happened("rows of layout 1", sum(row[0] == 1 for row in found))
        parts = sliced(records(PLAN, seed.number), 3)
        for part, step in zip(parts, ("in commit", "after load"), strict=False):
            scene.publish(part)
            seed.happened("killed itself", scene.live(Kill(step, seed.chance.randint(1, 3))))
        scene.publish(parts[2])
        scene.start()
        scene.rest()
        stored = [row for number in range(PLAN.partitions) for row in scene.state.load(number, _customers(number))]
        kept = seed.kept({row[0] for row in stored if row} == {VERSION}, "who was there is in the present layout")
        return scene.audit(seed.notes.append).plus(kept)


def newer(seed: Seed) -> Figures:
    """Rolled back: one customer's row is a newer program's. The partition stands still and says so, the others go on;
    when the newer program is back, so does it."""
    with seed.world.scene(PLAN.partitions, poll_records_max=seed.chance.randint(5, 40)) as scene:
        before, after = sliced(records(PLAN, seed.number), 2)
        scene.publish(before)
        scene.live()
        coming = after[0]
        number, name = coming.partition, (coming.key or b"").decode()
        (row,) = scene.state.load(number, [name])
        assert row is not None
        scene.put_row(number, name, bytes([VERSION + 1]) + row[1:])
        stood = scene.state.read(number)
        scene.publish(after)
        worker = scene.start()
        said = worker.complains(f"partition {number}: row layout version {VERSION + 1}")
        kept = seed.kept(said, "names the partition and the version")
        seed.happened("stopped by a newer row", said and scene.lag(number) > 0)
        others = [each for each in range(PLAN.partitions) if each != number]
        kept = kept.plus(seed.kept(scene.reads_all(others), "the other partitions go on"))
        stands, (found,) = scene.state.read(number), scene.state.load(number, [name])
        assert stood is not None
        assert stands is not None
        still = (stands.offset, stands.events, stands.clock) == (stood.offset, stood.events, stood.clock)
        kept = kept.plus(seed.kept(still, "stands where it stood"))
        kept = kept.plus(seed.kept(found == bytes([VERSION + 1]) + row[1:], "the row is as the newer program wrote it"))
        kept = kept.plus(seed.kept(worker.alive(), "goes on being there to be asked"))
        worker.kill()
        scene.put_row(number, name, row)  # to this program, the newer one is the one that can read it
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append).plus(kept)


def _customers(number: int) -> list[str]:
    names = [f"C{each:03}" for each in range(PLAN.customers)]
    return [name for name in names if partition_of(name, PLAN.partitions) == number]


def _due(row: bytes) -> int | None:
    scratch = new_open_row()
    row = current(row)
    decode(scratch, np.frombuffer(row, np.uint8), 0, len(row), KNOWN)
    return int(scratch.sections[CHURN, DUE]) or None


ROWS = (
    Row(
        "old-layout",
        "rows of layout 1, the worker killed twice while it upgrades them",
        older,
        6,
        3,
        happens=("rows of layout 1", "killed itself"),
    ),
    Row(
        "new-layout",
        "rolled back: a row of a newer layout stops its partition until the newer is back",
        newer,
        6,
        3,
        happens=("stopped by a newer row",),
    ),
)
