"""Which cut-offs inside a history, with which horizons, a model may learn from: every label lies before its end."""

from dataclasses import dataclass

from schemas.units import DAY_MS

CUTOFFS = 6
HORIZON_DAYS_MIN = 7
_HISTORY_DAYS_MIN = 60
_STEP_DAYS_MIN = 7
_PARTS = (2.0, 2.5, 3.0, 4.0, 6.0)
"""Where the horizon is carried: horizons as parts of the history."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Pairs of a cut-off (epoch ms) and a horizon in days, cut-off + horizon never after the history's end."""

    pairs: tuple[tuple[int, int], ...]
    carried: bool
    """Whether the horizons are shorter than the one that is asked for."""


def full_history_days(horizon_days: int) -> int:
    """How long a history must be to learn at the horizon alone."""
    return 3 * horizon_days + max(horizon_days, _HISTORY_DAYS_MIN)


def plan(start: int, until: int, horizon_days: int) -> Plan:
    """For a history from `start` to `until` (epoch ms).

    Where the history is at least four horizons long, up to six cut-offs a week or more apart, each with a horizon (at
    least 60 days) behind it; and the first that has as much behind it, for customers are young there. Else shorter
    horizons too: a half of the history, four tenths, a third, down to a sixth; and no pair at all where even that is
    less than a week.
    """
    days = (until - start) / DAY_MS
    behind = max(horizon_days, _HISTORY_DAYS_MIN)
    room = days - horizon_days - behind
    if room >= 2 * horizon_days:
        step = max(min(horizon_days / 2, room / (CUTOFFS - 1)), _STEP_DAYS_MIN)
        back = [horizon_days + int(k * step) for k in range(CUTOFFS) if k * step <= room]
        if horizon_days + int(room) - back[-1] >= step:
            back.append(horizon_days + int(room))
        return Plan(
            tuple((until - days_back * DAY_MS, horizon_days) for days_back in sorted(back, reverse=True)), False
        )
    pairs = []
    for part in _PARTS:
        horizon = int(min(days / part, horizon_days))
        if horizon >= HORIZON_DAYS_MIN:
            pairs += [(until - times * horizon * DAY_MS, horizon) for times in ((1, 2) if part >= 3 else (1,))]
    return Plan(tuple(sorted(set(pairs))), True)
