"""Transactions read from JSON straight into the matrix of events, without an object for each: what is plain of them.

Plain are the fields of schemas/transaction.py once each, in any order, in simple strings and whole numbers, beside
whatever other fields; and all the rules of handlers/intake/validation.py but those about money of other currencies
kept. A record that is not plain need not be wrong: it is judged by itself (strict_json.alone), at several times the
cost. Whatever is plain is accepted there too, with the same result (tests/unit/test_fast_path.py).
"""

from typing import get_args

import numpy as np

from handlers.intake.booking import (
    CURRENCY,
    CUSTOMER_END,
    CUSTOMER_START,
    EVENT_END,
    EVENT_HASH,
    EVENT_START,
    HASH,
    KIND,
    ORIGINAL_END,
    ORIGINAL_START,
    PENDING,
    REPLACES,
    REVERSAL,
    tell_identity,
)
from handlers.intake.dedup import event_hash
from handlers.intake.events import ACCOUNT, AMOUNT, AT, BALANCE, CHANNEL, TYPE, UNDOES_AT
from handlers.intake.json_scanner import (
    COMMA,
    NOT_FAST,
    OBJECT,
    OBJECT_END,
    QUOTE,
    after_colon,
    blank,
    null,
    simple,
    string,
    value,
    whole,
)
from handlers.intake.rfc3339_scanner import moment
from handlers.intake.strict_json import VALUE_BYTES_MAX
from handlers.intake.validation import AHEAD_MS_MAX
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, NONE, Mask, jit
from handlers.kernel.text import WORD, Text, known, word, words_of
from schemas.transaction import (
    ACCOUNT_ID_LENGTH,
    AMOUNT_LIMIT,
    CHANNELS,
    CUSTOMER_ID_LENGTH,
    EVENT_ID_LENGTH,
    TYPES,
    Original,
    Status,
    Transaction,
)
from schemas.units import EARLIEST, LATEST

_FIELDS = Transaction.__struct_fields__
_FIELD_COUNT = len(_FIELDS)
_FIELD_NAMES = words_of(_FIELDS, 2)
_FIELD_LENGTHS = np.array([*map(len, _FIELDS)])
_EVENT_ID, _CUSTOMER_ID, _ACCOUNT_ID = map(_FIELDS.index, ("event_id", "customer_id", "account_id"))
_OCCURRED_AT, _AMOUNT_MINOR, _BALANCE_MINOR = map(_FIELDS.index, ("occurred_at", "amount_minor", "balance_minor"))
_CURRENCY, _TYPE, _STATUS = map(_FIELDS.index, ("currency", "type", "status"))
_REVERSAL_OF, _REPLACES = map(_FIELDS.index, ("reversal_of", "replaces"))
_OPTIONAL = _FIELD_COUNT - len(Transaction.__struct_defaults__)
"""The first of those that may be missing or null."""
_REQUIRED = (1 << _OPTIONAL) - 1
_TYPE_NAMES, _CHANNEL_NAMES = words_of(TYPES, 3), words_of(CHANNELS, 3)
_STATUS_NAMES = words_of(get_args(Status), 1)
_PENDING, _BALANCE = get_args(Status).index("pending"), TYPES.index("balance")
_ORIGINAL_NAMES = words_of(Original.__struct_fields__, 2)
_BOTH = 3
_CORRECTS = REVERSAL | REPLACES


