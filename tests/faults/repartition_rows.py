"""Rows: the number of partitions grows."""

from collections.abc import Iterable
from dataclasses import replace

from serving.partitioner import partition_of_key
from streams.broker.membership import Asking
from streams.partition.repartition import moves_of, plan_of
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import ANSWER_SECONDS_MAX, Scene
from tests.faults.servers import until
from tests.faults.steps import Kill
from tests.faults.workload import Plan, Sent, records
from tests.faults.world import Row, Seed

GROWTHS = ((1, 2), (2, 4), (2, 3))
SEEDS = 12
RUN_SECONDS_MAX = 90


def killed(seed: Seed) -> Figures:
    """A worker is killed with work and alerts left over, the topics grow, more comes, and `tracker repartition` is
    killed at one step after the other: each seed has every twelfth. Then a worker goes on."""
    made_with, partitions = GROWTHS[seed.number % len(GROWTHS)]
    with seed.world.scene(made_with, poll_records_max=10) as scene:
        sent = records(Plan(partitions=made_with, duplicates=0.05), seed.number)
        ends = [record for record in sent if record.key is None and record.value is None]
        first, left, second, third = sliced([record for record in sent if record not in ends], 4)
        scene.publish(to(first, made_with))
        seed.happened("worker killed", scene.live(Kill("after commit", seed.chance.randint(1, 4))))
        scene.publish(to(left, made_with))
        old = {number: scene.lag(number) for number in range(made_with)}
        seed.happened("left to work off", sum(old.values()))
        scene.grow(partitions)
        scene.publish(to(second, partitions))
        until(lambda: not Asking(scene.settings)().result(ANSWER_SECONDS_MAX).members, 30, "the group to be empty")
        kept = _moved(seed, scene, seed.number % SEEDS + 1)
        scene.publish(to(third, partitions))
        scene.publish([replace(ends[0], partition=number) for number in range(partitions)])
        (scene.history.grew,) = moves_of(scene.state)
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append).plus(kept)


def _moved(seed: Seed, scene: Scene, step: int) -> Figures:
    """Begins again and again until it has come to its end."""
    while True:
        command = scene.repartition(Kill("", step))
        code = command.wait(RUN_SECONDS_MAX)
        if not command.killed():
            return seed.kept(code == 0, f"ends with 0: it ended with {code}: {command.said()[-2000:]}")
        plan = plan_of(scene.state)
        seed.happened("killed itself")
        seed.happened("killed before the new number held" if plan is None or not plan.parts else "killed after")
        step += SEEDS


def to(sent: Iterable[Sent], partitions: int) -> list[Sent]:
    """Where Kafka's own partitioner sends them when there are so many."""
    return [replace(record, partition=partition_of_key(record.key or b"", partitions)) for record in sent]


ROWS = (
    Row(
        "repartition-killed",
        "topics grow; `tracker repartition` killed at every step and started again",
        killed,
        SEEDS,
        3,
        happens=("worker killed", "left to work off", "killed itself", "killed before the new number held"),
    ),
)
