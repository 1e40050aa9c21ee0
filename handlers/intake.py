"""Records of one partition in, columns of accepted events and dead letters out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, compress
from typing import NamedTuple, cast

import numpy as np

from handlers.batch import (
    ACCOUNT,
    ACCOUNT_WORDS,
    AMOUNT,
    AT,
    BALANCE,
    CHANNEL,
    CLOCK,
    CUSTOMER,
    EVENT_FIELDS,
    I8,
    NONE,
    OFFSET,
    TYPE,
    UNDOES_AT,
    Batch,
    Record,
)
from handlers.currency import Exchange
from handlers.decode import alone, filled, together
from handlers.refusal import AHEAD_MS_MAX, EARLIEST, EPOCH, LATEST, Refusal, moment_ms, refusal_of, refusal_of_moment
from handlers.seen import Seen, event_hashes
from schemas.transaction import ACCOUNT_ID_LENGTH, AMOUNT_LIMIT, CHANNELS, TYPES, Moment, Transaction
from schemas.units import DAY_MS


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
            places, columns = np.array(accepted, np.int64), _columns(transactions, self._exchange)
        all_events = columns.events
        all_events[:, OFFSET] = np.array(offsets, np.int64)[places]

        moments, hashes = np.full(len(records), NONE, np.int64), np.zeros(len(records), np.int64)
        moments[places] = all_events[:, AT]
        hashes[places] = event_hashes(columns.event_ids)
        for place, told_at in heartbeats.items():
            if refusal := refusal_of_moment("heartbeat", told_at, records[place].timestamp_ms):
                refused[place] = refusal
            else:
                moments[place] = told_at
        found, end = [], 0
        for part in parts:
            start, end = end, end + len(part.records)
            first, last = np.searchsorted(places, (start, end)).tolist()
            clocks, repeated = part.seen.sift(hashes[start:end], moments[start:end], part.clock)
            events, event_ids = all_events[first:last], columns.event_ids[first:last]
            customer_ids, within = columns.customer_ids[first:last], places[first:last] - start
            if duplicates := int(np.count_nonzero(repeated)):
                fresh = ~repeated[within]
                events, within = events[fresh], within[fresh]
                event_ids, customer_ids = list(compress(event_ids, fresh)), list(compress(customer_ids, fresh))
            events[:, CLOCK] = clocks[within]
            events[:, CUSTOMER], customers = _distinct(customer_ids)
            unknown_types, unknown_channels = np.count_nonzero(events[:, (TYPE, CHANNEL)] < 0, axis=0).tolist()
            if unknown_types or unknown_channels:
                events[:, (TYPE, CHANNEL)] = np.maximum(events[:, (TYPE, CHANNEL)], 0)
            batch = Batch(
                customers=customers,
                events=events,
                event_ids=event_ids,
                clock_end=int(clocks[-1]) if part.records else part.clock,
                dead_letters=[
                    refused[place].letter(self._topic, part.partition, records[place])
                    for place in sorted(refused)
                    if start <= place < end
                ],
                duplicates=duplicates,
                unknown_types=unknown_types,
                unknown_channels=unknown_channels,
            )
            found.append(batch)
        return found

    def _at_once(
        self, timestamps: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> "_Columns | None":
        """The columns of all the records, or None if one of them may have to be refused."""
        transactions = together(values) if values else []
        if transactions is None:
            return None
        try:
            columns = _columns(transactions, self._exchange)
        except _Unsure:
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


class _Unsure(Exception):
    """Something in a batch does not fit into columns: its records must be judged one by one."""


class _Columns(NamedTuple):
    """Events of which the clock, the offset and the customer's place are still to be written; an unknown type or
    channel is -1."""

    customer_ids: list[str]
    """Of each event."""
    events: I8
    event_ids: list[str]


def _distinct(customer_ids: list[str]) -> tuple[list[int], list[str]]:
    """The place of each event's customer among the distinct ones, and those in order of first appearance."""
    places: dict[str, int] = {}
    return [places.setdefault(customer, len(places)) for customer in customer_ids], list(places)


class _Places(dict[str, int]):
    """The place of each known word, -1 for any other."""

    def __missing__(self, word: str) -> int:
        return -1


_TYPE_PLACES = _Places(zip(TYPES, range(len(TYPES)), strict=True))
_CHANNEL_PLACES = _Places(zip(CHANNELS, range(len(CHANNELS)), strict=True))


def _columns(transactions: list[Transaction], exchange: Exchange) -> _Columns:
    """The fields as columns. Raises _Unsure where an id is not printable ASCII or money cannot be converted."""
    # A list per field: over twice as fast as one pass that fills them all.
    count = len(transactions)
    event_ids = [event.event_id for event in transactions]
    customer_ids = [event.customer_id for event in transactions]
    account_ids = [event.account_id for event in transactions]
    if not _printable(event_ids, customer_ids, account_ids):
        raise _Unsure
    amounts = [event.amount_minor for event in transactions]
    balances = [event.balance_minor for event in transactions]
    currencies = [event.currency for event in transactions]
    if currencies.count(exchange.base_currency) != count:
        amounts = [_converted(amount, code, exchange) for amount, code in zip(amounts, currencies, strict=True)]
        balances = [
            None if balance is None else _converted(balance, code, exchange)
            for balance, code in zip(balances, currencies, strict=True)
        ]
    originals = [event.reversal_of for event in transactions]
    events = np.empty((count, EVENT_FIELDS), np.int64)
    events[:, AT] = _moments([event.occurred_at for event in transactions])
    events[:, AMOUNT] = amounts
    events[:, BALANCE] = [NONE if balance is None else balance for balance in balances]
    events[:, TYPE] = [_TYPE_PLACES[event.type] for event in transactions]
    events[:, CHANNEL] = [_CHANNEL_PLACES[event.channel] for event in transactions]
    events[:, UNDOES_AT] = NONE
    if originals.count(None) != count:
        events[:, UNDOES_AT] = [NONE if original is None else moment_ms(original.occurred_at) for original in originals]
    accounts = np.array(account_ids, f"S{ACCOUNT_ID_LENGTH}").view(np.int64)
    events[:, ACCOUNT:] = accounts.reshape(count, ACCOUNT_WORDS)
    return _Columns(customer_ids, events, event_ids)


def _printable(*ids: list[str]) -> bool:
    """Whether all of the ids consist of printable ASCII."""
    text = np.frombuffer("".join(map("".join, ids)).encode(), np.uint8)
    return bool(((text >= ord(" ")) & (text <= ord("~"))).all())


def _converted(amount: int, currency: str, exchange: Exchange) -> int:
    if currency == exchange.base_currency:
        return amount
    if currency not in exchange or abs(converted := exchange.minor(amount, currency)) > AMOUNT_LIMIT:
        raise _Unsure
    return converted


def _moments(moments: list[Moment]) -> I8:
    """Epoch ms of each moment: moment_ms for a whole list."""
    kinds = set(map(type, moments))
    if kinds == {datetime}:
        spans = [moment - EPOCH for moment in cast(list[datetime], moments)]
        days = np.array([span.days for span in spans], np.int64)
        seconds = np.array([span.seconds for span in spans], np.int64)
        microseconds = np.array([span.microseconds for span in spans], np.int64)
        return days * DAY_MS + seconds * 1_000 + microseconds // 1_000
    try:
        return np.array(moments if kinds == {int} else [moment_ms(moment) for moment in moments], np.int64)
    except OverflowError:
        return np.array([moment_ms(moment) for moment in moments], np.int64)
