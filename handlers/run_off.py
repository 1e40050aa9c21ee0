"""Run-off while the account still lives: what came every month and has stopped, as figures over a row's days.

A month and some days (35) without any is a stop; what was there before is counted over the 55 days before those.
"""

import numpy as np

from handlers.batch import I8
from handlers.jit import jit
from handlers.row import CHANNEL_COUNT, DAY_MIX, DAYS, MIX_FIELDS, TILE, Scratch
from schemas.transaction import CHANNELS, TYPES
from schemas.units import DAY_MS

INCOME, PAYMENTS, DIGITAL = 0, 1, 2
"""Salary and pension; bills, premiums and instalments; online and mobile banking."""
GROUPS = 3

SINCE, LATELY, BEFORE = 0, 1, 2
"""Days since the last one (-1: none in 90 d), how many in the last 35 d, how many in the 55 d before."""
FIGURES = 3

LATELY_DAYS, KNOWN_DAYS = 35, 90

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


@jit
def run_off(s: Scratch, now: int, out: I8) -> None:
    """Writes the figures at `now` into `out`, (groups, figures), of a row with open days."""
    out[:] = 0
    out[:, SINCE] = -1
    for k in range(s.size[DAYS]):
        age = now // DAY_MS - s.day[k, TILE]
        if age < 0 or age >= KNOWN_DAYS:
            continue
        for group in range(GROUPS):
            count = 0
            for c in range(MIX_FIELDS):
                count += _MEMBERS[group, c] * s.day[k, DAY_MIX + c]
            if count > 0:
                out[group, SINCE] = age
            out[group, LATELY if age < LATELY_DAYS else BEFORE] += count