@jit
def read_fast(
    text: Text,
    ends: I8,
    timestamps: I8,
    keys: Text,
    key_ends: I8,
    keyed: bool,
    events: I8,
    ids: I8,
    told: I8,
    plain: Mask,
) -> None:
    """Reads the values that end at ends[k] in `text`, one behind the other, of records with those Kafka timestamps
    (epoch ms) and, where `keyed`, with the keys that end at key_ends[k] in `keys`.

    Which are plain is written to `plain`, their rows to `events` (n, EVENT_FIELDS), without clock, offset and customer
    and with -1 for an unknown type or channel, their customers to `ids` (n, ID_WORDS), and what else is to know to
    `told` (n, TOLD). What is not plain is cleared. That bytes above ASCII are UTF-8 is for the caller to see.
    """
    start = key_start = 0
    for k in range(ends.shape[0]):
        event, its = events[k], told[k]
        end, key_end = ends[k], key_ends[k]
        plain[k] = (
            0 < end - start <= VALUE_BYTES_MAX
            and _record(text, start, end, event, its)
            and _in_time(event, timestamps[k])
            and (event[TYPE] != _BALANCE or (event[AMOUNT] == 0 and event[BALANCE] != NONE))
            and (not keyed or _same(text, its[CUSTOMER_START], its[CUSTOMER_END], keys, key_start, key_end))
        )
        if plain[k]:
            for w in range(ids.shape[1]):
                ids[k, w] = word(text, its[CUSTOMER_START] + w * WORD, its[CUSTOMER_END])
            original = event_hash(text, its[ORIGINAL_START], its[ORIGINAL_END]) if its[KIND] & _CORRECTS else 0
            tell_identity(event, its, ids[k], original)
        else:
            clear(event, its)
        start, key_start = end, key_end


@jit
def clear(event: I8, told: I8) -> None:
    """Makes the row that of no event: without time, of no unknown type or channel, without hash."""
    event[AT], event[TYPE], event[CHANNEL], told[HASH], told[KIND] = NONE, 0, 0, 0, 0


@jit
def _same(text: Text, at: int, end: int, other: Text, other_at: int, other_end: int) -> bool:
    if end - at != other_end - other_at:
        return False
    for k in range(end - at):  # noqa: SIM110 - a kernel has no generators
        if text.bytes[at + k] != other.bytes[other_at + k]:
            return False
    return True


@jit
def _in_time(event: I8, timestamp: int) -> bool:
    """Whether the moments of the event are within their bounds."""
    at, undoes_at = event[AT], event[UNDOES_AT]
    if not EARLIEST <= at <= min(timestamp + AHEAD_MS_MAX, LATEST):
        return False
    return bool(undoes_at == NONE or EARLIEST <= undoes_at <= at)


@jit
def _record(text: Text, at: int, end: int, event: I8, told: I8) -> bool:
    """Reads one record; whether it is plain, as far as its text shows."""
    event[BALANCE] = event[UNDOES_AT] = NONE
    at = blank(text, at, end)
    if text.bytes[at] != OBJECT:
        return False
    found, name = 0, -1
    while True:
        first = blank(text, at + 1, end) + 1
        if text.bytes[first - 1] != QUOTE:
            return False
        name = (name + 1) % _FIELD_COUNT  # records mostly name their fields in one order
        last = first + _FIELD_LENGTHS[name]
        if not _stands(text, first, last, name):
            last = simple(text, first)
            if last == NOT_FAST:
                return False
            name = known(text, first, last, _FIELD_NAMES)
        at = after_colon(text, last + 1, end)
        if at == NOT_FAST:
            return False
        if name < 0:
            at = value(text, at, end)
        elif found >> name & 1:
            return False
        else:
            found |= 1 << name
            at = _field(name, text, at, end, event, told)
        if at == NOT_FAST:
            return False
        at = blank(text, at, end)
        if text.bytes[at] != COMMA:
            break
    return bool(text.bytes[at] == OBJECT_END) and blank(text, at + 1, end) == end and found & _REQUIRED == _REQUIRED


@jit
def _stands(text: Text, first: int, last: int, name: int) -> bool:
    """Whether a field's name and the closing quote stand there."""
    names = _FIELD_NAMES
    same = word(text, first, last) == names[name, 0] and word(text, first + WORD, last) == names[name, 1]
    return bool(same and text.bytes[last] == QUOTE)


