"""What an event books: how it counts, whose sum its amount belongs to, and exactly what a correction corrects.

Of each event the partition's memory (handlers/intake/dedup.py) keeps, by the key of its identity, what is left of its
amount, its type and channel, and its day: then a reversal is exact whatever it is of (the whole, a part, another
reversal), whatever the rates are by now, and however often it is told. Beside that, under keys made of the event's own,
stand

    key ^ OWN ^ currency   of money of another currency: what is left in that
    key ^ SINCE            of a correction and of what replaces: the moment in whose place it counts; negative of what
                           is pending, and of a reversal of a reversal
    key ^ ROOT             of a reversal: the key of the transaction that is undone at last
"""

from typing import Final

import numpy as np

from handlers.intake.events import (
    ACCOUNT,
    AMOUNT,
    AT,
    CHANNEL,
    COUNTS,
    FLOW,
    MONEY_IN,
    MONEY_OUT,
    NO_FLOW,
    TYPE,
    UNDOES_AT,
)
from handlers.intake.hash_table import FREE, place_of
from handlers.kernel.hashing import MULTIPLIER, hash_of, over_words
from handlers.kernel.jit import I8, NONE, jit
from schemas.transaction import NO_FLOW_TYPES, PAYING_TYPES, TYPES
from schemas.units import DAY_MS

# what is told of a record beside its row: where its ids stand, its currency as a word, and
EVENT_START, EVENT_END, CUSTOMER_START, CUSTOMER_END, CURRENCY = range(5)
HASH = 5  # of the event's identity: customer, account and event_id; 0 for what is no event
EVENT_HASH = 6  # of the event_id alone
KIND = 7
ORIGINAL_START, ORIGINAL_END = 8, 9  # where the event_id stands of what it corrects
ORIGINAL = 10  # the hash of that one's identity
OWN_AMOUNT = 11  # in its own currency, if that is not the base currency
TOLD = 12

REVERSAL, REPLACES, PENDING, FOREIGN = 1, 2, 4, 8
"""Bits of KIND; most events have none."""

ACCEPTED, REPEATED, WRONG_SIGN, TOO_MUCH, WRONG_CURRENCY, WRONG_DAY = range(6)
"""Verdicts. The last four refuse."""

PLACES_MAX = 16
"""So many places of the memory one event takes at most; most take one."""

_OWN, _SINCE, _ROOT = (int(np.int64(word)) for word in (0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179, 0x3C6EF372FE94F82B))

_AWAITED: Final = 30
_UNDONE: Final = 31
"""In the place of a type: a reversal has come and its original has not; nothing is left."""

_REFUND: Final = TYPES.index("refund")
_BALANCE: Final = TYPES.index("balance")
_PAYING: Final = sum(1 << TYPES.index(name) for name in PAYING_TYPES)
_STILL: Final = sum(1 << TYPES.index(name) for name in NO_FLOW_TYPES)

assert len(TYPES) <= _AWAITED


@jit
def identity(event_hash: int, customer: I8, account: I8) -> int:
    """The hash of an event's identity, never 0: of the customer's words and the account's, on top of that of its
    event_id."""
    found = over_words(np.uint64(np.int64(event_hash)), customer)
    found = (found ^ MULTIPLIER) * MULTIPLIER  # so that what ends the one is not what begins the other
    signed = hash_of(over_words(found, account))
    return signed if signed != FREE else 1


@jit
def tell_identity(event: I8, told: I8, customer: I8, original_hash: int) -> None:
    """Writes the hashes of a record's identity and, if it corrects another, of that one's."""
    told[HASH] = identity(told[EVENT_HASH], customer, event[ACCOUNT:])
    if told[KIND] & (REVERSAL | REPLACES):
        told[ORIGINAL] = identity(original_hash, customer, event[ACCOUNT:])


