"""`tracker repartition`: takes the state over to the number of partitions that the topics have grown to."""

import time
from collections.abc import Iterator
from itertools import groupby

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from commands import rights
from commands.console import Bar, Failure, out, progress, settings_with
from commands.kafka import ANSWER_SECONDS_MAX, admin, consumer, ends, partitions, to_the_end
from commands.offers import standing_offers
from commands.state import intake, rules, store
from handlers.intake.events import Record
from handlers.intake.inputs import SIDE_INPUTS, Effect
from serving.partitioner import partition_of, partition_of_key
from streams.broker.membership import Asking
from streams.broker.messages import record_of
from streams.broker.ownership import STANDING_STILL, Ownership, take
from streams.broker.poller import consumer_config
from streams.broker.progress import OutboxProgress
from streams.broker.published_scan import PublishedScan
from streams.broker.publisher import Publisher
from streams.broker.rights import worker_rights
from streams.broker.topics import topics_read
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.settings import Settings
from streams.partition.partition import Partition
from streams.partition.repartition import Misplaced, Move, counts_of, plan_of
from streams.store.port import Changes, Fenced, Moved, Offsets, Position
from streams.store.redis_store import RedisStore
from streams.worker.bootstrap import bootstrap

_BATCH = 1_000
_PUBLISHING_SECONDS_MAX = 120.0
_STRAY_SHARE_MAX = 0.1
"""Records of a wrong key are refused one by one; more than that of them in a wrong partition is another partitioner."""

_DOCS = "docs/partitions.md says how a topic is grown"


def repartition() -> None:
    """Move the state to the number of partitions that the topics have grown to. Stop all workers before.

    What was written before the topics grew and is not worked off yet is worked off first, and what it leads to is
    published. Then rows, due times, event ids, the ledger and stream time go to the partitions where Kafka sends each
    customer from now on. Killed at any moment and started again it goes on. Nothing happens where nothing has grown.
    """
    settings = settings_with("kafka_bootstrap_servers", "redis_url")
    rights.require(settings, worker_rights(settings))
    state = store(settings)
    try:
        while (made_with := _made_with(state, count := _count(settings))) != count or plan_of(state) is not None:
            _nobody_works(settings)
            become = _move(settings, state, made_with, count)
            out.print(f"[green]{made_with} partitions have become {become}[/]")
    except (Fenced, Moved) as error:
        raise Failure(f"Somebody else has claimed a partition: {error}; stop all workers and start again") from error
    except (*STANDING_STILL, Misplaced) as error:
        raise Failure(f"{error}; {_DOCS}") from error
    out.print(f"The state is that of {count} partitions: start workers")


def _count(settings: Settings) -> int:
    """How many partitions all topics that are read have. Raises Failure."""
    client = admin(settings)
    counts = {topic: len(partitions(client, topic)) for topic in topics_read(settings)}
    if len(set(counts.values())) > 1:
        having = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise Failure(f"These topics must have the same number of partitions: {having}; grow the others first")
    return counts[settings.topic_transactions]


def _made_with(state: RedisStore, count: int) -> int:
    """With how many partitions the state was made. Raises Failure where that can't be told, or is more than `count`."""
    if (plan := plan_of(state)) is not None:
        return plan.made_with
    noted = set(counts_of(state, count).values())
    if not noted and any((at := state.read(number)) is not None and at.version for number in range(count)):
        raise Failure(
            "Redis does not say with how many partitions its state was made, for only workers of an older version have"
            " written it: begin with an empty Redis and topics that are read from their start"
        )
    made_with = min(noted, default=count)
    if made_with > count:
        raise Failure(f"The state was made with {made_with} partitions, the topics have {count}: partitions only grow")
    return made_with


def _nobody_works(settings: Settings) -> None:
    """Raises Failure while the workers' group has members."""
    group = settings.group_id
    try:
        members = Asking(settings)().result(ANSWER_SECONDS_MAX).members
    except TimeoutError:
        raise Failure(f"Kafka does not say who is in the group {group}; try again") from None
    if members:
        raise Failure(
            f"{len(members)} workers are in the group {group}: stop them all; one that was killed leaves it after"
            f" {settings.session_timeout_ms / 1_000:g} s"
        )


