"""What a run left behind, against what it should have (expected.py): events and alerts lost and doubled, and whatever
else differs. Rows, due times, positions and event ids as Redis serves them; outbound records as a read_committed
subscriber sees them, with keys, headers and their order."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer

from commands.kafka import client, consumer, from_the_start, partitions, to_the_end
from handlers.engine.rules import Rules
from handlers.intake.dedup import BLOCK
from handlers.intake.events import Record
from handlers.intake.stream_time import TIME
from handlers.profile.customer import profile
from handlers.state.row_table import LEDGER
from streams.broker.messages import headers_of, record_of
from streams.ops.settings import Settings
from streams.partition.repartition import Before
from streams.store.port import Changes, Position
from streams.store.redis_store import RedisStore
from tests.faults.expected import Answers, Expected, Outbound, Place, grown, recomputed


class Figures(NamedTuple):
    """What a row of the table says, over all of its seeds."""

    events: int = 0
    lost: int = 0
    doubled: int = 0
    alerts: int = 0
    alerts_lost: int = 0
    alerts_doubled: int = 0
    other: int = 0
    """Rows, ledgers, due times, positions and event ids that differ from the recomputed ones; alerts with another key,
    other words or headers, or out of a customer's order; dead letters lost, doubled or different; promises of the row
    itself that were not kept, faults that did not happen."""

    def plus(self, other: "Figures") -> "Figures":
        return Figures(*[mine + theirs for mine, theirs in zip(self, other, strict=True)])

    @property
    def right(self) -> bool:
        return not (self.lost or self.doubled or self.alerts_lost or self.alerts_doubled or self.other)


@dataclass
class History:
    """What a run was, as far as the audit can't see it."""

    inherited: dict[int, Changes] = field(default_factory=dict)
    """What was in each partition before its first record."""
    answers_after: dict[int, int] = field(default_factory=dict)
    """By partition, where in its transactions outcomes and customer events came."""
    grew: Before | None = None
    """Where the partitions stood when `tracker repartition` moved their state to more."""
    went_back: bool = False
    """A worker found that the store had gone back: numbers of outbox entries may have been left out."""


class Found(NamedTuple):
    """A record of an outbound topic, and where."""

    partition: int
    record: Outbound
    timestamp_ms: int


def audit(
    settings: Settings, state: RedisStore, rules: Rules, history: History, tell: Callable[[str], None]
) -> Figures:
    """Compares everything. The workers must have come to rest. `tell` is told of each difference."""
    reader = consumer(settings)
    try:
        transactions = _records(reader, settings.topic_transactions)
        beside = (_records(reader, topic) for topic in (settings.topic_outcomes, settings.topic_customer_events))
        answers = Answers(*beside, history.answers_after)
        alerts = _found(reader, settings.topic_alerts)
        letters = _found(reader, settings.topic_dead_letters)
    finally:
        reader.close()
    told = (transactions, answers.outcomes, answers.customer_events)
    figures = Figures(events=sum(len(its) for topic in told for its in topic.values()))
    expected = {} if history.grew is None else grown(settings, rules, transactions, history.grew)
    for number, its in transactions.items():
        stands = state.read(number) or Position(0, 0, 0, 0, 0, 0, 0)
        inherited = history.inherited.get(number)
        if history.grew is None:
            expected[number] = recomputed(settings, rules, number, its, answers, inherited, int(time.time() * 1_000))
        wanted = expected[number]
        figures = figures.plus(_compare_rows(state, number, wanted, tell))
        figures = figures.plus(_compare_rest(state, number, wanted, stands, history, tell))
    wanted_alerts = {name: record for each in expected.values() for name, record in each.alerts.items()}
    wanted_letters = {place: record for each in expected.values() for place, record in each.letters.items()}
    figures = figures.plus(_compare_alerts(wanted_alerts, alerts, tell))
    return figures.plus(_compare_letters(wanted_letters, letters, tell))


def outbound(settings: Settings, topic: str, level: str = "read_committed") -> list[Found]:
    """Every record of an outbound topic that a subscriber of that isolation level sees."""
    tuned = {"group.id": f"{settings.group_id}-reader", "enable.partition.eof": True, "isolation.level": level}
    reader = Consumer(client(settings, **tuned))
    try:
        return _found(reader, topic)
    finally:
        reader.close()


def _compare_rows(state: RedisStore, number: int, wanted: Expected, tell: Callable[[str], None]) -> Figures:
    """To the byte."""
    customers = [*state.customers(number), LEDGER, TIME]
    served = {name: row for name, row in zip(customers, state.load(number, customers), strict=True) if row is not None}
    lost = doubled = other = 0
    clock = wanted.position.clock
    for name in sorted(wanted.rows.keys() | served.keys()):
        mine, theirs = wanted.rows.get(name), served.get(name)
        if name in (LEDGER, TIME):
            if mine != theirs:
                other += 1
                tell(f"partition {number}: {name[1:]} is {theirs!r}, recomputed {mine!r}")
            continue
        events, recounted = _count(theirs, clock), _count(mine, clock)
        lost += max(0, recounted - events)
        doubled += max(0, events - recounted)
        if mine != theirs:
            other += 1
            tell(f"partition {number}, customer {name}: {events} events, recomputed {recounted}: {theirs!r}, {mine!r}")
    return Figures(lost=lost, doubled=doubled, other=other)


