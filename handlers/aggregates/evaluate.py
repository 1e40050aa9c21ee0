"""Computes the declared features of a row at a moment."""

import numpy as np

from handlers.aggregates.columns import Operator
from handlers.aggregates.spec import (
    ACTIVE,
    BEFORE,
    CELL,
    DAY_CELLS,
    DAYS_ROOM,
    FLOWS,
    HIGH,
    LARGEST,
    LOW,
    NUMBER,
    OPERATOR,
    OTHER,
    OWED,
    WINDOW,
    Spec,
)
from handlers.kernel.jit import I8, NONE, jit
from handlers.state.day_list import open_days, own_days
from handlers.state.retention import DAY_KEPT
from handlers.state.row import (
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_LOST,
    CHANNELS_SEEN,
    COUNT,
    DAY_HAS_BALANCE,
    DAY_HIGH,
    DAY_LOW,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    FIRST,
    FIVE_MS,
    FIVES,
    HOURS,
    LAST_OWN,
    MIX_FIELDS,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    add,
    largest_credit,
)
from schemas.units import DAY_MS, HOUR_MS

_DAYS_POSITIVE, _SHARE, _RATIO = int(Operator.DAYS_POSITIVE), int(Operator.SHARE), int(Operator.RATIO)
_GAP_MEAN, _GAP_Q90 = int(Operator.GAP_MEAN), int(Operator.GAP_Q90)
_SINCE, _DAYS_SINCE, _RATE = int(Operator.SINCE), int(Operator.DAYS_SINCE), int(Operator.RATE)


@jit
def _windows_of_tiles(tiles: I8, n: int, newest: int, ends: I8, room: I8, at: int) -> None:
    """Writes count, in and out of the tiles up to `newest` in windows that end at `ends`, from cell `at` on."""
    count = money_in = money_out = 0
    k = n - 1
    for window in range(ends.shape[0]):
        end = ends[window]
        while k >= 0:
            age = newest - tiles[k, TILE]
            if age >= end:
                break
            if age >= 0:
                count = add(count, tiles[k, TILE_COUNT])
                money_in = add(money_in, tiles[k, TILE_IN])
                money_out = add(money_out, tiles[k, TILE_OUT])
            k -= 1
        cells = room[at + FLOWS * window :]
        cells[0], cells[1], cells[2] = count, money_in, money_out


@jit
def _windows_of_days(s: OpenRow, today: int, ends: I8, room: I8, at: int) -> None:
    """Writes all that days say in windows that end where `ends` says, from cell `at` on."""
    count = money_in = money_out = active = 0
    largest = low = high = NONE
    mix_at, mix = -1, room
    k = s.size[DAYS] - 1
    for window in range(ends.shape[0]):
        end = ends[window, 0]
        if ends[window, 1] > mix_at:
            mix = room[ends[window, 1] :]
            for c in range(MIX_FIELDS):
                mix[c] = room[mix_at + c] if mix_at >= 0 else 0
        mix_at = ends[window, 1]
        while k >= 0:
            day = s.day[k]
            age = today - day[TILE]
            if age >= end:
                break
            k -= 1
            if age < 0:
                continue
            count = add(count, day[TILE_COUNT])
            money_in = add(money_in, day[TILE_IN])
            money_out = add(money_out, day[TILE_OUT])
            if day[DAY_OWN] > 0:
                active += 1
            if largest_credit(day) > 0:
                largest = max(largest, largest_credit(day))
            if day[DAY_HAS_BALANCE] != 0:
                low = day[DAY_LOW] if low == NONE else min(low, day[DAY_LOW])
                high = max(high, day[DAY_HIGH])
            if mix_at >= 0:
                for c in range(MIX_FIELDS):
                    mix[c] += day[DAY_MIX + c]
        cells = room[at + DAY_CELLS * window :]
        cells[0], cells[1], cells[2] = count, money_in, money_out
        cells[ACTIVE], cells[LARGEST], cells[LOW], cells[HIGH] = active, largest, low, high