def _move(settings: Settings, state: RedisStore, made_with: int, count: int) -> int:
    """Returns to how many partitions it has come, which is less than `count` where topics grew again meanwhile."""
    plan = plan_of(state)
    if plan is not None and plan.parts:
        count = plan.partitions
    noted = [number for number, partition_count in counts_of(state, count).items() if partition_count == count]
    with _Old(settings, state, made_with, count) as old:
        going_on = plan is not None and bool(plan.parts)
        owned = {n: state.claim(n) for n in range(count) if n not in noted} if going_on else old.worked_off()
        if plan is None and (begun := [n for n in range(made_with, count) if owned[n].version]):
            raise Failure(f"Partition {begun[0]} has a state already, although it is new; {_DOCS}")
    positions = dict.fromkeys(range(count), Position(0, 0, 0, 0, 0, 0, 0)) | owned
    move = Move(state, made_with, positions, partition_of)
    if not going_on:
        if plan is None:
            move.check()
        move.begin()
        move.copy()
        plan = plan_of(state)
    if plan is not None and not noted:
        move.apply(plan)
        _tell_group(settings, range(made_with, count))
    move.finish(noted)
    return count


def _tell_group(settings: Settings, numbers: range) -> None:
    """Nothing of the new partitions' outboxes, which are empty, is published: else workers would look for it."""
    topic, known = settings.topic_transactions, str(OutboxProgress())
    group = Consumer(consumer_config(settings, lambda _: None))
    try:
        if numbers:
            group.commit(offsets=[TopicPartition(topic, n, 0, known) for n in numbers], asynchronous=False)
    finally:
        group.close()


