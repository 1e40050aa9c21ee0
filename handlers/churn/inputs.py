"""What the churn model sees of a customer: declared features, and figures about rhythm that only the open row gives.

A training row is what `fill` writes over a row at a cut-off, a live row what it writes at a decision: the same kernel.
"""

from collections.abc import Sequence

import numpy as np

from handlers.aggregates import columns
from handlers.aggregates.columns import Operator
from handlers.aggregates.evaluate import evaluate, sorted_gaps
from handlers.aggregates.features import DAYS_7, FEATURES, Feature, Unit
from handlers.aggregates.spec import Spec, new_work, spec_of
from handlers.kernel.jit import F8, I8, NONE, U8, Mask, jit
from handlers.state.codec import PADDING, LayoutError, decode
from handlers.state.day_list import own_days
from handlers.state.row import (
    COUNT,
    DAY_OWN,
    DAYS,
    FIRST,
    LAST_OWN,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    new_open_row,
)
from handlers.state.section_codec import BROKEN
from schemas.transaction import NO_FLOW_TYPES
from schemas.units import DAY_MS

RHYTHM: tuple[tuple[str, Unit, str], ...] = (
    ("repeat_days", Unit.COUNT, "Active days ever after the first (before the tiles: estimated from the count)"),
    ("first_to_last_days", Unit.DAYS, "Days from the first to the last active day"),
    ("age_days", Unit.DAYS, "Days since the first transaction"),
    ("active_days_180d", Unit.COUNT, "Active days in the 180 d that end with the last active day"),
    ("last_gap_days", Unit.DAYS, "Gap before the last active day"),
    ("recent_gap_ratio", Unit.RATIO, "Mean of the last three gaps over the mean gap"),
    ("silence_gap_ratio", Unit.RATIO, "Present silence over the mean gap"),
    ("shorter_gaps_share", Unit.SHARE, "Share of own gaps that are shorter than the present silence"),
    ("turnover_per_day", Unit.MINOR, "Money moved on an active day, in the mean of 180 d"),
    ("last_turnover_ratio", Unit.RATIO, "Money moved on the last active day over that mean"),
    ("silence_of_tenure", Unit.SHARE, "Present silence as a share of the time since the first transaction"),
)
"""Name, unit and meaning of each rhythm figure, in the order in which the kernel writes them; NaN where missing."""

REPEATS, FIRST_TO_LAST, AGE = 0, 1, 2
"""Places of what BG/NBD calls x, t_x and T."""

_RHYTHMS = len(RHYTHM)


def _wanted(feature: Feature) -> bool:
    """Hours tell nothing about leaving; recency, tenure and silence are told by the rhythm figures to the day. Types of
    what comes back are not the customer's doing, and no bank's history of before has them."""
    column = feature.column
    if column.kind == "type" and column.member in NO_FLOW_TYPES:
        return False
    if feature.operator is Operator.DAYS_SINCE or column in (columns.FIRST, columns.DEBT):
        return False
    return not 0 < feature.window_hours < DAYS_7


DECLARED: tuple[Feature, ...] = tuple(feature for feature in FEATURES if _wanted(feature))
"""The declared features that the model may use."""

NAMES: tuple[str, ...] = (*(feature.name for feature in DECLARED), *(name for name, _, _ in RHYTHM))
"""Every input by its place in the inputs matrix."""

UNITS: tuple[Unit, ...] = (*(feature.unit for feature in DECLARED), *(unit for _, unit, _ in RHYTHM))

_RECENCY = NAMES.index("recency_days")

DECLARED_SPEC = spec_of(DECLARED)
DECLARED_EXACT = np.array([feature.exact for feature in DECLARED], np.int64)