def _compare_rest(
    state: RedisStore,
    number: int,
    wanted: Expected,
    stands: Position,
    history: History,
    tell: Callable[[str], None],
) -> Figures:
    """Due times, position, event ids."""
    differs = []
    due = sorted(state.due(number, 1 << 52, 1 << 30))
    if due != wanted.due:
        differs.append(f"{len(due)} due times, recomputed {len(wanted.due)}, not the same")
    mine, theirs = _bare(wanted.position), _bare(stands)
    if history.went_back and theirs.sequence > mine.sequence:
        theirs = theirs._replace(sequence=mine.sequence)
    if mine != theirs:
        differs.append(f"stands at {theirs}, recomputed {mine}")
    seen = state.seen(number, range(stands.oldest, stands.events // BLOCK + 1))
    if {place: data for place, data in seen.items() if data} != wanted.seen:
        differs.append("other event ids are remembered")
    for difference in differs:
        tell(f"partition {number}: {difference}")
    return Figures(other=len(differs))


def _compare_alerts(wanted: dict[str, Outbound], found: list[Found], tell: Callable[[str], None]) -> Figures:
    ids = [str(msgspec.json.decode(each.record.value or b"")["alert_id"]) for each in found]
    times = Counter(ids)
    missing = wanted.keys() - times.keys()
    doubled = sum(times[name] - (1 if name in wanted else 0) for name in times)
    for name in missing:
        tell(f"alert lost: {(wanted[name].value or b'').decode()}")
    other = 0
    by_customer: defaultdict[str, list[str]] = defaultdict(list)
    logs: defaultdict[str, set[int]] = defaultdict(set)
    for name, each in zip(ids, found, strict=True):
        text = (each.record.value or b"").decode()
        if times[name] > 1 or name not in wanted:
            tell(f"alert {'doubled' if name in wanted else 'without a cause'}: {text}")
        if name not in wanted:
            continue
        if each.record != wanted[name]:
            other += 1
            tell(f"alert with another {_which(wanted[name], each.record)}: {each.record}, recomputed {wanted[name]}")
        customer = str(msgspec.json.decode(text)["customer_id"])
        logs[customer].add(each.partition)
        if name not in by_customer[customer]:
            by_customer[customer].append(name)
    places = {name: place for place, name in enumerate(wanted)}
    for customer, names in by_customer.items():
        if len(logs[customer]) > 1:
            other += 1
            tell(f"alerts of customer {customer} are in partitions {sorted(logs[customer])} of their topic")
        if names != sorted(names, key=places.__getitem__):
            other += 1
            tell(f"alerts of customer {customer} are not in their order: {names}")
    return Figures(alerts=len(wanted), alerts_lost=len(missing), alerts_doubled=doubled, other=other)


def _compare_letters(wanted: Mapping[Place, Outbound], found: list[Found], tell: Callable[[str], None]) -> Figures:
    other = 0
    by_place: defaultdict[Place, list[Outbound]] = defaultdict(list)
    for each in found:
        told = dict(each.record.headers)
        topic, partition, offset = (told.get(f"dlq_{name}", b"-1") for name in ("topic", "partition", "offset"))
        by_place[Place(topic.decode(), int(partition), int(offset))].append(each.record)
    for place in wanted.keys() | by_place.keys():
        records = by_place[place]
        if len(records) != (1 if place in wanted else 0):
            other += 1
            tell(f"dead letter of {place}: {len(records)} of them")
        for record in records:
            if place in wanted and record != wanted[place]:
                other += 1
                tell(f"dead letter of {place} with another {_which(wanted[place], record)}")
    return Figures(other=other)


def _which(wanted: Outbound, found: Outbound) -> str:
    """Names what differs."""
    names: Collection[str] = Outbound._fields
    return " and ".join(name for name in names if getattr(wanted, name) != getattr(found, name))


def _bare(position: Position) -> Position:
    return position._replace(epoch=0, version=0)


def _count(row: bytes | None, clock: int) -> int:
    return 0 if row is None else int(profile(row, clock)["count_life"] or 0)


def _records(reader: Consumer, topic: str) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {number: [] for number in partitions(reader, topic)}
    for message in to_the_end(reader, topic, from_the_start(found)):
        found[int(message.partition() or 0)].append(record_of(message))
    return found


def _found(reader: Consumer, topic: str) -> list[Found]:
    """The records of each partition are in their order."""
    numbers = partitions(reader, topic)
    return [
        Found(
            int(message.partition() or 0),
            Outbound(message.key(), message.value(), headers_of(message)),
            message.timestamp()[1],
        )
        for message in to_the_end(reader, topic, from_the_start(numbers))
    ]
