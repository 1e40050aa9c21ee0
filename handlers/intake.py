"""Records of one partition in, columns of accepted events and dead letters out."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from handlers.batch import AT, CLOCK, NONE, OFFSET, UNDOES_AT, Batch, Record
from handlers.columns import Columns, Unsure, columns_of
from handlers.currency import Exchange
from handlers.decode import alone, filled, together
from handlers.refusal import AHEAD_MS_MAX, EARLIEST, LATEST, Refusal, refusal_of, refusal_of_moment
from handlers.seen import Seen, event_hashes
from schemas.transaction import Transaction


class Unread(NamedTuple):
    """Records of one partition, and what was before them."""

    partition: int
    records: Sequence[Record]
    clock: int
    """Stream time before the first of them, epoch ms."""
    seen: Seen
    """Events of the partition that have been; those of the records are added."""


class Intake:
    """Reads the records of one topic. The result does not depend on how records are put into batches.

    Where a whole batch is plainly sound it is decoded and checked at once; at any doubt each of its records is
    judged by itself (handlers/refusal.py), at about three times the cost.
    """

    def __init__(self, topic: str, base_currency: str, rates: Mapping[str, Decimal], keyed: bool = True) -> None:
        """`keyed` is False where records have lost their keys, as in a file: then keys are not looked at.

        Raises ValueError for a currency or a rate that cannot be used, all mistakes at once.
        """
        self._topic = topic
        self._exchange = Exchange(base_currency, rates)
        self._keyed = keyed

    def batch(self, partition: int, records: Sequence[Record], clock: int, seen: Seen) -> Batch:
        """`batches` of one partition alone."""
        return self.batches([Unread(partition, records, clock, seen)])[0]

    def batches(self, parts: Sequence["Unread"]) -> list[Batch]:
        """Columns of each partition's records, in stream order. All are decoded together, which costs by the call.

        Every record but a heartbeat is either an event of the result, or one of its duplicates (`seen` knows the id
        already) or dead letters.
        """
        records = list(chain.from_iterable(part.records for part in parts))
        offsets, timestamps, keys, values, told = _fields(records)
        places = np.arange(len(records))
        heartbeats: dict[int, int] = {}
        if told.count(None) != len(told):
            heartbeats = {place: moment for place, moment in enumerate(told) if moment is not None}
            places = np.delete(places, list(heartbeats))
            _, timestamps, keys, values, _ = _fields([records[place] for place in places])
        refused: dict[int, Refusal] = {}
        columns = self._at_once(timestamps, keys, values)
        if columns is None:
            accepted, transactions = self._one_by_one(records, places.tolist(), refused)
            places, columns = np.array(accepted, np.int64), columns_of(transactions, self._exchange)
        columns.events[:, OFFSET] = np.array(offsets, np.int64)[places]

        moments, hashes = np.full(len(records), NONE, np.int64), np.zeros(len(records), np.int64)
        moments[places] = columns.events[:, AT]
        hashes[places] = event_hashes(columns.event_ids)
        for place, told_at in heartbeats.items():
            if refusal := refusal_of_moment("heartbeat", told_at, records[place].timestamp_ms):
                refused[place] = refusal
            else:
                moments[place] = told_at
        ends = np.cumsum([0, *(len(part.records) for part in parts)])
        cuts = zip(pairwise(ends.tolist()), pairwise(np.searchsorted(places, ends).tolist()), strict=True)
        found = []
        for part, ((start, end), (first, last)) in zip(parts, cuts, strict=True):
            clocks, repeated = part.seen.sift(hashes[start:end], moments[start:end], part.clock)
            within = places[first:last] - start
            letters = [
                refused[place].letter(self._topic, part.partition, records[place])
                for place in sorted(refused)
                if start <= place < end
            ]
            its = columns.between(first, last)
            its.events[:, CLOCK] = clocks[within]
            clock_end = int(clocks[-1]) if part.records else part.clock
            found.append(its.batch(repeated[within] if repeated.any() else None, clock_end, letters))
        return found

    def _at_once(
        self, timestamps: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> Columns | None:
        """The columns of all the records, or None if one of them may have to be refused."""
        transactions = together(values) if values else []
        if transactions is None:
            return None
        try:
            columns = columns_of(transactions, self._exchange)
        except Unsure:
            return None
        at, undoes_at = columns.events[:, AT], columns.events[:, UNDOES_AT]
        ceiling = np.minimum(np.array(timestamps, np.int64) + AHEAD_MS_MAX, LATEST)
        if (at < EARLIEST).any() or (at > ceiling).any():
            return None
        reversals = undoes_at != NONE
        if reversals.any() and ((undoes_at < EARLIEST) | (undoes_at > at))[reversals].any():
            return None
        # Ids are known to be printable by now, so no newline in a key can stand for the one between two keys.
        if self._keyed and not (filled(keys) and b"\n".join(keys) == "\n".join(columns.customer_ids).encode()):
            return None
        return columns

    def _one_by_one(
        self, records: Sequence[Record], places: Iterable[int], refused: dict[int, Refusal]
    ) -> tuple[list[int], list[Transaction]]:
        """Places and transactions of the accepted records; why the others were not is added to `refused`."""
        accepted, transactions = [], []
        for place in places:
            verdict = self._judge(records[place])
            if isinstance(verdict, Refusal):
                refused[place] = verdict
            else:
                accepted.append(place)
                transactions.append(verdict)
        return accepted, transactions

    def _judge(self, record: Record) -> Transaction | Refusal:
        transaction = alone(record.value, Transaction)
        if isinstance(transaction, Refusal):
            return transaction
        if self._keyed and record.key != transaction.customer_id.encode():
            return Refusal("wrong_key", "customer_id", "must be the same as the record's key")
        return refusal_of(transaction, record.timestamp_ms, self._exchange) or transaction


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