@jit
def rhythm(s: OpenRow, now: int, out: F8, work: I8) -> None:
    """Writes the figures of RHYTHM at `now` into `out`, (rhythms,), of a row with open days. `work` as for fold."""
    life = s.life
    out[:] = np.nan
    first, last = life[FIRST], life[LAST_OWN]
    if last == 0:
        return
    n = own_days(s, work)
    own = tiles = turnover = 0.0
    last_turnover = 0.0
    for k in range(s.size[DAYS]):
        tiles += max(s.day[k, TILE_COUNT], 0)
        if s.day[k, DAY_OWN] > 0:
            own += 1.0
            last_turnover = float(s.day[k, TILE_IN] + s.day[k, TILE_OUT])
            turnover += last_turnover
    older = max(life[COUNT] - tiles, 0.0)
    days = own + older * (own / tiles if tiles > 0.0 else 1.0)
    span = float(last // DAY_MS - first // DAY_MS)
    silence = float(now // DAY_MS - last // DAY_MS)
    out[0] = min(max(days - 1.0, 0.0), max(span, 0.0))
    out[1] = max(span, 0.0)
    out[2] = max(now / DAY_MS - first // DAY_MS - 0.5, 0.0)
    out[3] = n
    out[10] = silence / max(out[2], 1.0)
    if own > 0.0:
        out[8] = turnover / own
        out[9] = last_turnover * own / turnover if turnover > 0.0 else np.nan
    if n < 2:
        return
    out[4] = work[n - 1] - work[n - 2]
    recent = min(n - 1, 3)
    recent_mean = (work[n - 1] - work[n - 1 - recent]) / recent
    gaps = sorted_gaps(s, work)
    mean = 0.0
    shorter = 0
    for k in range(gaps):
        mean += work[k]
        shorter += 1 if work[k] < silence else 0
    mean /= gaps
    out[5] = recent_mean / mean
    out[6] = silence / mean
    out[7] = shorter / gaps


@jit
def fill(s: OpenRow, spec: Spec, exact: I8, now: int, values: I8, out: F8, work: I8) -> None:
    """Writes every input of the open row at `now` into `out`, (inputs,). `values` is room for the declared ones."""
    declared = spec.lines.shape[0]
    evaluate(s, spec, now, values, work)
    doubles = values.view(np.float64)
    for f in range(declared):
        if exact[f] != 0:
            out[f] = np.nan if values[f] == NONE else float(values[f])
        else:
            out[f] = doubles[f]
    rhythm(s, now, out[declared:], work)


@jit
def _fill_rows(s: OpenRow, raw: U8, ends: I8, spec: Spec, exact: I8, now: int, values: I8, out: F8, work: I8) -> bool:
    start = 0
    for k in range(ends.shape[0]):
        if decode(s, raw, start, ends[k], 0) == BROKEN:
            return False
        fill(s, spec, exact, now, values, out[k], work)
        start = ends[k]
    return True


def inputs_at(rows: Sequence[bytes], now: int) -> F8:
    """The inputs of compact rows in the present layout (upgrade.current) at `now` (epoch ms, not before what they have
    seen), (rows, inputs). Raises LayoutError."""
    out = np.empty((len(rows), len(NAMES)))
    s = new_open_row()
    raw = np.frombuffer(b"".join([*rows, bytes(PADDING)]), np.uint8)
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64) if rows else np.zeros(0, np.int64)
    values = np.empty(len(DECLARED), np.int64)
    if not _fill_rows(s, raw, ends, DECLARED_SPEC, DECLARED_EXACT, now, values, out, new_work()):
        raise LayoutError("a row is cut short, or a length in it is broken")
    return out


def asked_about(inputs: F8, horizon_days: float) -> Mask:
    """Which of these customers, (n, inputs), a worker asks about in life: those silent for no longer than the horizon.
    Who is silent for longer has had an alert, or none will come. (n,)."""
    asked: Mask = inputs[:, _RECENCY] <= horizon_days
    return asked


def inputs_of(s: OpenRow, now: int) -> F8:
    """The inputs of one open row at `now`, (inputs,)."""
    out = np.empty(len(NAMES))
    fill(s, DECLARED_SPEC, DECLARED_EXACT, now, np.empty(len(DECLARED), np.int64), out, new_work())
    return out
