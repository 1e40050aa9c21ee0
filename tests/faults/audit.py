"""What a run left behind, against a pure recomputation from the topic: events and alerts lost and doubled.

The recomputation folds each record of the topic once, in its order, in memory. Records with an event_id that came
before are left out here, before the tracker's own code sees them, so that its dropping of duplicates is judged too.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer

from commands.kafka import consumer, from_the_start, partitions, to_the_end
from commands.state import intake
from handlers.batch import Record
from handlers.engine import Engine, Rules
from handlers.measures import accounts, profile
from handlers.seen import Seen
from streams.beside import note_intakes
from streams.cache import RowCache
from streams.memory_store import MemoryStore
from streams.partition import Partition
from streams.records import record_of
from streams.redis_store import RedisStore
from streams.settings import Settings
from streams.store import Changes
from tests.faults.workload import event_id

BATCH = 500


class Figures(NamedTuple):
    """What a row of the table says, over all of its seeds."""

    events: int = 0
    lost: int = 0
    doubled: int = 0
    alerts: int = 0
    alerts_lost: int = 0
    alerts_doubled: int = 0
    other: int = 0
    """Rows and due times that differ from the recomputed ones; alerts with other words; dead letters lost or doubled;
    promises of the row itself that were not kept."""

    def plus(self, other: "Figures") -> "Figures":
        return Figures(*[mine + theirs for mine, theirs in zip(self, other, strict=True)])

    @property
    def right(self) -> bool:
        return not (self.lost or self.doubled or self.alerts_lost or self.alerts_doubled or self.other)


class Expected(NamedTuple):
    """One partition, recomputed."""

    rows: dict[str, bytes]
    due: list[tuple[str, int]]
    clock: int
    alerts: dict[str, bytes]
    """Value by alert_id."""
    letters: Counter["Place"]
    """Of each refused record."""


class Place(NamedTuple):
    """Of a record."""

    topic: str
    partition: int
    offset: int


class Answers(NamedTuple):
    """What arrived beside transactions, all of it while none were on their way."""

    outcomes: dict[int, list[Record]]
    """By partition, in their order."""
    customer_events: dict[int, list[Record]]
    after: dict[int, int]
    """By partition, the offset of the first transaction that was published after them."""


def audit(
    settings: Settings,
    state: RedisStore,
    rules: Rules,
    inherited: Mapping[int, Changes],
    answers_after: dict[int, int],
    tell: Callable[[str], None],
) -> Figures:
    """Compares everything. The workers must have come to rest. `tell` is told of each difference; `inherited` is what
    was in each partition before its first record, `answers_after` by partition where in its transactions outcomes and
    customer events came."""
    reader = consumer(settings)
    try:
        records = _records(reader, settings.topic_transactions)
        beside = (_records(reader, topic) for topic in (settings.topic_outcomes, settings.topic_customer_events))
        answers = Answers(*beside, answers_after)
        expected = {
            number: _recomputed(settings, state, rules, number, its, answers, inherited.get(number))
            for number, its in records.items()
        }
        alerts = _values(reader, settings.topic_alerts)
        letters = _letters(reader, settings.topic_dead_letters)
    finally:
        reader.close()
    told = (records, answers.outcomes, answers.customer_events)
    figures = Figures(events=sum(len(its) for topic in told for its in topic.values()))
    for number, wanted in expected.items():
        figures = figures.plus(_compare_state(state, number, wanted, tell))
    wanted_alerts = {key: value for each in expected.values() for key, value in each.alerts.items()}
    wanted_letters = Counter[Place]()
    for each in expected.values():
        wanted_letters += each.letters
    return figures.plus(_compare_alerts(wanted_alerts, alerts, tell)).plus(
        _compare_letters(wanted_letters, letters, tell)
    )


def published(settings: Settings) -> list[bytes]:
    """The value of every alert that a read_committed subscriber sees."""
    reader = consumer(settings)
    try:
        return _values(reader, settings.topic_alerts)
    finally:
        reader.close()


def _recomputed(
    settings: Settings,
    state: RedisStore,
    rules: Rules,
    number: int,
    records: list[Record],
    answers: Answers,
    inherited: Changes | None,
) -> Expected:
    stands = state.read(number)
    again = MemoryStore()
    if inherited is not None:
        again.commit(number, again.claim(number), 0, 0, inherited)
    topics = settings.topic_alerts, settings.topic_dead_letters
    partition = Partition(
        number,
        again,
        intake(settings),
        Engine(settings.topic_transactions),
        note_intakes(settings),
        lambda: rules,
        *topics,
        RowCache(1 << 24),
    )
    partition.claim()
    seen: set[str] = set()
    once = []
    for record in records:
        name = event_id(record.value)
        if name is None or not _is_event(settings, record):
            once.append(record)
        elif name not in seen:
            once.append(record)
            seen.add(name)
    there = bisect_left(once, answers.after.get(number, 0), key=lambda record: record.offset)
    done = [partition.process(once[at : min(at + BATCH, there)], None) for at in range(0, there, BATCH)]
    done.append(partition.process([], None, answers.outcomes[number], answers.customer_events[number]))
    done += [partition.process(once[at : at + BATCH], None) for at in range(there, len(once), BATCH)]
    if stands is not None and settings.clock == "wall":
        done.append(partition.process([], stands.clock))
    alerts = [alert for each in done for alert in each.alerts]
    letters = Counter(Place(x.topic, x.partition, x.offset) for each in done for x in each.dead_letters)
    values = {alert.alert_id: msgspec.json.encode(msgspec.to_builtins(alert)) for alert in alerts}
    assert len(values) == len(alerts), "two alerts of one recomputation have one id"
    customers = again.customers(number)
    rows = {name: row for name, row in zip(customers, again.load(number, customers), strict=True) if row is not None}
    return Expected(rows, again.due(number, 1 << 62, 1 << 30), partition.position.clock, values, letters)


def _is_event(settings: Settings, record: Record) -> bool:
    """Whether the record is accepted by itself: a refused one's event_id does not count as seen."""
    return len(intake(settings).batch(0, [record], 0, Seen())) == 1


