"""Records of one partition in, columns of accepted events and dead letters out."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

import numpy as np

from handlers.intake.booking import ACCEPTED, REPEATED, TOO_MUCH, WRONG_CURRENCY, WRONG_DAY, WRONG_SIGN
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.event_table import EventTable
from handlers.intake.events import AT, CLOCK, OFFSET, EventBatch, Record
from handlers.intake.exchange import Exchange
from handlers.intake.stream_time import StreamTime
from handlers.intake.strict_json import decode_one
from handlers.intake.validation import Violation, violation_of, violation_of_moment
from schemas.transaction import Transaction
from schemas.units import LATEST

_WRONG_ORIGINAL = {
    WRONG_SIGN: Violation(
        "wrong_original",
        "amount_minor",
        "must have the opposite sign of what reversal_of names, or the sign of what replaces names",
    ),
    TOO_MUCH: Violation(
        "wrong_original", "amount_minor", "must not be more than what is left of the transaction that reversal_of names"
    ),
    WRONG_CURRENCY: Violation("wrong_original", "currency", "must be that of the transaction that reversal_of names"),
    WRONG_DAY: Violation(
        "wrong_original", "reversal_of.occurred_at", "must be the occurred_at of the transaction that it names"
    ),
}


class UndecodedBatch(NamedTuple):
    """Records of one partition, and what was before them."""

    partition: int
    records: Sequence[Record]
    time: StreamTime
    """Stream time before the first of them; follows the records."""
    seen: DuplicateFilter
    """Events of the partition that have been; those of the records are added."""
    now: int = LATEST
    """No record is worth more to stream time than the clock on the wall says, epoch ms."""


class TransactionIntake:
    """Reads the records of one topic. The result does not depend on how records are put into batches.

    What is plain is read and checked by a kernel (handlers/intake/fast_path.py); any other record is judged by
    itself, at several times the cost.
    """

    def __init__(self, topic: str, base_currency: str, rates: Mapping[str, Decimal], keyed: bool = True) -> None:
        """`keyed` is False where records have lost their keys, as in a file: then keys are not looked at.

        Raises ValueError for a currency or a rate that cannot be used, all mistakes at once.
        """
        self._topic = topic
        self._exchange = Exchange(base_currency, rates)
        self._keyed = keyed

    @property
    def base_currency(self) -> str:
        """That of the amounts in its batches."""
        return self._exchange.base_currency

    def batch(self, partition: int, records: Sequence[Record], time: StreamTime, seen: DuplicateFilter) -> EventBatch:
        """`batches` of one partition alone."""
        return self.batches([UndecodedBatch(partition, records, time, seen)])[0]

    def batches(self, parts: Sequence["UndecodedBatch"]) -> list[EventBatch]:
        """Columns of each partition's records, in stream order. All are decoded together, which costs by the call.

        Every record but a heartbeat is either an event of the result, or one of its duplicates (`seen` knows the id
        already) or dead letters.
        """
        records = list(chain.from_iterable(part.records for part in parts))
        offsets, timestamps, keys, values, told = _fields(records)
        arrived = np.array(timestamps, np.int64)
        columns = EventTable.read(values, arrived, keys if self._keyed else None, self._exchange)
        columns.events[:, OFFSET] = offsets
        refused = self._judge_others(columns, records, told)
        moments = np.minimum(columns.events[:, AT], arrived)
        whole, known = bool(columns.accepted.all()), columns.all_known()
        found, end = [], 0
        for part in parts:
            start, end = end, end + len(part.records)
            worth = np.minimum(moments[start:end], part.now)
            clocks, verdicts, early = part.seen.sift(columns.arrivals(start, end, worth), part.time)
            columns.events[start:end, CLOCK] = clocks
            for place in (start + np.flatnonzero(verdicts > REPEATED)).tolist():
                columns.accepted[place] = False
                refused[place] = _WRONG_ORIGINAL[int(verdicts[place - start])]
            kept = None if whole and not verdicts.any() else columns.accepted[start:end] & (verdicts == ACCEPTED)
            letters = [
                refused[place].letter(self._topic, part.partition, records[place])
                for place in sorted(refused)
                if start <= place < end
            ]
            found.append(columns.batch(start, end, kept, known, part.time.clock, letters, early))
        return found

    def _judge_others(
        self, columns: EventTable, records: Sequence[Record], heartbeats: Sequence[int | None]
    ) -> dict[int, Violation]:
        """Looks at each record that is not plain: takes it into the columns, or tells why it is refused, by place."""
        refused: dict[int, Violation] = {}
        for place in np.flatnonzero(~columns.accepted).tolist():
            record, told_at = records[place], heartbeats[place]
            if told_at is not None:
                if refusal := violation_of_moment("heartbeat", told_at, record.timestamp_ms):
                    refused[place] = refusal
                else:
                    columns.events[place, AT] = told_at
                continue
            verdict = self._judge(record)
            if isinstance(verdict, Violation):
                refused[place] = verdict
            else:
                columns.put(place, verdict, self._exchange)
        return refused

    def _judge(self, record: Record) -> Transaction | Violation:
        transaction = decode_one(record.value, Transaction)
        if isinstance(transaction, Violation):
            return transaction
        if self._keyed and record.key != transaction.customer_id.encode():
            return Violation("wrong_key", "customer_id", "must be the same as the record's key")
        return violation_of(transaction, record.timestamp_ms, self._exchange) or transaction


class _Fields(NamedTuple):
    """Each field of Record over all the records."""

    offsets: list[int]
    timestamps: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    heartbeats: list[int | None]


def _fields(records: Sequence[Record]) -> _Fields:
    return _Fields(
        [record.offset for record in records],
        [record.timestamp_ms for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [record.heartbeat_at for record in records],
    )
