"""`tracker verify`: recomputes every figure from the topic and compares it with what Redis serves."""

from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, NamedTuple

import typer
from confluent_kafka import Consumer, Message

from commands import rights
from commands.console import Bar, Failure, err, out, print_json, progress, settings_with
from commands.kafka import consumer, ends, partitions, to_the_end
from commands.state import intake, store
from handlers.engine.rules import Rules
from handlers.intake.events import Record
from handlers.intake.transactions import TransactionIntake
from handlers.profile.customer import accounts, profile
from serving.partitioner import partition_of
from streams.broker.messages import record_of
from streams.broker.topics import topics_read
from streams.ops.settings import Settings
from streams.partition.repartition import Before, Move, moves_of
from streams.partition.row_cache import RowCache
from streams.store.memory_store import MemoryStore
from streams.store.port import Offsets, Position
from streams.store.redis_store import RedisStore
from streams.worker.bootstrap import bootstrap

BATCH = 1_000
CACHE_BYTES = 64 * 1024 * 1024
READS_MAX = 20


class Difference(NamedTuple):
    """A figure that Redis serves and the recomputed one; None where there is none."""

    partition: int
    customer_id: str
    figure: str
    served: object
    recomputed: object


class Checked(NamedTuple):
    """What was compared in one partition."""

    customers: int
    figures: int
    differences: list[Difference]


def verify(as_json: Annotated[bool, typer.Option("--json", help="Differences as lines of JSON.")] = False) -> None:
    """Recompute every figure of every customer from the topic and compare it with Redis; print each difference.

    Outcomes and customer events change no figure, but a customer may be known by them alone, so they are read too.
    Reads each partition from its start to where Redis stands, in memory; nothing is changed. Ends with 1 when anything
    differs. What the topic no longer holds can't be recomputed, and shows as differences.
    """
    settings = settings_with("kafka_bootstrap_servers", "redis_url")
    rights.require(settings, rights.verifying(settings))
    state = store(settings)
    reading = intake(settings)
    reader = consumer(settings)
    results = []
    try:
        numbers = partitions(reader, settings.topic_transactions)
        standing = {number: stands for number in numbers if (stands := state.read(number)) is not None}
        with progress("recomputing", sum(sum(position.offsets) for position in standing.values())) as bar:
            again = _Again(reader, reading, settings, bar)
            for before in moves_of(state):
                again.grow(before)
            for number in standing:
                results.append(_check(number, state, again))
                _tell(results[-1].differences, as_json)
    finally:
        reader.close()
    customers, figures = (sum(column) for column in list(zip(*results, strict=True))[:2]) if results else (0, 0)
    difference_count = sum(len(result.differences) for result in results)
    compared = f"{figures:,} figures of {customers:,} customers, recomputed from {again.events:,} events"
    if as_json:
        print_json(
            {"differences": difference_count, "figures": figures, "customers": customers, "events": again.events}
        )
    else:
        out.print(f"{difference_count:,} differences in {compared}", style="red" if difference_count else "green")
    if difference_count:
        raise typer.Exit(1)


def _tell(differences: list[Difference], as_json: bool) -> None:
    for difference in differences:
        if as_json:
            print_json(difference._asdict())
        else:
            out.print(
                f"partition {difference.partition}, customer {difference.customer_id}, {difference.figure}: "
                f"Redis has {difference.served}, recomputed {difference.recomputed}",
                markup=False,
            )


class _Again:
    """What the topics come to, recomputed in memory."""

    def __init__(self, reader: Consumer, reading: TransactionIntake, settings: Settings, bar: Bar) -> None:
        self._reader, self._reading, self._settings, self._bar = reader, reading, settings, bar
        self._moved: MemoryStore | None = None
        """Partitions of all numbers, where their number has grown: else one after the other is enough."""
        self.events = 0

    def grow(self, before: Before) -> None:
        """All partitions that there were up to where they stood when their number grew, and then what `tracker
        repartition` made of them."""
        self._moved = store = self._moved or MemoryStore()
        for number, offsets in enumerate(before.offsets):
            self._run(store, number, Offsets(*offsets))
        owned = {number: store.claim(number) for number in range(before.partitions)}
        Move(store, len(before.offsets), owned, partition_of).whole()

    def run(self, number: int, to: Offsets) -> MemoryStore:
        """One partition up to there."""
        store = self._moved or MemoryStore()
        self._run(store, number, to)
        return store

    def _run(self, store: MemoryStore, number: int, to: Offsets) -> None:
        everything = self._settings.model_copy(update={"poison_share_max": 1.0})
        parts = bootstrap(everything, Rules, store=store, intake=self._reading, cache=RowCache(CACHE_BYTES))
        partition = parts.partition(number)
        start = partition.claim().offsets
        transactions, *others = [
            _batches(self._reader, topic, number, at, end, self._bar)
            for topic, at, end in zip(topics_read(self._settings), start, to, strict=True)
        ]
        for batch in transactions:
            self.events += partition.process(batch, None).events
        for index, batches in enumerate(others):
            for batch in batches:
                partition.process([], None, *[[]] * index, batch)


def _check(number: int, state: RedisStore, again: _Again) -> Checked:
    position, served = _snapshot(number, state)
    store = again.run(number, position.offsets)
    customers = sorted({*served, *store.customers(number)})
    recomputed = dict(zip(customers, store.load(number, customers), strict=True))
    differences: list[Difference] = []
    figures = 0
    for customer_id in customers:
        mine = _figures(recomputed[customer_id], position.clock)
        theirs = _figures(served.get(customer_id), position.clock)
        figures += len(mine)
        differences += [
            Difference(number, customer_id, name, theirs.get(name), mine.get(name))
            for name in {**mine, **theirs}
            if theirs.get(name) != mine.get(name)
        ]
    return Checked(len(customers), figures, differences)


def _snapshot(number: int, state: RedisStore) -> tuple[Position, dict[str, bytes | None]]:
    """The rows of one moment: read again while a worker writes between."""
    for _ in range(READS_MAX):
        before = state.read(number)
        customers = state.customers(number)
        rows = dict(zip(customers, state.load(number, customers), strict=True))
        if before is not None and before == state.read(number):
            return before, rows
    raise Failure(f"Partition {number} is being written all the time; stop the feed, or the workers, and try again")


def _batches(reader: Consumer, topic: str, number: int, start: int, end: int, bar: Bar) -> Iterator[list[Record]]:
    low = max(start, ends(reader, topic, number).low)
    if low > start:
        err.print(f"[yellow]partition {number}: {topic} has lost {low - start:,} records[/]")
    records = (record_of(message) for message in _until(reader, topic, number, low, end))
    for _, batch in groupby(enumerate(records), key=lambda numbered: numbered[0] // BATCH):
        yield [record for _, record in batch]
        bar.add(BATCH)


def _until(reader: Consumer, topic: str, number: int, low: int, end: int) -> Iterator[Message]:
    if low >= end:
        return
    for message in to_the_end(reader, topic, {number: low}):
        if (message.offset() or 0) >= end:
            return
        yield message


def _figures(row: bytes | None, now: int) -> dict[str, object]:
    if row is None:
        return {}
    balances = {f"balance of account {account}": (balance, at) for account, balance, at in accounts(row)}
    return {**profile(row, now), **balances}
