"""Computes the declared features of a row at a moment."""

import numpy as np

from handlers.aggregates.features import (
    DAYS_7,
    DAYS_30,
    DAYS_90,
    DAYS_180,
    FEATURES,
    HOUR_1,
    HOURS_24,
    Measure,
)
from handlers.kernel.jit import I8, NONE, jit
from handlers.state.day_list import open_days, own_days
from handlers.state.row import (
    ACCOUNT_BALANCE,
    ACCOUNTS,
    ACCOUNTS_LOST,
    CHANNEL_COUNT,
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
    OpenRow,
    add,
    largest_credit,
)
from schemas.units import DAY_MS, HOUR_MS

_COUNT, _IN, _OUT, _NET = int(Measure.COUNT), int(Measure.IN), int(Measure.OUT), int(Measure.NET)
_LARGEST, _ACTIVE = int(Measure.LARGEST_CREDIT), int(Measure.ACTIVE_DAYS)
_CHANNEL, _TYPE = int(Measure.CHANNEL_SHARE), int(Measure.TYPE_SHARE)
_LOW = int(Measure.BALANCE_LOW)
_TREND_COUNT, _TREND_OUT = int(Measure.TREND_COUNT), int(Measure.TREND_OUT)
_GAP_MEAN, _GAP_SD, _GAP_Q90 = int(Measure.GAP_MEAN), int(Measure.GAP_SD), int(Measure.GAP_Q90)
_RECENCY, _TENURE, _FREQUENCY = int(Measure.RECENCY), int(Measure.TENURE), int(Measure.FREQUENCY)
_SILENCE, _BALANCE, _ACCOUNTS = int(Measure.SILENCE), int(Measure.BALANCE), int(Measure.ACCOUNTS)
_DEBT = int(Measure.DEBT)

_WINDOWS = (HOUR_1, HOURS_24, DAYS_7, DAYS_30, DAYS_90, DAYS_180)
_LIFE = -1
_FIRST_OF_DAYS = _WINDOWS.index(DAYS_30)
_OF_DAYS = len(_WINDOWS) - _FIRST_OF_DAYS

FEATURE_SPEC = np.array(
    [[f.measure, _WINDOWS.index(f.window_hours) if f.window_hours else _LIFE, f.part] for f in FEATURES], np.int64
)
"""Measure, window (place in _WINDOWS) and part of each feature, as the kernel reads it."""

# what one pass over the tiles leaves in the room, from half of it on
_FLOWS = MIX_FIELDS  # before it: the mix of 90 d; here: count, in, out of each window
_EXTREMES = _FLOWS + 3 * len(_WINDOWS)  # of each window of days: active days, largest credit, balance low and high
_ACTIVE_AT, _LARGEST_AT, _LOW_AT, _HIGH_AT = range(4)


@jit
def _pass_over_tiles(tiles: I8, n: int, newest: int, inner: int, outer: int, flows: I8, window: int) -> None:
    """Adds up count, in and out of the last `inner` and `outer` tiles up to `newest`, as `window` and the one after."""
    for k in range(n - 1, -1, -1):
        age = newest - tiles[k, TILE]
        if age >= outer:
            break
        if age >= 0:
            at = 3 * (window if age < inner else window + 1)
            for c in range(3):
                flows[at + c] = add(flows[at + c], tiles[k, TILE_COUNT + c])


@jit
def _pass_over_days(s: OpenRow, now: int, room: I8) -> int:
    """All that days tell, in rings: under 30 days, under 90, under 180. Returns how many transactions the mix is of."""
    total = 0
    for k in range(s.size[DAYS] - 1, -1, -1):
        day = s.day[k]
        age = now // DAY_MS - day[TILE]
        if age >= 180:
            break
        if age < 0:
            continue
        ring = 0 if age < 30 else 1 if age < 90 else 2
        at = _FLOWS + 3 * (_FIRST_OF_DAYS + ring)
        for c in range(3):
            room[at + c] = add(room[at + c], day[TILE_COUNT + c])
        at = _EXTREMES + 4 * ring
        if day[DAY_OWN] > 0:
            room[at + _ACTIVE_AT] += 1
        if largest_credit(day) > 0:
            room[at + _LARGEST_AT] = max(room[at + _LARGEST_AT], largest_credit(day))
        if day[DAY_HAS_BALANCE] != 0:
            low = room[at + _LOW_AT]
            room[at + _LOW_AT] = day[DAY_LOW] if low == NONE else min(low, day[DAY_LOW])
            room[at + _HIGH_AT] = max(room[at + _HIGH_AT], day[DAY_HIGH])
        if age < 90:
            total += day[TILE_COUNT]
            for c in range(MIX_FIELDS):
                room[c] += day[DAY_MIX + c]
    return int(total)


