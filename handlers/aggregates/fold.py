"""Folding one transaction into a row, event by event."""

from handlers.aggregates.features import BANK_MADE_TYPES
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, NONE, jit
from handlers.state.day_list import day_at
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_MAX,
    CHANNEL_COUNT,
    CHANNELS_SEEN,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_KEPT,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_KEPT,
    FIVE_MS,
    FIVES,
    HOUR_KEPT,
    HOURS,
    IN,
    LAST,
    LAST_OWN,
    NEWEST,
    OUT,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    add,
    copy,
    forget,
    tile_at,
)
from schemas.units import DAY_MS, HOUR_MS

LATE, OWN_DAYS, NEWER_OWN = 1, 2, 4
"""Bits of what a transaction has changed: nothing but lifetime figures, as its day is no longer kept; which days the
customer was active on; when the customer's latest own transaction was."""

_BANK_MADE_A, _BANK_MADE_B = BANK_MADE_TYPES


@jit
def made_by_customer(kind: int) -> bool:
    """Whether the customer makes transactions of that type (place in TYPES), not the bank by itself."""
    return kind != _BANK_MADE_A and kind != _BANK_MADE_B


@jit
def _book(tiles: I8, place: int, sign: int, amount: int) -> None:
    """Counts an amount in a tile; `sign` is -1 for a reversal, whose amount is already the opposite."""
    tiles[place, TILE_COUNT] += sign
    if (amount > 0) == (sign > 0):
        tiles[place, TILE_IN] = add(tiles[place, TILE_IN], amount)
    else:
        tiles[place, TILE_OUT] = add(tiles[place, TILE_OUT], -amount)


@jit
def _record_balance(s: OpenRow, at: int, account: I8, balance: int) -> None:
    """Latest balance of the account (a tie goes to the later in the stream), and the day's low and high."""
    n = s.size[ACCOUNTS]
    place = 0
    while place < n:
        same = True
        for w in range(ACCOUNT_WORDS):
            same &= s.accounts[place, w] == account[w]
        if same:
            break
        place += 1
    if place == n:
        # kept in the order of their ids, so that the row doesn't depend on the order of arrival
        place = 0
        while place < n:
            smaller = False
            for w in range(ACCOUNT_WORDS):
                if s.accounts[place, w] != account[w]:
                    smaller = s.accounts[place, w] < account[w]
                    break
            if not smaller:
                break
            place += 1
        for k in range(n, place, -1):
            copy(s.accounts, k, k - 1)
        for w in range(ACCOUNT_WORDS):
            s.accounts[place, w] = account[w]
        s.accounts[place, ACCOUNT_AT] = at
        s.accounts[place, ACCOUNT_BALANCE] = balance
        s.size[ACCOUNTS] = n + 1
        if n + 1 > ACCOUNTS_MAX:
            oldest = 0
            for k in range(n + 1):
                if s.accounts[k, ACCOUNT_AT] < s.accounts[oldest, ACCOUNT_AT]:
                    oldest = k
            for k in range(oldest, n):
                copy(s.accounts, k, k + 1)
            s.size[ACCOUNTS] = n
    elif at >= s.accounts[place, ACCOUNT_AT]:
        s.accounts[place, ACCOUNT_AT] = at
        s.accounts[place, ACCOUNT_BALANCE] = balance
    oldest_day = s.life[NEWEST] // DAY_MS - DAY_KEPT + 1
    if at // DAY_MS < oldest_day:
        return
    k = day_at(s, at // DAY_MS, oldest_day)
    day = s.day[k]
    if day[DAY_HAS_BALANCE] == 0:
        day[DAY_HAS_BALANCE] = 1
        day[DAY_LOW] = balance
        day[DAY_HIGH] = balance
    day[DAY_LOW] = min(day[DAY_LOW], balance)
    day[DAY_HIGH] = max(day[DAY_HIGH], balance)


@jit
def fold(
    s: OpenRow,
    at: int,
    amount: int,
    balance: int,
    account: I8,
    kind: int,
    channel: int,
    undoes_at: int,
) -> int:
    """Folds one transaction into the row; returns what has changed, as the bits above."""
    life = s.life
    reversal = undoes_at != NONE
    sign = -1 if reversal else 1
    when = undoes_at if reversal else at
    own = made_by_customer(kind)
    changed = 0
    life[NEWEST] = max(life[NEWEST], at)
    newest = life[NEWEST]
    # at once, as when the row is written: a reversal may move NEWEST and touch no new day
    forget(s.day, s.size, DAYS, newest // DAY_MS - DAY_KEPT + 1)
    if not reversal:
        life[FIRST] = at if life[FIRST] == 0 else min(life[FIRST], at)
        life[LAST] = max(life[LAST], at)
        if own:
            life[CHANNELS_SEEN] |= 1 << channel
        if own and at > life[LAST_OWN]:
            changed |= NEWER_OWN
            if at // DAY_MS != life[LAST_OWN] // DAY_MS:
                changed |= OWN_DAYS
            life[LAST_OWN] = at
    life[COUNT] += sign
    if (amount > 0) == (sign > 0):
        life[IN] = add(life[IN], amount)
    else:
        life[OUT] = add(life[OUT], -amount)
    if when // DAY_MS <= newest // DAY_MS - DAY_KEPT:
        changed |= LATE
    else:
        oldest = newest // DAY_MS - DAY_KEPT + 1
        place = day_at(s, when // DAY_MS, oldest)
        _book(s.day, place, sign, amount)
        day = s.day[place]
        day[DAY_MIX + channel] += sign
        day[DAY_MIX + CHANNEL_COUNT + kind] += sign
        if own:
            was = day[DAY_OWN] > 0
            day[DAY_OWN] += sign
            if was != (day[DAY_OWN] > 0):
                changed |= OWN_DAYS
        if not reversal:
            day[DAY_LARGEST] = max(day[DAY_LARGEST], amount)
    oldest = newest // HOUR_MS - HOUR_KEPT + 1
    if when // HOUR_MS >= oldest:
        _book(s.hour, tile_at(s.hour, s.size, HOURS, when // HOUR_MS, oldest), sign, amount)
    oldest = newest // FIVE_MS - FIVE_KEPT + 1
    if when // FIVE_MS >= oldest:
        _book(s.five, tile_at(s.five, s.size, FIVES, when // FIVE_MS, oldest), sign, amount)
    if balance != NONE:
        _record_balance(s, at, account, balance)
    return changed
