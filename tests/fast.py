"""The fast path as the worker drives it, intake and engine, with plain dicts in the place of Kafka and Redis."""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain, repeat
from typing import Any

import msgspec

from handlers.churn.challenger import Comparison
from handlers.churn.model import ChurnModel
from handlers.contact.history import ContactHistory
from handlers.engine.engine import Engine, StepResult
from handlers.engine.rules import Rules
from handlers.engine.step_input import PartitionInput, partition_input, placed
from handlers.intake.customer_records import CustomerRecordIntake
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.inputs import SIDE_INPUTS
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.offers.counts import Ledger
from handlers.profile.customer import contact_history
from handlers.profile.upgrade import current
from handlers.state.row_table import LEDGER
from schemas.alert import Alert
from schemas.offer import Offer
from schemas.policy import Policy

TOPIC = "transactions"
PUBLISHED_AT = 4_102_444_800_000
"""Kafka timestamp of every record (2100-01-01): no event is from the future."""

OFFERS = (
    Offer("savings", "Savings account", "Put some of it aside?", 5_000, ["salary", "large_credit"], [], 30, 14),
    Offer("advice", "Advice", "Shall we talk?", 9_000, ["large_credit", "idle_balance"], [], 90, 30, budget=9),
    Offer("card", "Card", "A card for that?", 1_000, ["new_channel", "salary"], [], 7, 7),
    Offer("stay", "Loyalty rate", "Stay with us?", 2_000, retention=True, cooldown_days=60),
)
"""A catalogue that offers something at every kind of moment."""


def settled(policy: Policy | None, settle_hours: int) -> Policy:
    """The policy with so many hours to settle."""
    return msgspec.structs.replace(policy or Policy(), settle_hours=settle_hours)


class Fast:
    """One partition: feeds records and keeps what comes out."""

    def __init__(
        self,
        partition: int = 0,
        base_currency: str = "EUR",
        offers: tuple[Offer, ...] = OFFERS,
        policy: Policy | None = None,
        partitions: int = 1,
        control_key: bytes = b"",
        churn: ChurnModel | None = None,
        challenger: ChurnModel | None = None,
        settle_hours: int = 0,
    ) -> None:
        """Due times are looked at at once, unless `settle_hours` says otherwise, whatever the policy."""
        self.rows: dict[str, bytes] = {}
        self.due: dict[str, int] = {}
        self.alerts: list[Alert] = []
        self.comparisons: list[Comparison] = []
        self.late = 0
        self.suppressed: Counter[str] = Counter()
        self.unfitting = self.unmatched = 0
        policy = settled(policy, settle_hours)
        self.rules = Rules(offers, policy, partitions, control_key, churn, challenger, base_currency)
        self._partition = partition
        self._intake = TransactionIntake(TOPIC, base_currency, {})
        self._notes = {one.topic: CustomerRecordIntake(one) for one in SIDE_INPUTS}
        self._engine = Engine(TOPIC)
        self._seen = DuplicateFilter()
        self._offset = 0
        self._time = StreamTime()

    def feed(self, stream: Iterable[dict[str, Any] | int], sizes: Iterable[int] = ()) -> "Fast":
        """Takes transactions, moments that stand for heartbeats, and records of other topics (by their field
        `record`), in batches of these sizes; the rest is one."""
        entries = list(stream)
        for size in chain(sizes, repeat(len(entries))):
            if not entries:
                return self
            self.take(self._engine.step(self.part(entries[:size]), self.rules))
            entries = entries[size:]
        return self

    def digest(self) -> str:
        """Of everything that has come out, to compare runs of different processes."""
        suppressed = sorted(self.suppressed.items())
        out = (sorted(self.rows.items()), sorted(self.due.items()), self.alerts, self.late, suppressed, self.unfitting)
        return sha256(msgspec.msgpack.encode(out)).hexdigest()

    def dealings(self, customer: str) -> ContactHistory:
        """Of a customer, as they stand in the row."""
        return contact_history(self.rows[customer])

    def ledger(self) -> Ledger:
        """Of the partition."""
        return Ledger(self.rows.get(LEDGER))

    def _record(self, entry: dict[str, Any] | int) -> Record:
        self._offset += 1
        if isinstance(entry, int):
            return Record(self._offset, PUBLISHED_AT, None, None, entry)
        return Record(self._offset, PUBLISHED_AT, entry["customer_id"].encode(), msgspec.json.encode(entry))

    def part(self, entries: Sequence[dict[str, Any] | int]) -> PartitionInput:
        """What these bring to a step."""
        clock = self._time.clock
        records, notes = [], []
        for entry in entries:
            record = self._record(entry)
            if isinstance(entry, dict) and "record" in entry:
                read, letters = self._notes[entry["record"]].notes(self._partition, [record], clock=clock)
                assert letters == []
                notes += read
                continue
            records.append(record)
            if isinstance(entry, int):
                clock = max(clock, entry)
        batch = self._intake.batch(self._partition, records, self._time, self._seen)
        assert batch.dead_letters == []
        due = sorted(
            ((customer, at) for customer, at in self.due.items() if at <= batch.clock_end),
            key=lambda entry: (entry[1], entry[0]),
        )
        notes = placed(notes, batch)
        rows = {name: row if name == LEDGER else current(row) for name, row in self.rows.items()}
        return partition_input(self._partition, batch, rows, due, notes)._replace(outages=self._time.outages)

    def take(self, outcome: StepResult) -> None:
        """Keeps what has come of a step."""
        self.rows |= outcome.rows
        for customer, at in outcome.due.items():
            if at is None:
                self.due.pop(customer, None)
            else:
                self.due[customer] = at
        self.alerts += outcome.alerts
        self.comparisons += outcome.comparisons
        self.late += outcome.late
        self.suppressed += outcome.suppressed
        self.unfitting += outcome.unfitting
        self.unmatched += outcome.unmatched
