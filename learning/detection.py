"""Time to detect: how many days after their last transaction those who leave are noticed, at a false-alarm rate.

Every few days each customer's silence is judged, by the model (will this gap reach G?) and by its length alone. The
threshold of each is set in the window before the split so that 10 % of those who stayed were alarmed at least once;
then the window after the split is swept with it.

Looked at are customers seen before a window who do something in it, from then on. One who falls silent for G days has
left, and the delay is from the last transaction to the first alarm after it; one who is never silent for G days has
stayed, and every alarm is false.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handlers.churn.inputs import NAMES
from handlers.churn.model import Scorer
from handlers.kernel.jit import F8
from learning.history import History
from learning.snapshots import snapshots
from schemas.units import DAY_MS

FALSE_ALARMS = 0.1
_CUSTOMERS_MAX = 5_000
_SWEEPS_MAX = 100
_GAP_DAYS_MIN = 7
_RECENCY = NAMES.index("recency_days")


@dataclass(frozen=True, slots=True)
class Delay:
    """How one method did in the window after the split."""

    median_days: float
    """From the last transaction to the alarm, over all leavers; infinite where most were not noticed."""
    noticed: float
    """Share of the leavers who were alarmed at all before the window ended."""
    false_alarms: float
    """Share of those who stayed who were alarmed all the same."""
    at_equal_alarms: float
    """Median days at the threshold that alarms exactly FALSE_ALARMS of those who stayed after the split: to compare
    methods at the same rate, with hindsight."""
    curve: tuple[tuple[float, float], ...]
    """False-alarm rate and median days at other thresholds."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The model beside recency."""

    gap_days: int
    leavers: int
    stayers: int
    model: Delay
    recency: Delay


@dataclass(frozen=True, slots=True)
class _Window:
    """What the sweeps saw."""

    leavers: F8
    """Scores by either method, (2, sweeps, leavers)."""
    stayers: F8
    """The highest score ever by either method, (2, stayers)."""
    since: F8
    """Day of the window of each leaver's last own transaction, (leavers,)."""
    days: F8
    """Day of the window of each sweep, (sweeps,)."""


def detect(
    history: History, scorer: Scorer, split: int, horizon_days: int, folded: Callable[[int], None]
) -> Detection | None:
    """None where the history gives no two windows, or one of them no leavers or nobody who stayed."""
    before = (split - int(history.clock[0])) // DAY_MS
    after = (int(history.clock[-1]) - split) // DAY_MS + 1
    days = int(min(horizon_days, before // 2, after))
    gap = days // 2
    if gap < _GAP_DAYS_MIN:
        return None
    earlier = _swept(history, scorer, split - days * DAY_MS, days, gap, folded)
    later = _swept(history, scorer, split, days, gap, folded)
    if earlier is None or later is None:
        return None
    delays = []
    for method in range(2):
        worst = earlier.stayers[method]
        rates = np.linspace(0.02, 0.4, 20)
        curve = [_delay(later, method, float(threshold)) for threshold in np.quantile(worst, 1 - rates)]
        median, noticed, alarms = _delay(later, method, float(np.quantile(worst, 1 - FALSE_ALARMS)))
        equal, _, _ = _delay(later, method, float(np.quantile(later.stayers[method], 1 - FALSE_ALARMS)))
        delays.append(Delay(median, noticed, alarms, equal, tuple((rate, at) for at, _, rate in curve)))
    return Detection(gap, len(later.since), later.stayers.shape[1], delays[0], delays[1])


def _swept(
    history: History, scorer: Scorer, start: int, days: int, gap: int, folded: Callable[[int], None]
) -> _Window | None:
    """None without leavers or without stayers."""
    customer, day = history.own().active_days()
    first = start // DAY_MS
    watched = np.intersect1d(customer[day < first], customer[(day >= first) & (day < first + days)])
    watched = watched[:: -(-len(watched) // _CUSTOMERS_MAX) or 1]
    step = -(-days // _SWEEPS_MAX)
    moments = [start + k * DAY_MS for k in range(step, days + 1, step)]
    # one more moment, so that every sweep holds the watched alone: the last of `snapshots` holds everybody
    known = history.until(moments[-1] + 1)
    taken = snapshots(known, [*moments, moments[-1] + 1], folded, lambda seen: watched)[:-1]
    silence = np.stack([snapshot.inputs[:, _RECENCY] for snapshot in taken])
    model = np.stack([scorer.silence(snapshot.inputs, snapshot.inputs[:, _RECENCY], float(gap)) for snapshot in taken])
    swept = np.arange(step, days + 1, step).astype(np.float64)
    begun = swept[:, None] >= silence
    scores = np.where(begun, np.stack([model, silence]), -np.inf)
    reached = begun & (silence >= gap)
    left, at = reached.any(axis=0), reached.argmax(axis=0)
    stayed = begun.any(axis=0) & ~left
    since = swept[at] - silence[at, np.arange(len(watched))]
    if not left.any() or not stayed.any():
        return None
    return _Window(scores[:, :, left], scores[:, :, stayed].max(axis=1), since[left], swept)


def _delay(window: _Window, method: int, threshold: float) -> tuple[float, float, float]:
    """Median days to the alarm, share noticed before the gap is full, false alarms."""
    alarmed = (window.leavers[method] > threshold) & (window.days[:, None] > window.since)
    delays = np.where(alarmed.any(axis=0), window.days[alarmed.argmax(axis=0)] - window.since, np.inf)
    alarms = float((window.stayers[method] > threshold).mean())
    return float(np.median(delays)), float(alarmed.any(axis=0).mean()), alarms
