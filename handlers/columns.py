"""Transactions as the rows of a matrix, with their ids beside it."""

from datetime import datetime
from itertools import compress
from typing import NamedTuple, cast

import numpy as np

from handlers.batch import (
    ACCOUNT,
    AMOUNT,
    AT,
    BALANCE,
    CHANNEL,
    CUSTOMER,
    EVENT_FIELDS,
    I8,
    NONE,
    TYPE,
    UNDOES_AT,
    Batch,
    account_words,
)
from handlers.currency import Exchange
from handlers.refusal import EPOCH, moment_ms
from handlers.seen import Mask
from schemas.dead_letter import DeadLetter
from schemas.transaction import AMOUNT_LIMIT, CHANNELS, TYPES, Moment, Transaction
from schemas.units import DAY_MS


class Unsure(Exception):
    """Something in a batch does not fit into columns: its records must be judged one by one."""


class Columns(NamedTuple):
    """Events of which the clock, the offset and the customer's place are still to be written."""

    customer_ids: list[str]
    """Of each event."""
    events: I8
    event_ids: list[str]
    unknown: Mask | None
    """Whether the type, and whether the channel, was not known and counts as other, (n, 2); None where all were."""

    def between(self, first: int, last: int) -> "Columns":
        """The events of that stretch; its matrix is a view."""
        its = slice(first, last)
        unknown = None if self.unknown is None else self.unknown[its]
        return Columns(self.customer_ids[its], self.events[its], self.event_ids[its], unknown)

    def batch(self, repeated: Mask | None, clock_end: int, dead_letters: list[DeadLetter]) -> Batch:
        """Those that are not repeated (None: all of them); writes the customers' places."""
        kept = self
        if repeated is not None:
            fresh = ~repeated
            customer_ids, event_ids = list(compress(self.customer_ids, fresh)), list(compress(self.event_ids, fresh))
            kept = Columns(
                customer_ids, self.events[fresh], event_ids, None if self.unknown is None else self.unknown[fresh]
            )
        places: dict[str, int] = {}
        kept.events[:, CUSTOMER] = [places.setdefault(customer, len(places)) for customer in kept.customer_ids]
        unknown_types, unknown_channels = (0, 0) if kept.unknown is None else kept.unknown.sum(axis=0).tolist()
        return Batch(
            customers=list(places),
            events=kept.events,
            event_ids=kept.event_ids,
            clock_end=clock_end,
            dead_letters=dead_letters,
            duplicates=len(self.events) - len(kept.events),
            unknown_types=unknown_types,
            unknown_channels=unknown_channels,
        )


class _Places(dict[str, int]):
    """The place of each known word, -1 for any other."""

    def __missing__(self, word: str) -> int:
        return -1


_TYPE_PLACES = _Places(zip(TYPES, range(len(TYPES)), strict=True))
_CHANNEL_PLACES = _Places(zip(CHANNELS, range(len(CHANNELS)), strict=True))


def columns_of(transactions: list[Transaction], exchange: Exchange) -> Columns:
    """The fields as columns. Raises Unsure where an id is not printable ASCII or money cannot be converted."""
    # A list per field: over twice as fast as one pass that fills them all.
    count = len(transactions)
    event_ids = [event.event_id for event in transactions]
    customer_ids = [event.customer_id for event in transactions]
    account_ids = [event.account_id for event in transactions]
    if not _printable(event_ids, customer_ids, account_ids):
        raise Unsure
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
    events[:, ACCOUNT:] = account_words(account_ids)
    unknown = events[:, (TYPE, CHANNEL)] < 0
    if not unknown.any():
        return Columns(customer_ids, events, event_ids, None)
    events[:, (TYPE, CHANNEL)] = np.maximum(events[:, (TYPE, CHANNEL)], 0)
    return Columns(customer_ids, events, event_ids, unknown)


def _printable(*ids: list[str]) -> bool:
    """Whether all of the ids consist of printable ASCII."""
    text = np.frombuffer("".join(map("".join, ids)).encode(), np.uint8)
    return bool(((text >= ord(" ")) & (text <= ord("~"))).all())


def _converted(amount: int, currency: str, exchange: Exchange) -> int:
    if currency == exchange.base_currency:
        return amount
    if currency not in exchange or abs(converted := exchange.minor(amount, currency)) > AMOUNT_LIMIT:
        raise Unsure
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
