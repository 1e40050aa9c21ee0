"""Records of which some are events: these as the rows of a matrix, with their ids beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from handlers.intake.booking import (
    CURRENCY,
    CUSTOMER_START,
    EVENT_HASH,
    EVENT_START,
    FOREIGN,
    HASH,
    KIND,
    ORIGINAL_END,
    ORIGINAL_START,
    OWN_AMOUNT,
    PENDING,
    REPLACES,
    REVERSAL,
    TOLD,
    tell_identity,
)
from handlers.intake.dedup import Arrivals, event_hashes
from handlers.intake.events import (
    ACCOUNT,
    AMOUNT,
    AT,
    BALANCE,
    CHANNEL,
    CUSTOMER,
    EVENT_FIELDS,
    TYPE,
    UNDOES_AT,
    EventBatch,
)
from handlers.intake.exchange import Exchange
from handlers.intake.fast_path import clear, read_fast
from handlers.kernel.customer_ids import ACCOUNT_WORDS, ID_WORDS, distinct, ids_of
from handlers.kernel.jit import I8, NONE, Mask
from handlers.kernel.text import PADDING, WORD, text_of, words_of
from schemas.dead_letter import DeadLetter
from schemas.transaction import AMOUNT_LIMIT, CHANNELS, TYPES, Transaction
from schemas.units import moment_ms


class _Places(dict[str, int]):
    """The place of each known word, -1 for any other."""

    def __missing__(self, word: str) -> int:
        return -1


_TYPE_PLACES = _Places(zip(TYPES, range(len(TYPES)), strict=True))
_CHANNEL_PLACES = _Places(zip(CHANNELS, range(len(CHANNELS)), strict=True))


@dataclass(slots=True)
class EventTable:
    """All the records that were polled, in their order."""

    accepted: Mask
    """Which of them are events, (n,)."""
    events: I8
    """The clock, the offset and the customer's place are still to be written; no event has NONE for its time."""
    told: I8
    """What is told of each beside its row (handlers/intake/booking.py); (n, TOLD)."""
    ids: I8
    """Of the customers; (n, ID_WORDS)."""
    data: bytes
    """All the records."""
    other_ids: dict[int, tuple[str, str]]
    """Event ids of records that are not plain, and of what they correct, by place."""

    @classmethod
    def read(
        cls, values: Sequence[bytes | None], timestamps: I8, keys: Sequence[bytes | None] | None, exchange: Exchange
    ) -> "EventTable":
        """The events among them that are plain (handlers/intake/fast_path.py), in the base currency; `keys` is None
        where they are not looked at."""
        count = len(values)
        data, ends = _joined(values)
        key_data, key_ends = (PADDING, ends) if keys is None else _joined(keys)
        events, told = np.empty((count, EVENT_FIELDS), np.int64), np.zeros((count, TOLD), np.int64)
        ids, plain = np.empty((count, ID_WORDS), np.int64), np.empty(count, np.bool_)
        keyed, key_text = keys is not None, text_of(key_data)
        read_fast(text_of(data), ends, timestamps, key_text, key_ends, keyed, events, ids, told, plain)
        doubtful: list[int] = []
        foreign = plain & (told[:, CURRENCY] != exchange.base_word)
        told[foreign, OWN_AMOUNT] = events[foreign, AMOUNT]
        told[foreign, KIND] |= FOREIGN
        for code in np.unique(told[foreign, CURRENCY]).tolist():
            places = np.flatnonzero(foreign & (told[:, CURRENCY] == code)).tolist()
            doubtful += _convert(events, places, code.to_bytes(WORD, "little").rstrip(b"\0").decode(), exchange)
        if not (data.isascii() or _is_utf8(data)):
            doubtful += [place for place, value in enumerate(values) if value is not None and not value.isascii()]
        for place in doubtful:
            plain[place] = False
            clear(events[place], told[place])
        return cls(plain, events, told, ids, data, {})

    def put(self, place: int, transaction: Transaction, exchange: Exchange) -> None:
        """Accepts a record as that transaction, whose money can be converted."""
        event, told, balance = self.events[place], self.told[place], transaction.balance_minor
        original = transaction.reversal_of or transaction.replaces
        told[KIND] = (REVERSAL if transaction.reversal_of else 0) | (REPLACES if transaction.replaces else 0)
        told[KIND] |= PENDING if transaction.status == "pending" else 0
        told[CURRENCY] = words_of([transaction.currency], 1)[0, 0]
        if told[CURRENCY] != exchange.base_word:
            told[KIND], told[OWN_AMOUNT] = told[KIND] | FOREIGN, transaction.amount_minor
        event[AT] = moment_ms(transaction.occurred_at)
        event[UNDOES_AT] = NONE if original is None else moment_ms(original.occurred_at)
        event[AMOUNT], event[BALANCE] = transaction.amount_minor, NONE if balance is None else balance
        _convert(self.events, [place], transaction.currency, exchange)
        event[TYPE], event[CHANNEL] = _TYPE_PLACES[transaction.type], _CHANNEL_PLACES[transaction.channel]
        event[ACCOUNT:] = words_of([transaction.account_id], ACCOUNT_WORDS)[0]
        its_id, original_id = transaction.event_id, "" if original is None else original.event_id
        told[EVENT_HASH], original_hash = event_hashes([its_id, original_id])
        self.accepted[place], self.other_ids[place] = True, (its_id, original_id)
        self.ids[place] = ids_of([transaction.customer_id])
        tell_identity(event, told, self.ids[place], original_hash)

    def event_id(self, place: int) -> str:
        """That of the record at that place, which is an event."""
        if place in self.other_ids:
            return self.other_ids[place][0]
        start, end = self.told[place, EVENT_START:CUSTOMER_START].tolist()
        return self.data[start:end].decode()

    def original_id(self, place: int) -> str:
        """That of what the record at that place corrects; of one that books what was pending its own."""
        if place in self.other_ids:
            return self.other_ids[place][1]
        start, end = self.told[place, ORIGINAL_START : ORIGINAL_END + 1].tolist()
        return self.data[start:end].decode()

    def arrivals(self, first: int, last: int, moments: I8) -> Arrivals:
        """Those of that stretch, for the partition's memory; `moments` is what they are worth to stream time."""
        its = slice(first, last)
        told, events = self.told[its], self.events[its]
        return Arrivals(np.ascontiguousarray(told[:, HASH]), moments, self.ids[its], told, events)

    def all_known(self) -> bool:
        """Whether no type and no channel is unknown."""
        return not (self.events[:, TYPE : CHANNEL + 1] < 0).any()

    def batch(
        self,
        first: int,
        last: int,
        kept: Mask | None,
        known: bool,
        clock_end: int,
        dead_letters: list[DeadLetter],
        early_reversals: int,
    ) -> EventBatch:
        """The events of that stretch, without those that are not to be kept (None: all are); `known` is `all_known`,
        which is asked once for all stretches."""
        its, duplicates = slice(first, last), 0
        events, ids, places = self.events[its], self.ids[its], np.arange(first, last)
        if kept is not None:
            duplicates = int(np.count_nonzero(self.accepted[its] & ~kept))
            events, ids, places = events[kept], ids[kept], places[kept]
        events[:, CUSTOMER], firsts = distinct(ids)
        unknown_types = unknown_channels = 0
        if not known:
            words = events[:, TYPE : CHANNEL + 1]
            unknown_types, unknown_channels = (words < 0).sum(axis=0).tolist()
            np.maximum(words, 0, out=words)
        return EventBatch(
            ids=ids[firsts],
            events=events,
            event_id=lambda n: self.event_id(int(places[n])),
            original_id=lambda n: self.original_id(int(places[n])),
            clock_end=clock_end,
            dead_letters=dead_letters,
            duplicates=duplicates,
            unknown_types=unknown_types,
            unknown_channels=unknown_channels,
            early_reversals=early_reversals,
        )


def _joined(values: Sequence[bytes | None]) -> tuple[bytes, I8]:
    """The values one behind the other, padded, and where each ends; one that is missing is empty."""
    there = cast(Sequence[bytes], values) if all(values) else [value or b"" for value in values]
    return b"".join([*there, PADDING]), np.cumsum(np.fromiter(map(len, there), np.int64, len(there)))


def _is_utf8(text: bytes) -> bool:
    """Whether all of it is. A record that is plain starts and ends with ASCII, and so borrows from no neighbour."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _convert(events: I8, places: list[int], currency: str, exchange: Exchange) -> list[int]:
    """Brings the money of those rows to the base currency. Returns the rows of which that cannot be done."""
    if currency not in exchange:
        return places
    beyond: set[int] = set()
    for field in (AMOUNT, BALANCE):
        money = [one if one == NONE else exchange.minor(one, currency) for one in events[places, field].tolist()]
        beyond.update(
            place for place, one in zip(places, money, strict=True) if abs(one) > AMOUNT_LIMIT and one != NONE
        )
        events[places, field] = [one if abs(one) <= AMOUNT_LIMIT else NONE for one in money]
    return list(beyond)
