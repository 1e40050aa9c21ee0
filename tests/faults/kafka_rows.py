"""Rows: what happens to Kafka, and what Kafka no longer has or does not take."""

import os
import signal
import time

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import ANSWER_SECONDS_MAX, BROKER, Scene
from tests.faults.workload import Plan, records
from tests.faults.world import Row, Seed
from tests.servers import Kafka

PLAN = Plan()
DOWN_SECONDS = 60.0


def broker_down(seed: Seed, seconds: float) -> Figures:
    """The broker is killed in the middle, and is back after a minute."""
    with Kafka(BROKER) as kafka:
        url = f"redis://127.0.0.1:{seed.world.redis.port}/{seed.world.database()}"
        with Scene(kafka, url, PLAN.partitions, poll_records_max=5) as scene:
            before, after = sliced(records(PLAN, seed.number), 2)
            scene.publish(before)
            worker = scene.start()
            scene.progress(seed.chance.randint(1, 10))
            os.kill(kafka.process.pid, signal.SIGKILL)
            kafka.process.stop()
            kept = seed.kept(worker.complains("kafka"), "says that Kafka is away")
            time.sleep(seconds)
            kafka.start()
            scene.publish(after)
            scene.rest(180)
            kept = kept.plus(seed.kept(worker.alive(), "the worker outlives it"))
            return scene.audit(seed.notes.append).plus(kept)


def cut(seed: Seed, way: str) -> Figures:
    """The line between the worker and Kafka goes silent, one way, for longer than a session."""
    world = seed.world
    kafka = world.kafka
    with world.scene(PLAN.partitions, bootstrap=world.cuttable_kafka, poll_records_max=5) as scene:
        scene.publish(records(PLAN, seed.number))
        scene.start()
        scene.progress(seed.chance.randint(1, 10))
        world.proxies.cut("kafka", way)
        time.sleep(seed.chance.uniform(2, 10))
        world.proxies.mend()
        scene.rest(180)
        assert kafka is world.kafka
        return scene.audit(seed.notes.append)


def overtaken(seed: Seed) -> Figures:
    """Retention takes records before they were read: the partition stands still and names the range."""
    with seed.world.scene(1) as scene:
        before, after = sliced(records(Plan(partitions=1, silence_days=0), seed.number), 2)
        scene.publish(before)
        scene.live()
        stands = scene.state.read(0)
        scene.publish(after)
        kept = Figures()
        if stands is not None:
            topic = scene.settings.topic_transactions
            admin = AdminClient({"bootstrap.servers": seed.world.kafka.bootstrap_servers})
            low = stands.offset + 10
            for gone in admin.delete_records([TopicPartition(topic, 0, low)]).values():
                gone.result(ANSWER_SECONDS_MAX)
            worker = scene.start()
            said = worker.complains(f"offsets {stands.offset} to {low - 1} have gone")
            kept = seed.kept(said, "names the records that are lost")
            now = scene.state.read(0)
            kept = kept.plus(seed.kept(now is not None and now.offset == stands.offset, "does not jump over them"))
        return kept.plus(Figures(events=len(before) + len(after)))


def deleted(seed: Seed) -> Figures:
    """Somebody deletes the topic under a worker, and makes it anew: the worker says so, and no partition reads a log
    that is not the one it has come from."""
    with seed.world.scene(PLAN.partitions) as scene:
        topic = scene.settings.topic_transactions
        scene.publish(records(PLAN, seed.number))
        worker = scene.start()
        scene.rest()
        figures = scene.audit(seed.notes.append)
        stood = [scene.state.read(number) for number in range(PLAN.partitions)]
        admin = AdminClient({"bootstrap.servers": seed.world.kafka.bootstrap_servers})
        for gone in admin.delete_topics([topic]).values():
            gone.result(ANSWER_SECONDS_MAX)
        kept = seed.kept(worker.complains("topic"), "says that the topic is gone")
        kept = kept.plus(seed.kept(worker.alive(), "goes on being there to be asked"))
        seed.world.kafka.create_topics({topic: PLAN.partitions})
        if seed.number % 2:
            worker.kill()
            worker = scene.start()
        for number, stands in enumerate(stood):
            assert stands is not None
            said = worker.complains(f"partition {number}: {topic}: offsets 0 to {stands.offset - 1} were processed")
            kept = kept.plus(seed.kept(said, "names what is no longer in Kafka"))
            now = scene.state.read(number)
            assert now is not None
            same = (now.offset, now.events) == (stands.offset, stands.events)
            kept = kept.plus(seed.kept(same, "stands where it stood"))
        return figures.plus(kept)


def too_large(seed: Seed) -> Figures:
    """The topic of alerts takes only small records: the worker says so, and publishes all when that is mended."""
    with seed.world.scene(PLAN.partitions) as scene:
        topic = scene.settings.topic_alerts
        scene.configure(topic, "max.message.bytes", "200")
        scene.publish(records(PLAN, seed.number))
        worker = scene.start()
        kept = seed.kept(worker.complains("publishing"), "says that it can't publish")
        scene.configure(topic, "max.message.bytes", "1048588")
        scene.rest(120)
        return scene.audit(seed.notes.append).plus(kept)


ROWS = (
    Row("broker-down", "kill -9 of the broker, away for 60 s", lambda s: broker_down(s, DOWN_SECONDS), 3, 3),
    Row("kafka-cut-out", "nothing from the worker reaches Kafka", lambda s: cut(s, "upstream"), 4, 1, ("toxiproxy",)),
    Row("kafka-cut-in", "no answer of Kafka arrives", lambda s: cut(s, "downstream"), 4, 1, ("toxiproxy",)),
    Row("retention", "records gone before they were read: named, and never jumped over", overtaken, 3, 3),
    Row("topic-deleted", "the topic deleted under a worker, and made anew", deleted, 3, 3),
    Row("too-large", "alerts larger than their topic takes, until that is mended", too_large, 3, 3),
)