@jit
def book(event: I8) -> None:
    """An event that corrects nothing: a credit of a type that pays is a refund."""
    kind, amount = event[TYPE], event[AMOUNT]
    if amount > 0 and kind >= 0 and (_PAYING >> kind) & 1:
        event[TYPE] = kind = _REFUND
    event[COUNTS] = 0 if kind == _BALANCE else 1
    event[FLOW] = _flow(kind, amount)


@jit
def _flow(kind: int, amount: int) -> int:
    if kind >= 0 and (_STILL >> kind) & 1:
        return NO_FLOW
    return MONEY_IN if amount > 0 else MONEY_OUT


@jit
def memory_of(event: I8) -> int:
    """What is remembered of an event that was just booked."""
    return _packed(event[AMOUNT], max(event[TYPE], 0), max(event[CHANNEL], 0), event[AT])


@jit
def _packed(left: int, kind: int, channel: int, at: int) -> int:
    return int((left << 13) | (kind << 8) | (channel << 4) | ((at // DAY_MS) & 15))


@jit
def _left(value: int) -> int:
    return value >> 13


@jit
def _kind(value: int) -> int:
    return (value >> 8) & 31


@jit
def _with_left(value: int, left: int, kind: int) -> int:
    return int((left << 13) | (kind << 8) | (value & 255))


@jit
def _known(table: I8, before: I8, key: int) -> tuple[bool, int]:
    """Whether the memory has a key, and its value. `before` is the table from which entries are still moved over."""
    place = place_of(table, key)
    if table[place, 0] == key:
        return True, int(table[place, 1])
    if before.shape[0] > 0:
        place = place_of(before, key)
        if before[place, 0] == key:
            return True, int(before[place, 1])
    return False, 0


@jit
def put(table: I8, before: I8, segment: I8, used: int, key: int, value: int) -> int:
    """Gives a key a value, in the table and in the list that is stored. Returns the places of that which are used."""
    if _known(table, before, key)[0]:
        segment[used, 1] = key
        used += 1
    place = place_of(table, key)
    table[place, 0], table[place, 1] = key, value
    segment[used, 0], segment[used, 1] = key, value
    return used + 1


@jit
def comes_again(table: I8, before: I8, told: I8) -> bool:
    """Whether an event whose key is known is a duplicate: not the original of a reversal that has come before it, nor
    what was pending and is booked now under the same event_id."""
    key = told[HASH]
    if _kind(_known(table, before, key)[1]) == _AWAITED:
        return False
    return bool(told[KIND] & (PENDING | REVERSAL) or _known(table, before, key ^ _SINCE)[1] >= 0)


@jit
def judge(table: I8, before: I8, segment: I8, used: int, event: I8, told: I8, complete: bool) -> tuple[int, int, int]:
    """An event that is a correction, pending, in another currency, or awaited, and does not come again: books it, and
    remembers what it leaves.

    `complete` says that nothing was ever forgotten. Returns the verdict, the places used, and 1 for a reversal that has
    come before its original.
    """
    key, kind = told[HASH], told[KIND]
    known, value = _known(table, before, key)
    if known and _kind(value) != _AWAITED:  # and does not come again: it books what was pending
        told[ORIGINAL] = key
        return _replace(table, before, segment, used, event, told)
    if kind & REVERSAL:
        return _undo(table, before, segment, used, event, told, complete)
    if kind & REPLACES:
        there, of = _known(table, before, told[ORIGINAL])
        if there and _kind(of) < _AWAITED:
            return _replace(table, before, segment, used, event, told)
        event[UNDOES_AT] = NONE
    book(event)
    if known:  # a reversal has been waiting for it
        return _meet(table, before, segment, used, event, told, value)
    used = put(table, before, segment, used, key, memory_of(event))
    if kind & FOREIGN:
        used = put(table, before, segment, used, _own_key(key, told), told[OWN_AMOUNT])
    if kind & PENDING:
        used = put(table, before, segment, used, key ^ _SINCE, -event[AT])
    return ACCEPTED, used, 0


@jit
def _own_key(key: int, told: I8) -> int:
    return int(key ^ _OWN ^ told[CURRENCY])


@jit
def _meet(table: I8, before: I8, segment: I8, used: int, event: I8, told: I8, awaited: int) -> tuple[int, int, int]:
    """The original of a reversal that has come before it: what is left of it is booked; nothing at all if all is
    undone."""
    key, amount, taken = told[HASH], event[AMOUNT], _left(awaited)
    if told[KIND] & FOREIGN:
        there, own = _known(table, before, _own_key(key, told))
        own_left = told[OWN_AMOUNT] + own if there else told[OWN_AMOUNT]
        if not there or abs(own) > abs(told[OWN_AMOUNT]) or (own > 0) == (told[OWN_AMOUNT] > 0):
            taken, own_left = 0, told[OWN_AMOUNT]
        else:
            taken = -_share(amount, own, told[OWN_AMOUNT])
        used = put(table, before, segment, used, _own_key(key, told), own_left)
    elif abs(taken) > abs(amount) or (taken != 0 and (taken > 0) == (amount > 0)):
        taken = 0
    value = memory_of(event)
    if taken == -amount:
        event[COUNTS], event[FLOW] = 0, NO_FLOW
        used = put(table, before, segment, used, key, _with_left(value, 0, _UNDONE))
        return ACCEPTED, used, 0
    event[AMOUNT] = amount + taken
    used = put(table, before, segment, used, key, _with_left(value, amount + taken, _kind(value)))
    return ACCEPTED, used, 0


@jit
def _share(left: int, own: int, own_left: int) -> int:
    """So much of what is left in the base currency as `own` is of what is left in its own, always as a whole number
    between 0 and that; all of it where it is all."""
    if abs(own) == abs(own_left):
        return left
    return int(np.rint(left * (abs(own) / abs(own_left))))


@jit
def _undo(table: I8, before: I8, segment: I8, used: int, event: I8, told: I8, complete: bool) -> tuple[int, int, int]:
    """A reversal, of a transaction or of another reversal."""
    key, original, foreign = told[HASH], told[ORIGINAL], told[KIND] & FOREIGN
    when, amount = event[UNDOES_AT], event[AMOUNT]
    there, value = _known(table, before, original)
    if not there or _kind(value) == _AWAITED:
        early = 0
        if complete or there:  # it has not come yet: nothing is done before that
            taken = amount + _left(value)
            used = put(table, before, segment, used, original, _packed(taken, _AWAITED, 0, when))
            if foreign:
                own = _known(table, before, _own_key(original, told))[1]
                used = put(table, before, segment, used, _own_key(original, told), own + told[OWN_AMOUNT])
            event[COUNTS], event[FLOW], early = 0, NO_FLOW, 1
        else:  # it may have been forgotten: the whole of it, as far as the row holds it (fold.py)
            flow = _flow(event[TYPE], -amount)
            event[COUNTS], event[FLOW] = -1, flow
        used = put(table, before, segment, used, key, memory_of(event))
        used = put(table, before, segment, used, key ^ _ROOT, original)
        used = put(table, before, segment, used, key ^ _SINCE, when)
        if foreign:
            used = put(table, before, segment, used, _own_key(key, told), told[OWN_AMOUNT])
        return ACCEPTED, used, early
    if (when // DAY_MS) & 15 != value & 15:
        return WRONG_DAY, used, 0
    left, moved = _left(value), amount
    own_left = left
    if foreign:
        there, own_left = _known(table, before, _own_key(original, told))
        if not there:
            return WRONG_CURRENCY, used, 0
        moved = told[OWN_AMOUNT]
    if _kind(value) == _UNDONE:
        return TOO_MUCH, used, 0
    if (moved == 0 and own_left != 0) or (moved != 0 and (moved > 0) == (own_left > 0)):
        return WRONG_SIGN, used, 0
    if abs(moved) > abs(own_left):
        return TOO_MUCH, used, 0
    if foreign:
        amount = -_share(left, moved, own_left) if moved != 0 else 0
    moved_to, since = _known(table, before, original ^ _SINCE)
    if moved_to:
        when = abs(since)
    linked, root = _known(table, before, original ^ _ROOT)
    restores = linked and since > 0
    whole, counts, waits = moved == -own_left, 0, False
    if linked:  # of a reversal: the transaction at last stands again, or it was one that let it, and it is undone again
        there, was = _known(table, before, root)
        own = _known(table, before, _own_key(root, told))[1] if foreign else _left(was)
        waits, was_undone = _kind(was) == _AWAITED, _kind(was) == _UNDONE
        if not there or (not restores and not waits and (was_undone or abs(moved) > abs(own))):
            return TOO_MUCH, used, 0
        kind = _AWAITED if waits else _kind(value)
        if restores:
            counts = 1 if was_undone else 0
        elif not waits and moved == -own:
            counts, kind, amount = -1, _UNDONE, -_left(was)
        used = put(table, before, segment, used, root, _with_left(was, _left(was) + amount, kind))
        if foreign:
            used = put(table, before, segment, used, _own_key(root, told), own + moved)
    else:
        root, counts = original, -1 if whole and _kind(value) != _BALANCE else 0
    kind = _UNDONE if whole else _kind(value)
    used = put(table, before, segment, used, original, _with_left(value, 0 if whole else left + amount, kind))
    if foreign:
        used = put(table, before, segment, used, _own_key(original, told), own_left + moved)
    event[TYPE], event[CHANNEL] = _kind(value), (value >> 4) & 15
    credit = amount > 0 if restores else amount < 0
    event[COUNTS] = 0 if waits else counts
    event[FLOW] = NO_FLOW if waits or (_STILL >> event[TYPE]) & 1 else MONEY_IN if credit else MONEY_OUT
    event[AMOUNT], event[UNDOES_AT] = amount, when
    used = put(table, before, segment, used, key, memory_of(event))
    used = put(table, before, segment, used, key ^ _ROOT, root)
    used = put(table, before, segment, used, key ^ _SINCE, -when if restores else when)
    if foreign:
        used = put(table, before, segment, used, _own_key(key, told), moved)
    return ACCEPTED, used, 0


@jit
def _replace(table: I8, before: I8, segment: I8, used: int, event: I8, told: I8) -> tuple[int, int, int]:
    """A booking of what was pending: it stands in that one's place, with its own amount."""
    key, original = told[HASH], told[ORIGINAL]
    value = _known(table, before, original)[1]
    pending, since = _known(table, before, original ^ _SINCE)
    when = abs(since) if pending else event[UNDOES_AT]
    if not pending and (when // DAY_MS) & 15 != value & 15:
        return WRONG_DAY, used, 0
    if _kind(value) == _UNDONE:
        event[UNDOES_AT], when, left = NONE, event[AT], 0
        book(event)
    else:
        left, amount = _left(value), event[AMOUNT]
        if left != 0 and amount != 0 and (left > 0) != (amount > 0):
            return WRONG_SIGN, used, 0
        event[TYPE], event[CHANNEL] = _kind(value), (value >> 4) & 15
        event[COUNTS], event[FLOW] = 0, _flow(event[TYPE], left if left != 0 else amount)
        event[UNDOES_AT] = when
    used = put(table, before, segment, used, key ^ _SINCE, when)
    mine = memory_of(event)
    if key != original:
        used = put(table, before, segment, used, original, _with_left(value, 0, _UNDONE))
    used = put(table, before, segment, used, key, mine)
    if told[KIND] & FOREIGN:
        used = put(table, before, segment, used, _own_key(key, told), told[OWN_AMOUNT])
    event[AMOUNT] -= left
    return ACCEPTED, used, 0
