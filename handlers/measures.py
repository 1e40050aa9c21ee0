"""Computes the declared features of a row at a moment."""

import numpy as np

from handlers.batch import ACCOUNT_WORDS, I8, NONE
from handlers.days import open_days, own_days
from handlers.dealings import Dealings, dealings_of
from handlers.features import FEATURES, Measure
from handlers.jit import jit
from handlers.layout import decode
from handlers.rhythm import QUANTILE_TENTHS
from handlers.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    CHANNEL_COUNT,
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
    LAST_OWN,
    MIX_FIELDS,
    RAISED_DUE,
    TILE,
    TILE_COUNT,
    Scratch,
    add,
    new_scratch,
)
from handlers.snapshot import Snapshot
from handlers.upgrade import current
from schemas.units import DAY_MS, HOUR_MS

_COUNT, _IN, _OUT, _NET = int(Measure.COUNT), int(Measure.IN), int(Measure.OUT), int(Measure.NET)
_LARGEST, _ACTIVE = int(Measure.LARGEST_CREDIT), int(Measure.ACTIVE_DAYS)
_CHANNEL, _TYPE = int(Measure.CHANNEL_SHARE), int(Measure.TYPE_SHARE)
_LOW, _HIGH = int(Measure.BALANCE_LOW), int(Measure.BALANCE_HIGH)
_TREND_COUNT, _TREND_OUT = int(Measure.TREND_COUNT), int(Measure.TREND_OUT)
_GAP_MEAN, _GAP_SD, _GAP_Q90 = int(Measure.GAP_MEAN), int(Measure.GAP_SD), int(Measure.GAP_Q90)
_RECENCY, _TENURE, _FREQUENCY = int(Measure.RECENCY), int(Measure.TENURE), int(Measure.FREQUENCY)
_SILENCE, _BALANCE, _ACCOUNTS = int(Measure.SILENCE), int(Measure.BALANCE), int(Measure.ACCOUNTS)

SPEC = np.array([[f.measure, f.window_hours, f.part] for f in FEATURES], np.int64)
"""Measure, window in hours (0 is life) and part of each feature, as the kernel reads it."""


@jit
def _sum(tiles: I8, n: int, column: int, first: int, last: int) -> int:
    """Of a column over the tiles first..last."""
    total = 0
    for k in range(n - 1, -1, -1):
        tile = tiles[k, TILE]
        if tile < first:
            break
        if tile <= last:
            total = add(total, tiles[k, column])
    return total


