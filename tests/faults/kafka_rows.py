"""Rows: what happens to Kafka, and what Kafka no longer has or does not take."""

import os
import signal
import time
from dataclasses import replace

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.broker.topics import topics_read
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.scene import ANSWER_SECONDS_MAX, BROKER, Scene
from tests.faults.servers import until
from tests.faults.steps import COMMITTING_RECORDS, Cut
from tests.faults.workload import Plan, Sent, records
from tests.faults.world import Row, Seed
from tests.servers import Kafka

PLAN = Plan()
DOWN_SECONDS = 60.0
COMMIT_SECONDS_MAX = 120
"""An answer to a commit is waited for three times, 10 s each, and as long for that to its abort."""
HELD_SESSION_MS = 6_000
LOST = 40
"""Records that retention takes before they were read."""


def broker_down(seed: Seed, seconds: float) -> Figures:
    """The broker is killed in the middle, and is back after a minute."""
    with Kafka(BROKER) as kafka:
        url = f"redis://127.0.0.1:{seed.world.redis.port}/{seed.world.database()}"
        with Scene(kafka, url, PLAN.partitions, poll_records_max=5) as scene:
            before, after = sliced(records(PLAN, seed.number), 2)
            scene.publish(before)
            worker = scene.start()
            scene.progress(seed.chance.randint(1, 10))
            working = scene.behind() > 0
            os.kill(kafka.process.pid, signal.SIGKILL)
            kafka.process.stop()
            seed.happened("broker killed at work", working and silent(kafka.bootstrap_servers))
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
        working = scene.behind() > 0
        world.proxies.cut("kafka", way)
        seed.happened("silent at work", working and silent(world.cuttable_kafka))
        time.sleep(seed.chance.uniform(1, 9))
        world.proxies.mend()
        scene.rest(180)
        assert kafka is world.kafka
        seed.happened("partitions taken away", scene.says("taken away"))
        return scene.audit(seed.notes.append)


def cut_in_commit(seed: Seed) -> Figures:
    """The line to Kafka goes silent just as a transaction is committed, for longer than the answer is asked for: every
    other seed the broker has done it and its word is lost, else it has never heard of it."""
    world, unheard = seed.world, seed.number % 2
    seed.must("records committed unheard" if unheard else "records aborted")
    assert world.kafka
    with world.scene(PLAN.partitions, bootstrap=world.cuttable_kafka, poll_records_max=5) as scene:
        before, after = sliced(records(PLAN, seed.number), 2)
        way = "downstream" if unheard else "upstream"
        worker = scene.start(Cut(COMMITTING_RECORDS, 1, world.proxies.cutting("kafka"), way))
        scene.publish(before)
        until(lambda: world.proxies.is_cut("kafka"), 60, "the cut")
        until(lambda: worker.says("publishing failed") > 0, COMMIT_SECONDS_MAX, "the commit to be given up")
        seed.happened("commits without an answer", worker.says("publishing failed"))
        seed.happened("records committed unheard", len(scene.stamps()))  # it was the first transaction
        seed.happened("records aborted", scene.aborted())
        world.proxies.mend()
        scene.publish(after)
        scene.rest(180)
        kept = seed.kept(worker.alive(), "the worker outlives it")
        return scene.audit(seed.notes.append).plus(kept)


def overtaken(seed: Seed) -> Figures:
    """Retention takes records while no worker runs: the partition stands still and names the range."""
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
            seed.happened("records deleted", _deleted(admin, topic, low) - stands.offset)
            worker = scene.start()
            said = worker.complains(f"offsets {stands.offset} to {low - 1} have gone")
            kept = seed.kept(said, "names the records that are lost")
            now = scene.state.read(0)
            kept = kept.plus(seed.kept(now is not None and now.offset == stands.offset, "does not jump over them"))
        return kept.plus(Figures(events=len(before) + len(after)))


