"""When a customer is to be looked at for churn, and what the looking comes to: the kernels over the open row.

DUE is when a silence is looked at, RAISED_DUE the due time of the alert that stands, QUIET_UNTIL the end of the
cooldown.
"""

from handlers.aggregates.fold import NEWER_OWN, OWN_DAYS
from handlers.aggregates.spec import DAYS_ROOM, Spec
from handlers.churn.challenger import CHECK_AT, CHECK_INPUTS, CHECK_LOG_ODDS
from handlers.churn.run_off import marks_run_off, run_off_mark, runs_off, still_runs_off
from handlers.churn.schedule import SilenceSchedule, alarms, next_check, number, reaches, see
from handlers.churn.section import CHURN, DUE, QUIET_UNTIL, RAISED_DUE
from handlers.kernel.jit import F8, I8, jit
from handlers.state.day_list import own_days
from handlers.state.row import FIRST, LAST_OWN, NEWEST, OpenRow
from schemas.units import DAY_MS

GAPS_MIN = 5
QUANTILE_TENTHS = 9
SILENCE_DAYS_MIN = 7
CHECK_TENTHS = 9
CHECK_DAYS_MIN = 3
CHECKS_A_HORIZON = 3
"""With a churn model the first look comes when a silence is longer than nine in ten of own gaps (at least three days,
at most a third of the horizon, which is also for those whose gaps are too few)."""
COOLDOWN_DAYS = 30
VALID_DAYS = 30

_WEEK_MS = 7 * DAY_MS


@jit
def next_due(s: OpenRow, horizon: int, work: I8) -> int:
    """When the customer's silence is to be looked at (epoch ms), 0 for never. See rhythm.py.

    `horizon` is the churn model's, in days: the first look then; without one, 0, when the silence is unusual.
    """
    if s.sections[CHURN, RAISED_DUE] != 0 or s.life[LAST_OWN] == 0:
        return 0
    days, counts = work[:DAYS_ROOM], work[DAYS_ROOM : 2 * DAYS_ROOM]
    n = own_days(s, days) - 1
    tenths, least = (QUANTILE_TENTHS, SILENCE_DAYS_MIN) if horizon == 0 else (CHECK_TENTHS, CHECK_DAYS_MIN)
    quantile = horizon // CHECKS_A_HORIZON
    if n >= GAPS_MIN:
        counts[:] = 0
        for k in range(n):
            counts[days[k + 1] - days[k]] += 1
        rank = (tenths * n + 9) // 10
        own = 0
        while rank > 0:
            own += 1
            rank -= counts[own]
        quantile = own if horizon == 0 else min(own, quantile)
    elif horizon == 0:
        return 0
    last = days[n] if horizon == 0 else s.life[LAST_OWN] // DAY_MS
    due = (last + max(quantile, least) + 1) * DAY_MS
    return int(max(due, s.sections[CHURN, QUIET_UNTIL]))


@jit
def after_fold(s: OpenRow, churn: SilenceSchedule, changed: int, at: int, figures: I8, room: I8) -> bool:
    """Keeps DUE right after a transaction at `at` that has changed this of the row (bits of fold.py). Returns whether
    the alert that stood is over: the customer is back."""
    raised, horizon = s.sections[CHURN, RAISED_DUE], int(churn.weights.horizon)
    returned = changed & NEWER_OWN != 0 and raised != 0
    if returned:
        s.sections[CHURN, RAISED_DUE] = 0
    if returned or changed & OWN_DAYS != 0:
        s.sections[CHURN, DUE] = next_due(s, horizon, room)
    if returned and horizon != 0 and _holds(s, churn, raised, at, figures, room):
        s.sections[CHURN, RAISED_DUE] = raised
        s.sections[CHURN, DUE] = 0
        return False
    return returned


@jit
def raise_churn(s: OpenRow) -> None:
    """The due time has passed in silence: the alert stands, and no other is raised within the cooldown."""
    s.sections[CHURN, RAISED_DUE] = s.sections[CHURN, DUE]
    s.sections[CHURN, QUIET_UNTIL] = s.sections[CHURN, DUE] + COOLDOWN_DAYS * DAY_MS
    s.sections[CHURN, DUE] = 0


@jit
def keep(inputs: F8, out: F8) -> None:
    """Copies them; as a whole it would make an array."""
    for c in range(inputs.shape[0]):
        out[c] = inputs[c]


@jit
def alert_on_silence(s: OpenRow, churn: SilenceSchedule, due: int, lost: int, room: I8, note: F8) -> bool:
    """Whether the silence that is looked at is an alert, which is then dated DUE; if not, DUE becomes the next look.
    Where a model has been asked and that is noted, `note` has its time, number and inputs.
    Days that outages of the feed have taken of it, `lost` (ms), are left out."""
    if churn.weights.horizon > 0:
        now = due - lost
        if now - s.life[LAST_OWN] > (churn.weights.horizon + VALID_DAYS) * DAY_MS:  # of history that came late
            s.sections[CHURN, DUE] = 0
            return False
        if churn.noted:
            note[CHECK_AT] = due
            note[CHECK_LOG_ODDS] = number(s, churn, now, room)
            keep(churn.inputs, note[CHECK_INPUTS:])
        if alarms(s, churn, now, room):
            return True
        look = next_check(s, churn, now, room)
        s.sections[CHURN, DUE] = look if look == 0 else look + lost
        return False
    known = s.life[NEWEST] // DAY_MS == s.life[LAST_OWN] // DAY_MS  # the rhythm, still to the day
    if known or lost != 0:
        own = next_due(s, 0, room)
        if own == 0 and not known:
            return True
        if own == 0 or own + lost > due:  # the look was set by a model that has been taken away, or before an outage
            s.sections[CHURN, DUE] = own if own == 0 else own + lost
            return False
        s.sections[CHURN, DUE] = own + lost  # where what came late was looked at later
    return True


@jit
def _holds(s: OpenRow, churn: SilenceSchedule, raised: int, at: int, figures: I8, room: I8) -> bool:
    """Whether the alert raised at `raised` still stands although the customer has made a transaction at `at`."""
    if at >= raised + VALID_DAYS * DAY_MS:
        return False
    if marks_run_off(raised):
        return still_runs_off(s, s.life[NEWEST], figures)
    return reaches(s, churn, s.life[NEWEST], room, churn.hold_above)


@jit
def leaves_in_a_run(
    s: OpenRow, churn: SilenceSchedule, spec: Spec, before: int, values: I8, inputs: F8, figures: I8, room: I8
) -> bool:
    """Whether an active customer runs off and this is to be said: asked at the first own transaction of each of the
    customer's weeks. `before` is the own transaction before this one. Changes the row: the alert stands."""
    last, first = s.life[LAST_OWN], s.life[FIRST]
    if before == 0 or last == before or (last + first) // _WEEK_MS == (before + first) // _WEEK_MS:
        return False
    if s.sections[CHURN, RAISED_DUE] != 0 or last < s.sections[CHURN, QUIET_UNTIL]:
        return False
    if not runs_off(s, spec, s.life[NEWEST], figures, values, room):
        return False
    see(s, churn, s.life[NEWEST], room)
    keep(churn.inputs, inputs)
    s.sections[CHURN, RAISED_DUE] = run_off_mark(last)
    s.sections[CHURN, QUIET_UNTIL] = (last // DAY_MS + COOLDOWN_DAYS + 1) * DAY_MS
    s.sections[CHURN, DUE] = 0
    return True
