"""The columns that the churn model's members are linear or branch over: inputs in units of the horizon, on log scales.

Silence, age and gaps are measured against the horizon, so that what was learned at one horizon holds at another.
"""

import numpy as np

from handlers.aggregates.features import Unit
from handlers.churn.inputs import AGE, DECLARED, FIRST_TO_LAST, NAMES, REPEATS
from handlers.churn.purchase_models import PurchaseModel, p_silent
from handlers.kernel.jit import F8, I8, jit

RATES: tuple[tuple[str, str], ...] = (
    ("log_repeats", "repeat_days"),
    ("came_once", "repeat_days"),
    ("log_silence", "recency_days"),
    ("log_age", "age_days"),
    ("silence_of_age", "recency_days"),
    ("log_expected", "repeat_days"),
    ("log_turnover", "turnover_per_day"),
    ("last_turnover", "last_turnover_ratio"),
    ("recent_gaps", "recent_gap_ratio"),
    ("silence_to_gaps", "silence_gap_ratio"),
    ("shorter_gaps", "shorter_gaps_share"),
    ("gap_spread", "gap_sd_days"),
    ("log_money_ever", "out_life"),
    ("log_count_ever", "count_life"),
    ("count_per_day", "count_life"),
    ("log_last_gap", "last_gap_days"),
)
"""Name, and the input that the column is told about in reasons."""

CURVES: tuple[tuple[str, str], ...] = (
    ("silence_once", "recency_days"),
    ("silence_squared", "recency_days"),
    ("silence_of_age_squared", "recency_days"),
    ("silence_by_repeats", "recency_days"),
    ("repeats_squared", "repeat_days"),
    ("turnover_once", "turnover_per_day"),
    ("silence_beyond_third", "recency_days"),
    ("silence_beyond_near_all", "recency_days"),
)
"""Bends of the columns above, for the linear members; trees find their own."""

LOGITS: tuple[tuple[str, str], ...] = (("logit_bg_nbd", "purchase_model"), ("logit_mbg_nbd", "purchase_model"))

COLUMNS: tuple[tuple[str, str], ...] = (*RATES, *CURVES, *LOGITS, *((f.name, f.name) for f in DECLARED))
COLUMN_NAMES: tuple[str, ...] = tuple(name for name, _ in COLUMNS)

N_RATES, N_CURVES = len(RATES), len(CURVES)
BG, MBG = N_RATES + N_CURVES, N_RATES + N_CURVES + 1
FIRST_DECLARED = MBG + 1

_DECLARED = len(DECLARED)
_LOG_UNITS = (Unit.COUNT, Unit.MINOR, Unit.DAYS, Unit.WHOLE_DAYS, Unit.PER_30_DAYS)
_SCALE = np.array([1 if f.unit in _LOG_UNITS else 2 if f.unit == Unit.RATIO else 0 for f in DECLARED], np.int64)
_GAP_MEAN, _GAP_SD = NAMES.index("gap_mean_days"), NAMES.index("gap_sd_days")
_IN, _OUT, _COUNT = NAMES.index("in_life"), NAMES.index("out_life"), NAMES.index("count_life")
_REPEATS, _LAST, _AGE = _DECLARED + REPEATS, _DECLARED + FIRST_TO_LAST, _DECLARED + AGE
_LAST_GAP, _RECENT, _SILENCE_GAP, _SHORTER, _TURNOVER, _LAST_TURNOVER = (
    NAMES.index(name)
    for name in (
        "last_gap_days",
        "recent_gap_ratio",
        "silence_gap_ratio",
        "shorter_gaps_share",
        "turnover_per_day",
        "last_turnover_ratio",
    )
)
_RATIO_FLOOR = 0.1
LOGIT_MAX = 12.0


