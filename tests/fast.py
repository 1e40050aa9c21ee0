"""The fast path as the worker drives it, intake and engine, with plain dicts in the place of Kafka and Redis."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain, repeat
from typing import Any

import msgspec

from handlers.batch import Record
from handlers.engine import Engine, Rules
from handlers.intake import Intake
from handlers.seen import Seen
from schemas.alert import Alert
from schemas.offer import Offer

TOPIC = "transactions"
PUBLISHED_AT = 4_102_444_800_000
"""Kafka timestamp of every record (2100-01-01): no event is from the future."""

OFFERS = (
    Offer("savings", "Savings account", "Put some of it aside?", 5_000, ["salary", "large_credit"], [], 30, 14),
    Offer("advice", "Advice", "Shall we talk?", 9_000, ["large_credit"], [], 90, 30),
    Offer("card", "Card", "A card for that?", 1_000, ["new_channel", "salary"], [], 7, 7),
)
"""A catalogue that offers something at every kind of moment."""


class Fast:
    """One partition: feeds records and keeps what comes out."""

    def __init__(self, partition: int = 0, base_currency: str = "EUR", offers: tuple[Offer, ...] = OFFERS) -> None:
        self.rows: dict[str, bytes] = {}
        self.due: dict[str, int] = {}
        self.alerts: list[Alert] = []
        self.late = 0
        self._partition = partition
        self._intake = Intake(TOPIC, base_currency, {})
        self._engine = Engine(TOPIC, partition)
        self._rules = Rules(offers)
        self._seen = Seen()
        self._offset = 0
        self._clock = 0

    def feed(self, stream: Iterable[dict[str, Any] | int], sizes: Iterable[int] = ()) -> "Fast":
        """Takes transactions, and moments that stand for heartbeats, in batches of these sizes; the rest is one."""
        records = [self._record(entry) for entry in stream]
        for size in chain(sizes, repeat(len(records))):
            if not records:
                return self
            self._step(records[:size])
            records = records[size:]
        return self

    def digest(self) -> str:
        """Of everything that has come out, to compare runs of different processes."""
        out = (sorted(self.rows.items()), sorted(self.due.items()), self.alerts, self.late)
        return sha256(msgspec.msgpack.encode(out)).hexdigest()

    def _record(self, entry: dict[str, Any] | int) -> Record:
        self._offset += 1
        if isinstance(entry, int):
            return Record(self._offset, PUBLISHED_AT, None, None, entry)
        return Record(self._offset, PUBLISHED_AT, entry["customer_id"].encode(), msgspec.json.encode(entry))

    def _step(self, records: Sequence[Record]) -> None:
        batch = self._intake.batch(self._partition, records, self._clock, self._seen)
        assert batch.dead_letters == []
        due = sorted(
            ((customer, at) for customer, at in self.due.items() if at <= batch.clock_end),
            key=lambda entry: (entry[1], entry[0]),
        )
        wanted = [*batch.customers, *(customer for customer, _ in due)]
        outcome = self._engine.step(batch, {name: self.rows.get(name) for name in wanted}, due, self._rules)
        self.rows |= outcome.rows
        for customer, at in outcome.due.items():
            if at is None:
                self.due.pop(customer, None)
            else:
                self.due[customer] = at
        self.alerts += outcome.alerts
        self.late += outcome.late
        self._clock = outcome.clock