@jit
def _sum_up(s: OpenRow, now: int, room: I8) -> int:
    """One pass over each kind of tiles for all windows. Returns how many transactions the mix is of."""
    room[:_EXTREMES] = 0
    for ring in range(_OF_DAYS):
        at = _EXTREMES + 4 * ring
        room[at + _ACTIVE_AT] = 0
        room[at + _LARGEST_AT] = room[at + _LOW_AT] = room[at + _HIGH_AT] = NONE
    flows = room[_FLOWS:]
    _pass_over_tiles(s.five, s.size[FIVES], now // FIVE_MS, 12, 12, flows, 0)
    _pass_over_tiles(s.hour, s.size[HOURS], now // HOUR_MS, 24, 168, flows, 1)
    for c in range(3):
        flows[6 + c] = add(flows[6 + c], flows[3 + c])
    total = _pass_over_days(s, now, room)
    for ring in range(1, _OF_DAYS):
        at = 3 * (_FIRST_OF_DAYS + ring)
        for c in range(3):
            flows[at + c] = add(flows[at + c], flows[at - 3 + c])
        inner, outer = _EXTREMES + 4 * (ring - 1), _EXTREMES + 4 * ring
        room[outer + _ACTIVE_AT] += room[inner + _ACTIVE_AT]
        for c in (_LARGEST_AT, _HIGH_AT):
            room[outer + c] = max(room[outer + c], room[inner + c])
        low = room[inner + _LOW_AT]
        if low != NONE:
            room[outer + _LOW_AT] = low if room[outer + _LOW_AT] == NONE else min(room[outer + _LOW_AT], low)
    return total


@jit
def _trend(flows: I8, flow: int) -> float:
    """Of 30 d, per day, against the 60 d before."""
    lately = flows[3 * _FIRST_OF_DAYS + flow]
    before = add(flows[3 * (_FIRST_OF_DAYS + 1) + flow], -lately)
    if before <= 0:
        return np.nan
    return float((lately / 30.0) / (before / 60.0))


@jit
def _gap_moments(gaps: I8, n: int, measure: int) -> float:
    mean = 0.0
    for k in range(n):
        mean += gaps[k]
    mean /= n
    if measure == _GAP_MEAN:
        return mean
    squares = 0.0
    for k in range(n):
        squares += (gaps[k] - mean) ** 2
    return float(np.sqrt(squares / n))


@jit
def sorted_gaps(s: OpenRow, work: I8) -> int:
    """Writes the gaps between active days, ascending, at the start of `work`; returns how many."""
    n = own_days(s, work) - 1
    for k in range(n):
        gap = work[k + 1] - work[k]
        place = k
        while place > 0 and work[place - 1] > gap:
            work[place] = work[place - 1]
            place -= 1
        work[place] = gap
    return max(n, 0)


@jit
def evaluate(s: OpenRow, spec: I8, now: int, values: I8, work: I8) -> None:
    """Writes every feature at `now` into `values`, int64 of shape (features,); doubles by their bits.

    Of what lies beyond `now` (a post-dated booking) only lifetime figures and balances know. Missing is NONE or NaN.
    `work` as for fold.
    """
    doubles = values.view(np.float64)
    life = s.life
    open_days(s)
    gaps = sorted_gaps(s, work)
    room = work[work.shape[0] // 2 :]
    total = _sum_up(s, now, room)
    flows = room[_FLOWS:]
    for f in range(spec.shape[0]):
        measure, window, part = spec[f, 0], spec[f, 1], spec[f, 2]
        if _COUNT <= measure <= _OUT:
            values[f] = life[COUNT + measure] if window == _LIFE else flows[3 * window + measure]
        elif measure == _NET:
            money_in = life[COUNT + _IN] if window == _LIFE else flows[3 * window + _IN]
            money_out = life[COUNT + _OUT] if window == _LIFE else flows[3 * window + _OUT]
            values[f] = add(money_in, -money_out)
        elif _CHANNEL <= measure <= _TYPE:
            column = part if measure == _CHANNEL else CHANNEL_COUNT + part
            doubles[f] = room[column] / total if total > 0 else np.nan
        elif _TREND_COUNT <= measure <= _TREND_OUT:
            doubles[f] = _trend(flows, measure - _TREND_COUNT)
        elif measure == _GAP_Q90:
            values[f] = work[(9 * gaps + 9) // 10 - 1] if gaps > 0 else NONE
        elif _GAP_MEAN <= measure <= _GAP_SD:
            doubles[f] = _gap_moments(work, gaps, measure) if gaps > 0 else np.nan
        elif measure == _RECENCY:
            doubles[f] = max(now - life[LAST_OWN], 0) / DAY_MS if life[LAST_OWN] else np.nan
        elif measure == _SILENCE:
            values[f] = max(now // DAY_MS - life[LAST_OWN] // DAY_MS, 0) if life[LAST_OWN] else NONE
        elif measure == _TENURE:
            doubles[f] = max(now - life[FIRST], 0) / DAY_MS if life[FIRST] else np.nan
        elif measure == _FREQUENCY:
            days = max((now - life[FIRST]) / DAY_MS, 30.0)
            doubles[f] = life[COUNT] / days * 30.0 if life[FIRST] else np.nan
        elif measure in (_BALANCE, _DEBT):
            sign, total = 1 if measure == _BALANCE else -1, 0
            for k in range(s.size[ACCOUNTS]):
                total = add(total, max(sign * s.accounts[k, ACCOUNT_BALANCE], 0))
            values[f] = total if s.size[ACCOUNTS] and not life[CHANNELS_SEEN] & ACCOUNTS_LOST else NONE
        elif measure == _ACCOUNTS:
            values[f] = NONE if life[CHANNELS_SEEN] & ACCOUNTS_LOST else s.size[ACCOUNTS]
        else:
            extremes = room[_EXTREMES + 4 * (window - _FIRST_OF_DAYS) :]
            if measure == _ACTIVE:
                values[f] = extremes[_ACTIVE_AT]
            elif measure == _LARGEST:
                values[f] = extremes[_LARGEST_AT]
            else:
                values[f] = extremes[_LOW_AT if measure == _LOW else _HIGH_AT]
