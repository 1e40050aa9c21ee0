"""What a run should have left behind: a pure recomputation from the topics.

It folds each record of the topic once, in its order, in memory. Records with an event_id that came before are left out
here, before the tracker's own code sees them, so that its dropping of duplicates is judged too. Headers are written
down here word by word.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from commands.state import intake
from handlers.engine.rules import Rules
from handlers.intake.dedup import BLOCK, DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.stream_time import TIME, StreamTime
from handlers.state.row_table import LEDGER
from schemas.alert import Alert
from schemas.dead_letter import DeadLetter
from serving.partitioner import partition_of
from streams.ops.settings import Settings
from streams.partition.partition import Partition
from streams.partition.repartition import Before, Move
from streams.partition.row_cache import RowCache
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Offsets, Position
from streams.worker.bootstrap import bootstrap
from tests.faults.workload import event_id

BATCH = 500


class Outbound(NamedTuple):
    """A record of an outbound topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Place(NamedTuple):
    """Of a record that was read."""

    topic: str
    partition: int
    offset: int


class Expected(NamedTuple):
    """One partition, recomputed."""

    rows: dict[str, bytes]
    """The ledger's among them."""
    due: list[tuple[str, int]]
    position: Position
    """Without the epoch and the version, which depend on what happened."""
    seen: dict[int, bytes]
    """Segments of hashes of event ids."""
    alerts: dict[str, Outbound]
    """By alert_id, in their order."""
    letters: dict[Place, Outbound]
    """By the place of the refused record."""


class Answers(NamedTuple):
    """What arrived beside transactions, all of it while none were on their way."""

    outcomes: dict[int, list[Record]]
    """By partition, in their order."""
    customer_events: dict[int, list[Record]]
    after: dict[int, int]
    """By partition, the offset of the first transaction that was published after them."""


def recomputed(
    settings: Settings,
    rules: Rules,
    number: int,
    transactions: list[Record],
    answers: Answers,
    inherited: Changes | None,
    wall_clock: int,
) -> Expected:
    """What one partition should have come to, where the clock on the wall, if it is asked, says `wall_clock`."""
    again = MemoryStore()
    if inherited is not None:
        again.commit(number, again.claim(number), 0, 0, inherited)
    partition = _opened(settings, number, again, rules)
    once = _once(settings, transactions, set())
    outcomes, customer_events = answers.outcomes[number], answers.customer_events[number]
    there = bisect_left(once, answers.after.get(number, 0), key=lambda record: record.offset)
    wall = wall_clock if settings.clock == "wall" else 0
    done = [partition.process(once[at : min(at + BATCH, there)], None, wall=wall) for at in range(0, there, BATCH)]
    done.append(partition.process([], None, outcomes, customer_events, wall=wall))
    done += [partition.process(once[at : at + BATCH], None, wall=wall) for at in range(there, len(once), BATCH)]
    if wall:
        done.append(partition.process([], wall))
    offset, *beside = Offsets().after(transactions, outcomes, customer_events)
    position = partition.position._replace(offset=offset, beside=tuple(beside))
    alerts = [alert for each in done for alert in each.alerts]
    records = {alert.alert_id: _record_of(alert) for alert in alerts}
    assert len(records) == len(alerts), "two alerts of one recomputation have one id"
    read = (
        (settings.topic_transactions, transactions),
        (settings.topic_outcomes, outcomes),
        (settings.topic_customer_events, customer_events),
    )
    originals = {Place(topic, number, record.offset): record for topic, its in read for record in its}
    letters = [letter for each in done for letter in each.dead_letters]
    told = {place: _letter_of(letter, originals[place]) for letter in letters for place in [place_of(letter)]}
    return _expected(again, number, position, records, told)