@jit
def _sum_up(s: OpenRow, spec: Spec, now: int, room: I8) -> None:
    """Fills the cells of every window, by one pass over each kind of tiles."""
    hours_at = FLOWS * (1 + spec.fives.shape[0])
    days_at = hours_at + FLOWS * spec.hours.shape[0]
    for c in range(FLOWS):
        room[c] = s.life[COUNT + c]
    _windows_of_tiles(s.five, s.size[FIVES], now // FIVE_MS, spec.fives, room, FLOWS)
    _windows_of_tiles(s.hour, s.size[HOURS], now // HOUR_MS, spec.hours, room, hours_at)
    _windows_of_days(s, now // DAY_MS, spec.days, room, days_at)


@jit
def _ratio(recent: int, whole: int, days: int, days_before: int) -> float:
    """A sum per day against that of the days before; `whole` is of both."""
    before = add(whole, -recent)
    if before <= 0:
        return np.nan
    return float((recent / days) / (before / days_before))


@jit
def _gap_moments(gaps: I8, n: int, operator: int) -> float:
    mean = 0.0
    for k in range(n):
        mean += gaps[k]
    mean /= n
    if operator == _GAP_MEAN:
        return mean
    squares = 0.0
    for k in range(n):
        squares += (gaps[k] - mean) ** 2
    return float(np.sqrt(squares / n))


@jit
def sorted_gaps(s: OpenRow, work: I8, days: int = DAY_KEPT) -> int:
    """Writes the gaps between active days of so many days that end with the last, ascending, at the start of `work`;
    returns how many."""
    n = own_days(s, work) - 1
    skipped = 0
    while skipped < n and work[skipped] <= s.life[LAST_OWN] // DAY_MS - days:
        skipped += 1
    n -= skipped
    for k in range(n):
        gap = work[skipped + k + 1] - work[skipped + k]
        place = k
        while place > 0 and work[place - 1] > gap:
            work[place] = work[place - 1]
            place -= 1
        work[place] = gap
    return max(n, 0)


@jit
def _latest(s: OpenRow, what: int) -> int:
    """Money, debt or number of the accounts; unknown where there have been more than the row holds."""
    if s.life[CHANNELS_SEEN] & ACCOUNTS_LOST:
        return NONE
    if what == NUMBER:
        return int(s.size[ACCOUNTS])
    sign, total = -1 if what == OWED else 1, 0
    for k in range(s.size[ACCOUNTS]):
        total = add(total, max(sign * s.accounts[k, ACCOUNT_BALANCE], 0))
    return total if s.size[ACCOUNTS] else NONE


@jit
def evaluate(s: OpenRow, spec: Spec, now: int, values: I8, work: I8) -> None:
    """Writes every feature of `spec` at `now` into `values`, int64 of shape (features,); doubles by their bits.

    Of what lies beyond `now` (a post-dated booking) only lifetime figures and balances know. Missing is NONE or NaN.
    `work` is room, of these features or more (spec.new_work).
    """
    doubles = values.view(np.float64)
    life = s.life
    open_days(s)
    room = work[DAYS_ROOM:]
    _sum_up(s, spec, now, room)
    gaps, gaps_of = 0, 0
    for f in range(spec.lines.shape[0]):
        operator, cell, other = spec.lines[f, OPERATOR], spec.lines[f, CELL], spec.lines[f, OTHER]
        if operator <= _DAYS_POSITIVE:
            values[f] = room[cell] if other < 0 else add(room[cell], -room[other])
        elif operator == _SHARE:
            doubles[f] = room[cell] / room[other] if room[other] > 0 else np.nan
        elif operator == _RATIO:
            doubles[f] = _ratio(room[cell], room[other], spec.lines[f, WINDOW], spec.lines[f, BEFORE])
        elif operator <= _GAP_Q90:
            if spec.lines[f, WINDOW] != gaps_of:
                gaps_of = spec.lines[f, WINDOW]
                gaps = sorted_gaps(s, work, gaps_of)
            if operator == _GAP_Q90:
                values[f] = work[(9 * gaps + 9) // 10 - 1] if gaps > 0 else NONE
            else:
                doubles[f] = _gap_moments(work, gaps, operator) if gaps > 0 else np.nan
        elif operator == _SINCE:
            doubles[f] = max(now - life[cell], 0) / DAY_MS if life[cell] else np.nan
        elif operator == _DAYS_SINCE:
            values[f] = max(now // DAY_MS - life[cell] // DAY_MS, 0) if life[cell] else NONE
        elif operator == _RATE:
            days = max((now - life[FIRST]) / DAY_MS, 30.0)
            doubles[f] = life[cell] / days * 30.0 if life[FIRST] else np.nan
        else:
            values[f] = _latest(s, cell)
