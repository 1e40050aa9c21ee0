"""When a customer's churn number is looked at, and when it will reach the band if nothing comes.

An active day sets a first look (fold.next_due), which asks nothing of the model. There the number is made; where it is
below the band, the next look is the day on which it will have reached it, sought on the same row with nothing arriving;
so the alert comes on that very day. What the bank books by itself doesn't move a look.
"""

from typing import NamedTuple

import numpy as np

from handlers.aggregates.spec import Spec
from handlers.churn.design_matrix import COLUMNS, logit
from handlers.churn.forest import no_forest
from handlers.churn.inputs import DECLARED, DECLARED_EXACT, DECLARED_SPEC, NAMES, fill
from handlers.churn.scoring import LinearMember, Weights, judged, log_odds, new_columns, reach
from handlers.kernel.jit import F8, I8, jit
from handlers.state.row import FIRST, LAST_OWN, OpenRow
from schemas.policy import Policy
from schemas.units import DAY_MS


class SilenceSchedule(NamedTuple):
    """A model and the bank's bands as the kernel reads them, with room to work in. Without a model the horizon is 0."""

    weights: Weights
    raise_at: float
    """Log odds from which a silent customer is at risk."""
    hold_above: float
    """Log odds under which an alert is taken back from a customer who has come back."""
    spec: Spec
    exact: I8
    values: I8
    inputs: F8
    """What the number was last made of, (inputs,)."""
    columns: F8
    noted: bool
    """Whether looks are written down, for a challenger."""


def schedule_of(weights: Weights | None, policy: Policy, *, noted: bool = False) -> SilenceSchedule:
    """What the kernel needs to watch by this model and policy; by own rhythm where there is none."""
    return SilenceSchedule(
        weights or _no_weights(),
        logit(policy.churn_raise_at),
        logit(policy.churn_hold_above),
        DECLARED_SPEC,
        DECLARED_EXACT,
        np.zeros(len(DECLARED), np.int64),
        np.zeros(len(NAMES)),
        new_columns(),
        noted,
    )


@jit
def see(s: OpenRow, watch: SilenceSchedule, now: int, room: I8) -> None:
    """Writes what the number is made of at `now`, which is not before the row's newest moment. `room` as for fold."""
    fill(s, watch.spec, watch.exact, now, watch.values, watch.inputs, room)


@jit
def number(s: OpenRow, watch: SilenceSchedule, now: int, room: I8) -> float:
    """Log odds of leaving at `now`."""
    see(s, watch, now, room)
    return log_odds(watch.inputs, watch.weights, watch.columns)


@jit
def reaches(s: OpenRow, watch: SilenceSchedule, now: int, room: I8, level: float) -> bool:
    """Whether `number` is at or above that level."""
    see(s, watch, now, room)
    return reach(watch.inputs, watch.weights, watch.columns, level)


@jit
def alarms(s: OpenRow, watch: SilenceSchedule, now: int, room: I8) -> bool:
    """Whether the silence of a customer who is judged has reached the band at `now`."""
    return reaches(s, watch, now, room, watch.raise_at) and judged(watch.inputs, watch.weights)


@jit
def checked_from(s: OpenRow, watch: SilenceSchedule) -> int:
    """From when on (epoch ms) a silence of the customer is judged: at the age of the youngest that the model has seen.
    Of anyone younger it says too much; at a bank that has just been connected, that would be everybody."""
    return int((s.life[FIRST] // DAY_MS + int(np.ceil(watch.weights.youngest + 0.5))) * DAY_MS)


@jit
def next_check(s: OpenRow, watch: SilenceSchedule, now: int, room: I8) -> int:
    """When to look again at a number that is below the band at `now`; 0 for never: after a silence of a horizon, or
    where nobody is judged. What the number was made of is in `watch`.

    That is when the silence will be half as long again; or, where the number will have reached the band by then if
    nothing comes, a day on which it is there and the day before it isn't, found by halving: the first such day where
    the number rises with silence. Most customers are back before the next look, so looking no further is cheap.
    """
    silence = now // DAY_MS - s.life[LAST_OWN] // DAY_MS
    if silence >= watch.weights.horizon or not judged(watch.inputs, watch.weights):
        return 0
    below, above = 0, max(silence // 2, 1)
    if reaches(s, watch, now + above * DAY_MS, room, watch.raise_at):
        while above - below > 1:
            middle = (below + above) // 2
            if reaches(s, watch, now + middle * DAY_MS, room, watch.raise_at):
                above = middle
            else:
                below = middle
    return int(now + above * DAY_MS)


def _no_weights() -> Weights:
    none, one = np.zeros(len(COLUMNS)), np.ones(len(COLUMNS))
    line = LinearMember(0.0, 0.0, none, one, none)
    return Weights(0.0, 0.0, 0.0, np.zeros((2, 4)), np.zeros(4), line, line, no_forest(), 0.0, 1.0, 0.0, 0.0)