@jit
def _field(name: int, text: Text, at: int, end: int, event: I8, told: I8) -> int:
    """Reads the value of a field; returns where it ends."""
    if name == _OCCURRED_AT:
        event[AT], at = _moment(text, at)
        return at
    if name == _AMOUNT_MINOR:
        event[AMOUNT], at = whole(text, at)
        return at if abs(event[AMOUNT]) <= AMOUNT_LIMIT else NOT_FAST
    if name >= _OPTIONAL and null(text, at):
        return at + 4
    if name == _BALANCE_MINOR:
        event[BALANCE], at = whole(text, at)
        return at if abs(event[BALANCE]) <= AMOUNT_LIMIT else NOT_FAST
    if name in (_REVERSAL_OF, _REPLACES):
        if told[KIND] & _CORRECTS:
            return NOT_FAST
        told[KIND] |= REVERSAL if name == _REVERSAL_OF else REPLACES
        event[UNDOES_AT], at = _original(text, at, end, told)
        return at
    if text.bytes[at] != QUOTE:
        return NOT_FAST
    first = at + 1
    if name == _STATUS:
        last = simple(text, first)
        status = known(text, first, last, _STATUS_NAMES)
        if status == _PENDING:
            told[KIND] |= PENDING
        return last + 1 if status >= 0 else NOT_FAST
    if name >= _OPTIONAL:  # any of the others, of no use here
        last = string(text, first, end)
        return last + 1 if last != NOT_FAST else NOT_FAST
    last = simple(text, first)
    length = last - first
    if name == _EVENT_ID:
        told[EVENT_START], told[EVENT_END] = first, last
        sound = 0 < length <= EVENT_ID_LENGTH
        if sound:
            told[EVENT_HASH] = event_hash(text, first, last)
    elif name == _CUSTOMER_ID:
        told[CUSTOMER_START], told[CUSTOMER_END] = first, last
        sound = 0 < length <= CUSTOMER_ID_LENGTH
    elif name == _ACCOUNT_ID:
        sound = 0 < length <= ACCOUNT_ID_LENGTH
        if sound:
            for k in range(ACCOUNT_WORDS):
                event[ACCOUNT + k] = word(text, first + WORD * k, last)
    elif name == _CURRENCY:
        told[CURRENCY] = word(text, first, last)
        sound = length == 3
    else:
        sound = length >= 0
        if name == _TYPE:
            event[TYPE] = known(text, first, last, _TYPE_NAMES)
        else:
            event[CHANNEL] = known(text, first, last, _CHANNEL_NAMES)
    return last + 1 if sound else NOT_FAST


@jit
def _moment(text: Text, at: int) -> tuple[int, int]:
    """Epoch ms of a number or of a string, and where it ends."""
    if text.bytes[at] != QUOTE:
        return whole(text, at)
    found, at = moment(text, at + 1)
    return (found, at + 1) if at != NOT_FAST and text.bytes[at] == QUOTE else (0, NOT_FAST)


@jit
def _original(text: Text, at: int, end: int, told: I8) -> tuple[int, int]:
    """When the transaction occurred that is corrected, and where its object ends: both its fields, no others."""
    if text.bytes[at] != OBJECT:
        return 0, NOT_FAST
    occurred_at = found = 0
    while True:
        first = blank(text, at + 1, end) + 1
        if text.bytes[first - 1] != QUOTE:
            return 0, NOT_FAST
        last = simple(text, first)
        if last == NOT_FAST:
            return 0, NOT_FAST
        name = known(text, first, last, _ORIGINAL_NAMES)
        at = after_colon(text, last + 1, end)
        if at == NOT_FAST or name < 0 or found >> name & 1:
            return 0, NOT_FAST
        found |= 1 << name
        if name == 0:
            last = simple(text, at + 1)
            if text.bytes[at] != QUOTE or not 0 < last - at - 1 <= EVENT_ID_LENGTH:
                return 0, NOT_FAST
            told[ORIGINAL_START], told[ORIGINAL_END] = at + 1, last
            at = last + 1
        else:
            occurred_at, at = _moment(text, at)
            if at == NOT_FAST:
                return 0, NOT_FAST
        at = blank(text, at, end)
        if text.bytes[at] != COMMA:
            break
    return (occurred_at, at + 1) if text.bytes[at] == OBJECT_END and found == _BOTH else (0, NOT_FAST)