def overtaken_running(seed: Seed) -> Figures:
    """Retention overtakes a running worker, on a topic after the other: the partition stands still and says so, the
    other one goes on. The worker is held while the records come and go, else it would have read them."""
    kept, events = Figures(), 0
    for place in range(3):
        with seed.world.scene(2, session_timeout_ms=HELD_SESSION_MS) as scene:
            topic = topics_read(scene.settings)[place]
            sent = records(Plan(partitions=2, silence_days=0, poison=0), seed.number)
            scene.publish(sent)
            worker = scene.start()
            scene.rest()
            stands = scene.state.read(0)
            assert stands is not None
            worker.signal(signal.SIGSTOP)
            for number in range(LOST):
                scene.send(topic, Sent(0, b"C000", b'{"of": "retention %d"}' % number))
            admin = AdminClient({"bootstrap.servers": seed.world.kafka.bootstrap_servers})
            low = _deleted(admin, topic, stands.offsets[place] + LOST)
            scene.send(topic, Sent(0, b"C000", b"{}"))
            scene.publish([replace(record, value=_renamed(record.value)) for record in sent if record.partition == 1])
            worker.signal(signal.SIGCONT)
            said = worker.complains("no longer in Kafka")
            kept = kept.plus(seed.kept(said, f"{topic}: says that records have gone"))
            kept = kept.plus(seed.kept(scene.reads_all([1]), f"{topic}: the other partition goes on"))
            now = scene.state.read(0)
            assert now is not None
            kept = kept.plus(seed.kept(now.offsets[place] < low, f"{topic}: does not jump over them"))
            kept = kept.plus(seed.kept(worker.alive(), "goes on being there to be asked"))
            seed.happened(f"{('transactions', 'outcomes', 'customer events')[place]} deleted", low - now.offsets[place])
            events += len(sent)
    return kept.plus(Figures(events=events))


def _deleted(admin: AdminClient, topic: str, low: int) -> int:
    """Deletes the records of the first partition before that offset. Answers where it starts then."""
    (gone,) = admin.delete_records([TopicPartition(topic, 0, low)]).values()
    return int(gone.result(ANSWER_SECONDS_MAX).low_watermark)


def _renamed(value: bytes | None) -> bytes | None:
    """The same transaction as another one."""
    return value and value.replace(b'"event_id":"e', b'"event_id":"again-e')


def silent(bootstrap: str) -> bool:
    """Whether no broker answers there."""
    try:
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=1)
    except KafkaException:
        return True
    return False


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
        seed.happened("topic deleted", scene.is_gone(topic))
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
        seed.happened("transactions refused", worker.says("MSG_SIZE_TOO_LARGE"))
        scene.configure(topic, "max.message.bytes", "1048588")
        scene.rest(120)
        return scene.audit(seed.notes.append).plus(kept)


SILENT = ("silent at work", "partitions taken away")

ROWS = (
    Row(
        "broker-down",
        "kill -9 of the broker, away for 60 s",
        lambda seed: broker_down(seed, DOWN_SECONDS),
        3,
        3,
        happens=("broker killed at work",),
    ),
    Row(
        "kafka-cut-out",
        "nothing from the worker reaches Kafka",
        lambda seed: cut(seed, "upstream"),
        4,
        1,
        ("toxiproxy",),
        happens=SILENT,
    ),
    Row(
        "kafka-cut-in",
        "no answer of Kafka arrives",
        lambda seed: cut(seed, "downstream"),
        4,
        1,
        ("toxiproxy",),
        happens=SILENT,
    ),
    Row(
        "kafka-cut-commit",
        "cut in the commit of a transaction, for longer than its answer is asked for",
        cut_in_commit,
        2,
        1,
        ("toxiproxy",),
        happens=("commits without an answer",),
    ),
    Row(
        "retention",
        "records gone before they were read: named, and never jumped over",
        overtaken,
        3,
        3,
        happens=("records deleted",),
    ),
    Row(
        "retention-running",
        "retention overtakes a running worker, on each of the three topics",
        overtaken_running,
        3,
        3,
        happens=("transactions deleted", "outcomes deleted", "customer events deleted"),
    ),
    Row(
        "topic-deleted",
        "the topic deleted under a worker, and made anew",
        deleted,
        3,
        3,
        happens=("topic deleted",),
    ),
    Row(
        "too-large",
        "alerts larger than their topic takes, until that is mended",
        too_large,
        3,
        3,
        happens=("transactions refused",),
    ),
)