class _Old:
    """The partitions as they were, owned as a worker owns them."""

    def __init__(self, settings: Settings, state: RedisStore, made_with: int, count: int) -> None:
        self._settings, self._state = settings, state
        self._topics = topics_read(settings)
        self._made_with, self._count = made_with, count
        self._reader = consumer(settings)
        self._group = Consumer(consumer_config(settings, lambda _: None))
        self._scan = PublishedScan(settings, lambda _: None)

    def worked_off(self) -> dict[int, Position]:
        """Claims every partition and works off what was written by the old number. Where each stands then."""
        decided = rules(self._settings, standing_offers(self._settings), self._made_with)
        parts = bootstrap(self._settings, lambda: decided, store=self._state, intake=intake(self._settings))
        ownerships = [
            take(self._group, self._topics, parts.partition(number), self._scan, ANSWER_SECONDS_MAX, any_count=True)
            for number in range(self._made_with)
        ]
        new = {number: self._state.claim(number) for number in range(self._made_with, self._count)}
        ends_of = [self._ahead(index, ownerships) for index in range(len(self._topics))]
        with progress("working off what was written before", None) as bar:
            for ownership in ownerships:
                self._work_off(
                    ownership, Offsets(*[end_by_partition[ownership.number] for end_by_partition in ends_of]), bar
                )
        self._publish(ownerships)
        return {ownership.number: ownership.partition.position for ownership in ownerships} | new

    def _ahead(self, index: int, ownerships: list[Ownership]) -> dict[int, int]:
        """By partition, where the records of one topic end that were written by the old number. Raises Failure where
        they can't be told from those that were written by the new one."""
        topic = self._topics[index]
        starts = {ownership.number: ownership.start[index] for ownership in ownerships}
        starts |= {n: ends(self._reader, topic, n).low for n in range(self._made_with, self._count)}
        last, new = {ownership.number: ownership.start[index] for ownership in ownerships}, dict[int, int]()
        read = stray = 0
        for message in to_the_end(self._reader, topic, starts):
            number, offset, key = int(message.partition() or 0), int(message.offset() or 0), message.key()
            if key is None:
                continue
            read += 1
            old, now = self._made_with, self._count
            by_old, by_new = partition_of_key(key, old), partition_of_key(key, now)
            if by_new == number:
                if number < old and by_old != number:
                    new.setdefault(number, offset)
            elif by_old == number:
                last[number] = offset + 1
                if number in new:
                    raise Failure(
                        f"{topic}, partition {number}: the record at offset {offset} was written for {old} partitions,"
                        f" the one at {new[number]} before it for {now}, and their customers have been in different"
                        f" partitions; {_DOCS}"
                    )
            else:
                stray += 1
        if stray > _STRAY_SHARE_MAX * read:
            raise Failure(
                f"{topic}: {stray:,} of {read:,} records are in partitions where murmur2 of their key does not send"
                f" them: their producer uses another partitioner; {_DOCS}"
            )
        return last

    def _work_off(self, ownership: Ownership, to: Offsets, bar: Bar) -> None:
        partition = ownership.partition
        wall = int(time.time() * 1_000) if self._settings.clock == "wall" else 0
        transactions, *others = (
            self._batches(topic, ownership.number, at, end)
            for topic, at, end in zip(self._topics, ownership.start, to, strict=True)
        )
        # Those that take effect after all others first: an offer too few does less harm than one without consent.
        later, earlier = (
            [index for index, topic in enumerate(SIDE_INPUTS) if (topic.effect is Effect.AFTER_ALL) == is_later]
            for is_later in (True, False)
        )
        for index in later:
            self._work_off_beside(partition, index, others[index], wall)
        for batch in transactions:
            partition.process(batch, None, wall=wall)
            bar.add(len(batch))
        for index in earlier:
            self._work_off_beside(partition, index, others[index], wall)
        if not partition.position.version:  # nothing has ever come: it goes on where its topics start
            at, (first, *beside) = partition.position, partition.reached
            changes = Changes(beside=tuple(beside))
            partition.position = self._state.commit(ownership.number, at, first, at.clock, changes)

    def _work_off_beside(self, partition: Partition, index: int, batches: Iterator[list[Record]], wall: int) -> None:
        for batch in batches:
            partition.process([], None, *[[]] * index, batch, wall=wall)

    def _batches(self, topic: str, number: int, start: int, end: int) -> Iterator[list[Record]]:
        if start >= end:
            return
        messages = to_the_end(self._reader, topic, {number: start})
        records = (record_of(message) for message in messages if (message.offset() or 0) < end)
        for _, batch in groupby(enumerate(records), key=lambda numbered: numbered[0] // _BATCH):
            yield [record for _, record in batch]

    def _publish(self, ownerships: list[Ownership]) -> None:
        """All that waits in the outboxes, with what has just come into them. Raises Failure, and what the publisher
        fails with."""
        broken: list[BaseException] = []
        publisher = Publisher(
            self._settings,
            Consumer(consumer_config(self._settings, lambda _: None)),
            self._state,
            self._scan,
            Health(),
            Metrics(CollectorRegistry()),
            lambda _: None,
            broken.append,
        )
        publisher.serve(self._group)
        for ownership in ownerships:
            partition = ownership.partition
            publisher.own(ownership)
            publisher.add(ownership, [], partition.reached, partition.position.clock)
        publisher.start()
        deadline = time.monotonic() + _PUBLISHING_SECONDS_MAX
        while waiting := [c for c in ownerships if c.partition.published < c.partition.position.sequence]:
            if broken:
                raise broken[0]
            if time.monotonic() > deadline:
                raise Failure(
                    f"Alerts of partition {waiting[0].number} are not published yet: Kafka does not take them; look at"
                    f" {self._settings.topic_alerts} and {self._settings.topic_dead_letters}, and start again"
                )
            publisher.serve(self._group)
            time.sleep(0.05)
        if not publisher.stop(ANSWER_SECONDS_MAX, None):
            raise Failure("Kafka does not take the end of what was published; start again")

    def __enter__(self) -> "_Old":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._group.close()