@jit
def logit(p: float) -> float:
    """Log odds, held within LOGIT_MAX."""
    if p <= 0.0:
        return -LOGIT_MAX
    if p >= 1.0:
        return LOGIT_MAX
    return float(min(max(np.log(p) - np.log1p(-p), -LOGIT_MAX), LOGIT_MAX))


@jit
def design_row(inputs: F8, horizon: float, purchase: F8, scale: I8, out: F8) -> None:
    """Writes the columns of one customer's inputs into `out`, (columns,). `purchase` is (2, 4): r, alpha, a, b."""
    x = inputs[_REPEATS] if inputs[_REPEATS] == inputs[_REPEATS] else 0.0
    t_x = inputs[_LAST] if inputs[_LAST] == inputs[_LAST] else 0.0
    age = inputs[_AGE] if inputs[_AGE] == inputs[_AGE] else 0.0
    silence = max(age - t_x, 0.0)
    once = 1.0 if x < 0.5 else 0.0
    out[0] = np.log1p(x)
    out[1] = once
    out[2] = np.log1p(silence / horizon)
    out[3] = np.log1p(age / horizon)
    out[4] = silence / max(age, 1.0)
    out[5] = np.log1p((x + 0.5) / max(age, 7.0) * horizon)
    out[6] = np.log1p(inputs[_TURNOVER])
    out[7] = np.log(inputs[_LAST_TURNOVER] + _RATIO_FLOOR)
    out[8] = np.log(inputs[_RECENT] + _RATIO_FLOOR)
    out[9] = np.log(inputs[_SILENCE_GAP] + _RATIO_FLOOR)
    out[10] = inputs[_SHORTER]
    out[11] = np.log(inputs[_GAP_SD] / inputs[_GAP_MEAN] + _RATIO_FLOOR)
    count = max(inputs[_COUNT], 0.0)
    out[12] = np.log1p(max(inputs[_IN] + inputs[_OUT], 0.0))
    out[13] = np.log1p(count)
    out[14] = np.log(max(count, 1.0) / (x + 1.0))
    out[15] = np.log1p(inputs[_LAST_GAP] / horizon)
    at = N_RATES
    out[at] = out[2] * once
    out[at + 1] = out[2] * out[2]
    out[at + 2] = out[4] * out[4]
    out[at + 3] = out[2] * out[0]
    out[at + 4] = out[0] * out[0]
    out[at + 5] = once * out[6]
    out[at + 6] = max(out[2] - 0.3, 0.0)
    out[at + 7] = max(out[2] - 0.6, 0.0)
    for m in range(2):
        p = purchase[m]
        out[BG + m] = logit(p_silent(p[0], p[1], p[2], p[3], m == 1, x, t_x, age, horizon))
    for f in range(_DECLARED):
        value = inputs[f]
        if scale[f] == 1:
            value = np.log1p(value) if value >= 0.0 else -np.log1p(-value)
        elif scale[f] == 2:
            value = np.log(value + _RATIO_FLOOR)
        out[FIRST_DECLARED + f] = value


@jit
def _design(inputs: F8, horizon: F8, purchase: F8, scale: I8, out: F8) -> None:
    for k in range(inputs.shape[0]):
        design_row(inputs[k], horizon[k], purchase, scale, out[k])


def design(inputs: F8, horizon_days: float | F8, bg: PurchaseModel, mbg: PurchaseModel) -> F8:
    """The columns of n customers' inputs (n, inputs) at one horizon or one for each; (n, columns), NaN is missing."""
    out = np.empty((len(inputs), len(COLUMNS)))
    horizons = np.broadcast_to(np.asarray(horizon_days, np.float64), (len(inputs),)).copy()
    _design(np.ascontiguousarray(inputs), horizons, parameters(bg, mbg), _SCALE, out)
    return out


def parameters(bg: PurchaseModel, mbg: PurchaseModel) -> F8:
    """As the kernels read them."""
    return np.array([[model.r, model.alpha, model.a, model.b] for model in (bg, mbg)])


SCALE = _SCALE
