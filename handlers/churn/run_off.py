"""Run-off while the account still lives: what came every month and has stopped, as figures over a row's days.

A month and some days (35) without any is a stop; what was there before is counted over the 55 days before those. A
customer runs off when salary or pension has stopped, or bills and instalments have, and one more thing says so: the
other of the two, a balance halved in 30 days, or activity halved.
"""

import numpy as np

from handlers.aggregates.evaluate import evaluate
from handlers.aggregates.features import INDEX
from handlers.aggregates.spec import Spec
from handlers.kernel.jit import I8, NONE, jit
from handlers.state.day_codec import open_day
from handlers.state.row import CHANNEL_COUNT, DAY_MIX, DAYS, MIX_FIELDS, TILE, OpenRow
from schemas.transaction import CHANNELS, TYPES
from schemas.units import DAY_MS

INCOME, PAYMENTS, DIGITAL = 0, 1, 2
"""Salary and pension; bills, premiums and instalments; online and mobile banking."""
GROUPS = 3

SINCE, LATELY, BEFORE = 0, 1, 2
"""Days since the last one (-1: none in 90 d), how many in the last 35 d, how many in the 55 d before."""
FIGURES = 3

LATELY_DAYS, KNOWN_DAYS = 35, 90

STOPPED_MIN = (1, 2, 4)
"""By group: how often it must have come in the 55 days before, for its absence to mean something."""

_ACTIVITY_MIN = 8
"""Transactions in the 60 days before the last 30, for half as many to mean something."""
_BALANCE, _DEBT, _NET, _COUNT_30, _COUNT_90 = (
    INDEX[name] for name in ("balance", "debt", "net_30d", "count_30d", "count_90d")
)

_TYPES_OF = {INCOME: ("salary", "pension"), PAYMENTS: ("bill_payment", "insurance_premium", "loan_payment")}
_CHANNELS_OF = {DIGITAL: ("online", "mobile")}


def _members() -> I8:
    """Whether a group counts a column of the mix, (groups, mix fields)."""
    members = np.zeros((GROUPS, MIX_FIELDS), np.int64)
    for group, types in _TYPES_OF.items():
        members[group, [CHANNEL_COUNT + TYPES.index(name) for name in types]] = 1
    for group, channels in _CHANNELS_OF.items():
        members[group, [CHANNELS.index(name) for name in channels]] = 1
    return members


_MEMBERS = _members()
_INCOME, _PAYMENTS = (DAY_MIX + np.flatnonzero(_MEMBERS[group]) for group in (INCOME, PAYMENTS))


@jit
def run_off(s: OpenRow, now: int, out: I8) -> None:
    """Writes the figures at `now` into `out`, (groups, figures)."""
    out[:] = 0
    out[:, SINCE] = -1
    for k in range(s.size[DAYS]):
        age = now // DAY_MS - s.day[k, TILE]
        if age < 0 or age >= KNOWN_DAYS:
            continue
        open_day(s, k)
        for c in range(MIX_FIELDS):
            count = s.day[k, DAY_MIX + c]
            if count > 0:
                for group in range(GROUPS):
                    if _MEMBERS[group, c] != 0:
                        out[group, SINCE] = age
                        out[group, LATELY if age < LATELY_DAYS else BEFORE] += count


@jit
def stopped(figures: I8, group: int) -> bool:
    """Whether what came before has not come lately."""
    return bool(figures[group, LATELY] == 0 and figures[group, BEFORE] >= STOPPED_MIN[group])


@jit
def runs_off(s: OpenRow, spec: Spec, now: int, out: I8, values: I8, room: I8) -> bool:
    """Whether the customer runs off at `now`, by figures that are written as `run_off` does.

    `spec`, `values` and `room` are of all the features, as for evaluate; only where something has stopped are
    they evaluated.
    """
    if _both_came(s, now // DAY_MS):
        return False
    run_off(s, now, out)
    facts = int(stopped(out, INCOME)) + int(stopped(out, PAYMENTS))
    if facts == 0:
        return False
    evaluate(s, spec, now, values, room)
    balance, net = values[_BALANCE], values[_NET]
    if balance == 0:  # no money is left: how far accounts are overdrawn counts; a mortgage beside money does not
        balance -= values[_DEBT]
    if balance != NONE and balance - net > 0 and 2 * balance <= balance - net:
        facts += 1
    before = values[_COUNT_90] - values[_COUNT_30]
    if before >= _ACTIVITY_MIN and 4 * values[_COUNT_30] <= before:
        facts += 1
    return facts > 1


@jit
def _both_came(s: OpenRow, today: int) -> bool:
    """Whether nothing has stopped: that is so of most, and found in the newest days."""
    days = s.day
    income = payments = False
    for k in range(s.size[DAYS] - 1, -1, -1):
        if today - days[k, TILE] >= LATELY_DAYS:
            return False
        open_day(s, k)
        for c in _INCOME:
            income |= days[k, c] > 0
        for c in _PAYMENTS:
            payments |= days[k, c] > 0
        if income and payments:
            return True
    return False


@jit
def still_runs_off(s: OpenRow, now: int, out: I8) -> bool:
    """Whether salary or pension, or bills and instalments, still stay away at `now`. That is less than `runs_off` asks,
    so that one thing that comes and goes doesn't end it."""
    run_off(s, now, out)
    return bool(
        (out[INCOME, LATELY] == 0 and out[INCOME, SINCE] >= 0)
        or (out[PAYMENTS, LATELY] == 0 and out[PAYMENTS, SINCE] >= 0)
    )


@jit
def marks_run_off(raised: int) -> bool:
    """Whether a churn alert's due time in a row is one of run-off: silence is noticed at midnight, run-off never."""
    return raised % DAY_MS != 0


@jit
def run_off_mark(at: int) -> int:
    """What stands in the row for a run-off alert that an event at `at` has raised."""
    return at if at % DAY_MS != 0 else at + 1