def _compare_state(state: RedisStore, number: int, wanted: Expected, tell: Callable[[str], None]) -> Figures:
    customers = state.customers(number)
    served = {name: row for name, row in zip(customers, state.load(number, customers), strict=True) if row is not None}
    lost = doubled = other = 0
    for name in sorted(wanted.rows.keys() | served.keys()):
        mine, theirs = _count(wanted.rows.get(name), wanted.clock), _count(served.get(name), wanted.clock)
        lost += max(0, mine - theirs)
        doubled += max(0, theirs - mine)
        if _told(wanted.rows.get(name), wanted.clock) != _told(served.get(name), wanted.clock):
            other += 1
            tell(f"partition {number}, customer {name}: {theirs} events, recomputed {mine}")
    due = sorted(state.due(number, 1 << 52, 1 << 30))
    if due != sorted(wanted.due):
        other += 1
        tell(f"partition {number}: {len(due)} due times, recomputed {len(wanted.due)}, not the same")
    return Figures(lost=lost, doubled=doubled, other=other)


def _compare_alerts(wanted: dict[str, bytes], found: list[bytes], tell: Callable[[str], None]) -> Figures:
    ids = [str(msgspec.json.decode(value)["alert_id"]) for value in found]
    times = Counter(ids)
    missing = wanted.keys() - times.keys()
    doubled = sum(times[name] - (1 if name in wanted else 0) for name in times)
    for name in missing:
        tell(f"alert lost: {wanted[name].decode()}")
    for name, value in zip(ids, found, strict=True):
        if times[name] > 1 or name not in wanted:
            tell(f"alert {'doubled' if name in wanted else 'without a cause'}: {value.decode()}")
    other = [n for n, value in zip(ids, found, strict=True) if n in wanted and value != wanted[n]]
    for name in other:
        tell(f"alert with other words: {name}")
    return Figures(alerts=len(wanted), alerts_lost=len(missing), alerts_doubled=doubled, other=len(other))


def _compare_letters(wanted: Counter[Place], found: Counter[Place], tell: Callable[[str], None]) -> Figures:
    differing = (wanted - found) + (found - wanted)
    for place, times in differing.items():
        tell(f"dead letter of {place}: {found[place]} of them, {times} too many or too few")
    return Figures(other=differing.total())


def _told(row: bytes | None, clock: int) -> object:
    """Every figure of a row: what no window sees any more may still be in its bytes, or not."""
    return None if row is None else (profile(row, clock), accounts(row))


def _count(row: bytes | None, clock: int) -> int:
    return 0 if row is None else int(profile(row, clock)["count_life"] or 0)


def _records(reader: Consumer, topic: str) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {number: [] for number in partitions(reader, topic)}
    for message in to_the_end(reader, topic, from_the_start(found)):
        found[int(message.partition() or 0)].append(record_of(message))
    return found


def _values(reader: Consumer, topic: str) -> list[bytes]:
    numbers = partitions(reader, topic)
    return [message.value() or b"" for message in to_the_end(reader, topic, from_the_start(numbers))]


def _letters(reader: Consumer, topic: str) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for message in to_the_end(reader, topic, from_the_start(partitions(reader, topic))):
        headers = {name: value.decode() for name, value in message.headers() or () if isinstance(value, bytes)}
        found[Place(headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"]))] += 1
    return found