def grown(
    settings: Settings, rules: Rules, transactions: dict[int, list[Record]], before: Before
) -> dict[int, Expected]:
    """What the partitions should have come to that were `before` when their topics grew. In the first one are the
    alerts of all, those of before first."""
    again = MemoryStore()
    seen: set[str] = set()
    alerts: list[Alert] = []
    letters: dict[int, list[DeadLetter]] = {number: [] for number in transactions}

    def run(number: int, its: list[Record], of: Rules) -> None:
        partition = _opened(settings, number, again, of)
        once = _once(settings, its, seen)
        for at in range(0, len(once), BATCH):
            done = partition.process(once[at : at + BATCH], None)
            alerts.extend(done.alerts)
            letters[number] += done.dead_letters

    starts = [first for first, *_ in before.offsets] + [0] * len(transactions)
    for number in range(len(before.offsets)):
        its = [record for record in transactions[number] if record.offset < starts[number]]
        run(number, its, replace(rules, partitions=len(before.offsets)))
    owned = {number: again.claim(number) for number in transactions}
    Move(again, len(before.offsets), owned, partition_of).whole()
    for number, its in transactions.items():
        run(number, [record for record in its if record.offset >= starts[number]], rules)
    expected = {}
    for number, its in transactions.items():
        originals = {Place(settings.topic_transactions, number, record.offset): record for record in its}
        its_letters = {
            place: _letter_of(letter, originals[place]) for letter in letters[number] for place in [place_of(letter)]
        }
        its_alerts = {alert.alert_id: _record_of(alert) for alert in alerts} if number == 0 else {}
        position = again.claim(number)._replace(offset=Offsets().after(its, [], []).transactions)
        expected[number] = _expected(again, number, position, its_alerts, its_letters)
    assert len(expected[0].alerts) == len(alerts), "two alerts of one recomputation have one id"
    return expected


def _opened(settings: Settings, number: int, store: MemoryStore, rules: Rules) -> Partition:
    everything = settings.model_copy(update={"poison_share_max": 1.0})
    partition = bootstrap(everything, lambda: rules, store=store, cache=RowCache(1 << 24)).partition(number)
    partition.claim()
    return partition


def _expected(
    again: MemoryStore,
    number: int,
    position: Position,
    alerts: dict[str, Outbound],
    letters: dict[Place, Outbound],
) -> Expected:
    customers = [*again.customers(number), LEDGER, TIME]
    rows = {name: row for name, row in zip(customers, again.load(number, customers), strict=True) if row is not None}
    return Expected(
        rows,
        sorted(again.due(number, 1 << 62, 1 << 30)),
        position,
        again.seen(number, range(position.oldest, position.events // BLOCK + 1)),
        alerts,
        letters,
    )


def place_of(letter: DeadLetter) -> Place:
    """Where the refused record was read."""
    return Place(letter.topic, letter.partition, letter.offset)


def _once(settings: Settings, records: list[Record], seen: set[str]) -> list[Record]:
    """Without those whose event_id has come before, or is in `seen`, to which they are added."""
    once = []
    for record in records:
        name = event_id(record.value)
        if name is None or not _is_event(settings, record):
            once.append(record)
        elif name not in seen:
            once.append(record)
            seen.add(name)
    return once


def _is_event(settings: Settings, record: Record) -> bool:
    """Whether the record is accepted by itself: a refused one's event_id does not count as seen."""
    return len(intake(settings).batch(0, [record], StreamTime(), DuplicateFilter())) == 1


def _record_of(alert: Alert) -> Outbound:
    value = msgspec.json.encode(msgspec.to_builtins(alert))
    told: dict[str, Any] = msgspec.json.decode(value)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": told["alert_id"],
        "ce_source": "/customer-tracker",
        "ce_type": f"customer-tracker.{told['kind']}.{told['status']}.v1",
        "ce_subject": told["customer_id"],
        "ce_time": told["raised_at"],
        "content-type": "application/json",
    }
    return Outbound(told["customer_id"].encode(), value, _encoded(headers))


def _letter_of(letter: DeadLetter, original: Record) -> Outbound:
    """The record as it came, with why and where from."""
    headers = {
        "dlq_reason": letter.reason,
        "dlq_field": letter.field,
        "dlq_rule": letter.rule,
        "dlq_topic": letter.topic,
        "dlq_partition": str(letter.partition),
        "dlq_offset": str(original.offset),
        "dlq_timestamp_ms": str(original.timestamp_ms),
    }
    return Outbound(original.key, original.value, _encoded(headers))


def _encoded(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]