@jit
def _flow(s: Scratch, measure: int, hours: int, now: int) -> int:
    """COUNT, IN or OUT over a window."""
    if hours == 0:
        return int(s.life[COUNT + measure])
    column = TILE_COUNT + measure
    if hours == 1:
        last = now // FIVE_MS
        return _sum(s.five, s.size[FIVES], column, last - 11, last)
    if hours <= 168:
        last = now // HOUR_MS
        return _sum(s.hour, s.size[HOURS], column, last - hours + 1, last)
    last = now // DAY_MS
    return _sum(s.day, s.size[DAYS], column, last - hours // 24 + 1, last)


@jit
def _over_days(s: Scratch, measure: int, hours: int, now: int) -> int:
    """Extremes and active days over daily tiles; NONE for an extreme that isn't there."""
    last = now // DAY_MS
    first = last - hours // 24 + 1
    result = 0 if measure == _ACTIVE else NONE
    for k in range(s.size[DAYS]):
        day = s.day[k]
        if day[TILE] < first or day[TILE] > last:
            continue
        if measure == _ACTIVE:
            result += 1 if day[DAY_OWN] > 0 else 0
        elif measure == _LARGEST:
            if day[DAY_LARGEST] > 0:
                result = max(result, day[DAY_LARGEST])
        elif day[DAY_HAS_BALANCE] != 0:
            if measure == _LOW:
                result = day[DAY_LOW] if result == NONE else min(result, day[DAY_LOW])
            else:
                result = max(result, day[DAY_HIGH])
    return result


@jit
def _mix(s: Scratch, now: int, mix: I8) -> int:
    """Writes the counts of 90 d by channel and type into `mix`, (mix fields,); returns how many transactions."""
    mix[:MIX_FIELDS] = 0
    total = 0
    for k in range(s.size[DAYS] - 1, -1, -1):
        day = s.day[k]
        age = now // DAY_MS - day[TILE]
        if age >= 90:
            break
        if age >= 0:
            total += day[TILE_COUNT]
            for c in range(MIX_FIELDS):
                mix[c] += day[DAY_MIX + c]
    return int(total)


@jit
def _trend(s: Scratch, column: int, now: int) -> float:
    last = now // DAY_MS
    before = _sum(s.day, s.size[DAYS], column, last - 89, last - 30)
    if before <= 0:
        return np.nan
    return (_sum(s.day, s.size[DAYS], column, last - 29, last) / 30.0) / (before / 60.0)


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
def sorted_gaps(s: Scratch, work: I8) -> int:
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
def evaluate(s: Scratch, spec: I8, now: int, values: I8, work: I8) -> None:
    """Writes every feature at `now` into `values`, int64 of shape (features,); doubles by their bits.

    `now` is not before the newest moment of the row. Missing is NONE or NaN. `work` as for fold.
    """
    doubles = values.view(np.float64)
    life = s.life
    open_days(s)
    gaps = sorted_gaps(s, work)
    mix = work[work.shape[0] // 2 :]
    total = _mix(s, now, mix)
    for f in range(spec.shape[0]):
        measure, hours, part = spec[f, 0], spec[f, 1], spec[f, 2]
        if _COUNT <= measure <= _OUT:
            values[f] = _flow(s, measure, hours, now)
        elif measure == _NET:
            values[f] = add(_flow(s, _IN, hours, now), -_flow(s, _OUT, hours, now))
        elif _CHANNEL <= measure <= _TYPE:
            column = part if measure == _CHANNEL else CHANNEL_COUNT + part
            doubles[f] = mix[column] / total if total > 0 else np.nan
        elif _TREND_COUNT <= measure <= _TREND_OUT:
            doubles[f] = _trend(s, TILE_COUNT + measure - _TREND_COUNT, now)
        elif measure == _GAP_Q90:
            values[f] = work[(9 * gaps + 9) // 10 - 1] if gaps > 0 else NONE
        elif _GAP_MEAN <= measure <= _GAP_SD:
            doubles[f] = _gap_moments(work, gaps, measure) if gaps > 0 else np.nan
        elif measure == _RECENCY:
            doubles[f] = (now - life[LAST_OWN]) / DAY_MS if life[LAST_OWN] else np.nan
        elif measure == _SILENCE:
            values[f] = now // DAY_MS - life[LAST_OWN] // DAY_MS if life[LAST_OWN] else NONE
        elif measure == _TENURE:
            doubles[f] = (now - life[FIRST]) / DAY_MS if life[FIRST] else np.nan
        elif measure == _FREQUENCY:
            days = max((now - life[FIRST]) / DAY_MS, 30.0)
            doubles[f] = life[COUNT] / days * 30.0 if life[FIRST] else np.nan
        elif measure == _BALANCE:
            total = 0
            for k in range(s.size[ACCOUNTS]):
                total = add(total, s.accounts[k, ACCOUNT_BALANCE])
            values[f] = total if s.size[ACCOUNTS] else NONE
        elif measure == _ACCOUNTS:
            values[f] = s.size[ACCOUNTS]
        else:
            values[f] = _over_days(s, measure, hours, now)


@jit
def share_of_shorter_gaps(s: Scratch, silence: int, work: I8) -> float:
    """How many of the customer's own gaps are shorter than `silence` days, as a share; the due time's own share, 0.9,
    where they are no longer known."""
    n = sorted_gaps(s, work)
    shorter = 0
    while shorter < n and work[shorter] < silence:
        shorter += 1
    return shorter / n if n > 0 else QUANTILE_TENTHS / 10


def _opened(row: bytes) -> Scratch:
    return _split(row)[0]


def _split(row: bytes) -> tuple[Scratch, bytes]:
    row, s = current(row), new_scratch()
    end = decode(s, np.frombuffer(row, np.uint8), 0)
    return s, row[end:]


def profile(row: bytes, now: int) -> dict[str, int | float | None]:
    """Every feature of a compact row at `now` (epoch ms) by name; None where missing. Raises LayoutError."""
    s = _opened(row)
    values = np.empty(len(FEATURES), np.int64)
    evaluate(s, SPEC, now, values, np.empty(2 * s.day.shape[0], np.int64))
    return Snapshot(values).by_name()


def accounts(row: bytes) -> list[tuple[str, int, int]]:
    """Account id, latest balance in minor units of the base currency, and since when (epoch ms), by account id."""
    s = _opened(row)
    found = []
    for account in s.accounts[: s.size[ACCOUNTS]]:
        name = account[:ACCOUNT_WORDS].tobytes().rstrip(b"\0").decode("ascii")
        found.append((name, int(account[ACCOUNT_BALANCE]), int(account[ACCOUNT_AT])))
    return sorted(found)


def known_dealings(row: bytes) -> Dealings:
    """What has passed between the bank and the customer."""
    return dealings_of(_split(row)[1])


def churn_raised_at(row: bytes) -> int | None:
    """The due time (epoch ms) of the churn alert that stands for the customer, None if none does."""
    return int(_opened(row).life[RAISED_DUE]) or None
