"""Folding one transaction into a row, event by event."""

from handlers.aggregates.features import NOT_OWN
from handlers.intake.events import MONEY_IN, MONEY_OUT, NO_FLOW
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, NONE, jit
from handlers.state.day_codec import open_day
from handlers.state.day_list import day_at
from handlers.state.retention import DAY_KEPT, FIVE_KEPT, HOUR_KEPT, MIX_DAYS
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_LOST,
    ACCOUNTS_MAX,
    CHANNEL_COUNT,
    CHANNELS_SEEN,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LARGEST,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    IN,
    LAST,
    LAST_OWN,
    NEWEST,
    OUT,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    add,
    copy,
    forget,
    tile_at,
)
from schemas.transaction import TYPES
from schemas.units import DAY_MS, HOUR_MS

LATE, OWN_DAYS, NEWER_OWN = 1, 2, 4
"""Bits of what a transaction has changed: nothing but lifetime figures, as its day is no longer kept; which days the
customer was active on; when the customer's latest own transaction was."""

_NOT_OWN = sum(1 << kind for kind in NOT_OWN)
_BALANCE = TYPES.index("balance")


@jit
def made_by_customer(kind: int) -> bool:
    """Whether the customer makes transactions of that type (place in TYPES), not the bank by itself or others."""
    return not (_NOT_OWN >> kind) & 1


@jit
def _book(tiles: I8, place: int, counts: int, flow: int, amount: int) -> None:
    """Counts an amount in a tile. No figure falls below 0: the time of day that a reversal names may be wrong."""
    tiles[place, TILE_COUNT] = max(tiles[place, TILE_COUNT] + counts, 0)
    if flow == MONEY_IN:
        tiles[place, TILE_IN] = max(add(tiles[place, TILE_IN], amount), 0)
    elif flow == MONEY_OUT:
        tiles[place, TILE_OUT] = max(add(tiles[place, TILE_OUT], -amount), 0)


@jit
def _holds(s: OpenRow, when: int, counts: int, flow: int, amount: int, kind: int, channel: int) -> bool:
    """Whether the row has what a correction takes away. It has, unless the original is forgotten and told wrongly, or
    never came here."""
    life, day = s.life, when // DAY_MS
    money_in, money_out = amount if flow == MONEY_IN else 0, -amount if flow == MONEY_OUT else 0
    if life[COUNT] + counts < 0 or life[IN] + money_in < 0 or life[OUT] + money_out < 0:
        return False
    if day <= life[NEWEST] // DAY_MS - DAY_KEPT:
        return True
    for k in range(s.size[DAYS]):
        if s.day[k, TILE] == day:
            open_day(s, k)
            tile = s.day[k]
            if tile[TILE_COUNT] + counts < 0 or tile[TILE_IN] + money_in < 0 or tile[TILE_OUT] + money_out < 0:
                return False
            if life[NEWEST] // DAY_MS - day >= MIX_DAYS:
                return True
            mix = tile[DAY_MIX:]
            return bool(mix[channel] + counts >= 0 and mix[CHANNEL_COUNT + kind] + counts >= 0)
    return counts >= 0 and money_in >= 0 and money_out >= 0


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
            s.life[CHANNELS_SEEN] |= ACCOUNTS_LOST
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
    counts: int,
    flow: int,
) -> int:
    """Folds one event into the row, as it is booked (handlers/intake/booking.py); returns what has changed, as the bits
    above. Of a correction that the row cannot hold nothing is taken away: no sum falls below 0."""
    life = s.life
    reversal = undoes_at != NONE
    when = undoes_at if reversal else at
    own = made_by_customer(kind)
    changed = 0
    life[NEWEST] = max(life[NEWEST], at)
    newest = life[NEWEST]
    # at once, as when the row is written: a reversal may move NEWEST and touch no new day
    forget(s.day, s.size, DAYS, newest // DAY_MS - DAY_KEPT + 1)
    if reversal and not _holds(s, when, counts, flow, amount, kind, channel):
        counts, flow = 0, NO_FLOW
    if kind != _BALANCE and not reversal:
        life[FIRST] = at if life[FIRST] == 0 else min(life[FIRST], at)
        life[LAST] = max(life[LAST], at)
        if own:
            life[CHANNELS_SEEN] |= 1 << channel
        if own and at > life[LAST_OWN]:
            changed |= NEWER_OWN
            if at // DAY_MS != life[LAST_OWN] // DAY_MS:
                changed |= OWN_DAYS
            life[LAST_OWN] = at
    life[COUNT] += counts
    if flow == MONEY_IN:
        life[IN] = add(life[IN], amount)
    elif flow == MONEY_OUT:
        life[OUT] = add(life[OUT], -amount)
    if counts == 0 and flow == NO_FLOW:
        when = 0  # in no tile: nothing is booked
    elif when // DAY_MS <= newest // DAY_MS - DAY_KEPT:
        changed |= LATE
    else:
        oldest = newest // DAY_MS - DAY_KEPT + 1
        place = day_at(s, when // DAY_MS, oldest)
        _book(s.day, place, counts, flow, amount)
        day = s.day[place]
        day[DAY_MIX + channel] += counts
        day[DAY_MIX + CHANNEL_COUNT + kind] += counts
        if own:
            was = day[DAY_OWN] > 0
            day[DAY_OWN] += counts
            if was != (day[DAY_OWN] > 0):
                changed |= OWN_DAYS
        if flow == MONEY_IN and not reversal:
            day[DAY_LARGEST] = max(day[DAY_LARGEST], amount)
    oldest = newest // HOUR_MS - HOUR_KEPT + 1
    if when // HOUR_MS >= oldest:
        _book(s.hour, tile_at(s.hour, s.size, HOURS, when // HOUR_MS, oldest), counts, flow, amount)
    oldest = newest // FIVE_MS - FIVE_KEPT + 1
    if when // FIVE_MS >= oldest:
        _book(s.five, tile_at(s.five, s.size, FIVES, when // FIVE_MS, oldest), counts, flow, amount)
    if balance != NONE:
        _record_balance(s, at, account, balance)
    return changed
