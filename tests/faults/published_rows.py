"""Rows: the consumer group forgets what is published, and a worker that stops leaves nothing of it in the store."""

import signal
from collections.abc import Mapping
from functools import partial

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.broker.progress import OutboxProgress
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import ANSWER_SECONDS_MAX, REST_SECONDS_MAX, Scene
from tests.faults.servers import RedisServer, until
from tests.faults.steps import HEALING_STEPS, Kill
from tests.faults.workload import Plan, lately, records
from tests.faults.world import EVERYSEC, Row, Seed

PLAN = Plan()
WALL = lately(Plan())
KILLS = 2
STOPS = 3


def forgotten(seed: Seed, goes_back: bool = False) -> Figures:
    """A worker dies when Kafka has entries of the outbox that the store still has; then the group's offsets are reset
    to where they are (odd seeds) or dropped, as those of an idle group are. The next lives end in the middle of finding
    out what is published. Every other pair of seeds waits for ticks of the clock on the wall. With `goes_back` the
    store has lost its last commits as well."""
    plan, clock = ((PLAN, "stream"), (WALL, "wall"))[seed.number // 2 % 2]
    with (
        RedisServer(*EVERYSEC) as server,
        Scene(seed.world.kafka, server.url, plan.partitions, poll_records_max=8, clock=clock) as scene,
    ):
        scene.publish(records(plan, seed.number))
        worker = scene.start(Kill("after commit_transaction", seed.chance.randint(2, 12 if goes_back else 5)))
        copy = None
        if goes_back:  # so the worker must not end before there is something to copy
            scene.progress(seed.chance.randint(2, 6))
            copy = server.copied()
        scene.rest(worker=worker)  # it may be done before it comes to that step
        if not worker.alive() and worker.wait(0) == -signal.SIGKILL:
            seed.happened("killed itself")
        worker.kill()
        if copy is not None:
            stood = scene.commits()
            server.kill()
            server.restore(copy)
            server.start()
            if scene.commits() < stood:
                seed.happened("the store has gone back")
        seed.happened("published and left in the outbox", _published_but_left(scene))
        forget(scene, deleted=seed.number % 2 == 0)
        if not any(marks(scene).values()):
            seed.happened("nothing says what is published")
        seed.must("killed itself", 2)
        for life in range(KILLS):
            step = HEALING_STEPS[(seed.number * KILLS + life) % len(HEALING_STEPS)]
            worker = scene.start(Kill(step, 1))
            scene.rest(worker=worker)
            if not worker.alive() and worker.wait(0) == -signal.SIGKILL:
                seed.happened("killed itself")
                seed.happened(step)
            worker.kill()
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append)


def stopped(seed: Seed) -> Figures:
    """Workers are told to end while the store has entries for Kafka: none is left, and the group's offsets may go."""
    kept = Figures()
    seed.must("ended cleanly", STOPS - 1)
    with seed.world.scene(PLAN.partitions, poll_records_max=3) as scene:
        parts = sliced(records(PLAN, seed.number), 2 * STOPS)
        for first, second in zip(parts[::2], parts[1::2], strict=True):
            worker = scene.start()
            scene.publish(first)
            published = partial(worker.count, "tracker_published_records_total")
            until(lambda published=published: published() > 0, REST_SECONDS_MAX, "a worker that publishes")
            scene.publish(second)
            until(lambda: _left(scene) > 0, REST_SECONDS_MAX, "entries in the outbox")
            worker.signal(signal.SIGTERM)
            if worker.wait(20) == 0:  # else it had no time to publish what is there, as `sigterm` would show
                seed.happened("ended cleanly")
                left = _left(scene)
                kept = kept.plus(seed.kept(left == 0, f"leaves nothing in the outbox: there are {left} entries"))
            forget(scene, deleted=seed.number % 2 == 0)
        scene.start()
        scene.rest()
        return scene.audit(seed.notes.append).plus(kept)


def forget(scene: Scene, *, deleted: bool) -> None:
    """What `kafka-consumer-groups --reset-offsets --to-current` does, or Kafka to a group that was idle for long."""
    group = scene.settings.group_id
    admin = AdminClient({"bootstrap.servers": scene.settings.kafka_bootstrap_servers, "log_level": 0})

    def done() -> bool:
        try:
            if deleted:
                admin.delete_consumer_groups([group])[group].result(ANSWER_SECONDS_MAX)
            else:
                reset = [TopicPartition(log.topic, log.partition, log.offset) for log in _committed(scene)]
                told = [ConsumerGroupTopicPartitions(group, [log for log in reset if log.offset >= 0])]
                answer = admin.alter_consumer_group_offsets(told)[group].result(ANSWER_SECONDS_MAX)
                return not any(log.error for log in answer.topic_partitions)
        except KafkaException:  # until the session of the one that died is over
            return False
        return True

    until(done, REST_SECONDS_MAX, "a group without members")


def marks(scene: Scene) -> Mapping[int, OutboxProgress | None]:
    """What the group's offsets say beside themselves."""
    return {log.partition: OutboxProgress.read(log.metadata) for log in _committed(scene)}


def _committed(scene: Scene) -> list[TopicPartition]:
    asking = {"bootstrap.servers": scene.settings.kafka_bootstrap_servers, "group.id": scene.settings.group_id}
    reader = Consumer(asking | {"log_level": 0})
    try:
        logs = [TopicPartition(scene.settings.topic_transactions, number) for number in range(scene.partitions)]
        return reader.committed(logs, timeout=ANSWER_SECONDS_MAX)
    finally:
        reader.close()


def _left(scene: Scene) -> int:
    return sum(scene.state.depths(number)[1] for number in range(scene.partitions))


def _published_but_left(scene: Scene) -> int:
    """Entries that the store still has although they are published."""
    return sum(
        sequence <= mark.published
        for number, mark in marks(scene).items()
        if mark is not None
        for sequence, _ in scene.state.outbox(number, 0, 1_000)
    )


_HAPPENS = "published and left in the outbox", "nothing says what is published"

ROWS = (
    Row(
        "offsets-forgotten",
        "the group's offsets are reset or dropped, two kills",
        forgotten,
        24,
        4,
        happens=_HAPPENS,
    ),
    Row(
        "forgotten-and-back",
        "the same, and Redis loses its last commits",
        lambda seed: forgotten(seed, goes_back=True),
        24,
        4,
        happens=(*_HAPPENS, "the store has gone back"),
    ),
    Row("stopped", "SIGTERM with entries in the outbox, offsets dropped", stopped, 6, 3, happens=("ended cleanly",)),
)
