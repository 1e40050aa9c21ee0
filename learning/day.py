"""What happens on one day at the simulated bank, before it is booked: pure but for the chance that is passed in."""

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from learning.chance import B1, F8, I8, Chance, log_normal
from learning.habits import (
    AT_COUNTER,
    HOURS,
    KIND_INDEX,
    MEDIAN,
    MIXES,
    SIGN,
    STEP,
    WEEKS,
)
from learning.people import PRODUCTS, People
from schemas.units import DAY_MS, HOUR_MS

Events = NDArray[np.void]
"""A structured array of EVENT."""

EVENT = np.dtype(
    [
        ("account", np.int64),  # main accounts are 0 to n-1, the same customers' savings n to 2n-1
        ("at", np.int64),  # epoch ms
        ("arrives", np.int64),  # when it is published, epoch ms: not before `at`
        ("amount", np.int64),  # cents
        ("kind", np.int64),  # place in KINDS
        ("payee", np.int64),  # 0 to PAYEES - 1
        ("number", np.int64),  # place in the order of booking
        ("balance", np.int64),  # cents, after it
        ("original", np.int64),  # number of the event that it takes back, or -1
        ("original_at", np.int64),
    ]
)
PAYEES = 360

_SLOTS = 4
"""Times a day at which somebody may do something: a day's chosen transactions are binomial."""
_LIKE_AMOUNT = log_normal(0.7)
_FEE = 490
_INTEREST_PER_MILLE = 2
"""A month's, on savings."""
_NIGHT, _MORNING, _EVENING = (2 * HOUR_MS, 3 * HOUR_MS), (6 * HOUR_MS, 3 * HOUR_MS), (23 * HOUR_MS, HOUR_MS)
"""Start and length of the bank's own runs: payments go out before incomes arrive, fees close the day."""


def plan(people: People, day: int, today: date, balance: I8, chance: Chance) -> Events:
    """Everything that starts on the day numbered `day`, in no order. `balance` is of the evening before, (2, n)."""
    vigour = people.vigour(day)
    return np.concatenate(
        [
            _chosen(people, day, today, balance, vigour, chance),
            *_incomes(people, day, today, vigour, chance),
            *_standing(people, day, today, vigour, chance),
            *_turning_points(people, day, today, balance, chance),
            *_bank_made(people, today, balance, chance),
        ]
    )


def _chosen(people: People, day: int, today: date, balance: I8, vigour: F8, chance: Chance) -> Events:
    """What people do when they please: less when they are poor or away, more before they ask for a loan."""
    rate = people.activity * vigour * WEEKS[people.week, today.weekday()]
    rate = np.where(balance[0] < people.income // 10, rate * 0.4, rate)
    rate = np.where((people.away_from <= day) & (day < people.away_to), rate * 0.1, rate)
    before_loan = (people.product == PRODUCTS.index("loan")) & (_days_before(people.product_day, day, 45))
    rate = np.where(before_loan, rate * 1.5, rate)
    who = np.nonzero(chance.uniform(_SLOTS, len(rate)) < rate / _SLOTS)[1]
    size = len(who)
    kind = _drawn_index(chance, MIXES[people.persona[who]])
    hour = _drawn_index(chance, HOURS[people.hours[who]])
    hour = np.where(AT_COUNTER[kind], 9 + hour * 7 // 24, hour)  # counters are open from 9 to 16
    amount = MEDIAN[kind] * people.scale[who] * chance.around(size, _LIKE_AMOUNT)
    steps = np.maximum((amount / STEP[kind]).astype(np.int64), 1)
    events = _events(today, who, kind, SIGN[kind] * steps * STEP[kind], chance.whole(size, 0, HOUR_MS - 1))
    events["at"] += hour * HOUR_MS
    events["payee"] = chance.whole(size, 0, PAYEES - 1)
    return events


def _incomes(people: People, day: int, today: date, vigour: F8, chance: Chance) -> list[Events]:
    """Salaries and pensions on their day, invoices when paid. They go elsewhere early in fading."""
    n, here, kind = len(vigour), vigour >= 0.6, people.income_kind
    irregular = kind == KIND_INDEX["invoice"]
    paid = here & ~irregular & _falls_on(people.payday, today)
    invoiced = here & irregular & chance.happens(n, 0.1)
    part = people.income * chance.around(n, _LIKE_AMOUNT) / 4
    amount = np.where(irregular, part.astype(np.int64), people.income)
    windfall = (vigour == 1) & chance.happens(n, 0.001)
    windfall |= (people.product == PRODUCTS.index("savings")) & (people.product_day == day + 7)
    windfall_amount = (people.income * (2 + 4 * chance.uniform(n))).astype(np.int64)
    return [
        _routine(today, np.nonzero(paid | invoiced)[0], kind, amount, _MORNING, chance),
        _routine(today, np.nonzero(windfall)[0], np.full(n, KIND_INDEX["windfall"]), windfall_amount, _MORNING, chance),
    ]


def _standing(people: People, day: int, today: date, vigour: F8, chance: Chance) -> list[Events]:
    """Orders that are due. They are moved elsewhere halfway through fading."""
    due_events = []
    for order in people.standing:
        due = (vigour >= 0.4) & (order.since <= day) & _falls_on(order.day_of_month, today)
        who = np.nonzero(due)[0]
        events = _routine(today, who, np.full(len(due), order.kind), -order.amount, _NIGHT, chance)
        due_events.append(events)
        if order.kind == KIND_INDEX["to_savings"]:
            saved = events.copy()
            saved["account"] += len(due)
            saved["kind"] = KIND_INDEX["saved"]
            saved["amount"] = -events["amount"]
            due_events.append(saved)
    return due_events


def _turning_points(people: People, day: int, today: date, balance: I8, chance: Chance) -> list[Events]:
    """A loan paid out, and a balance carried off to another bank."""
    n = len(people.fate)
    lent = np.nonzero((people.product == PRODUCTS.index("loan")) & (people.product_day == day))[0]
    moved = np.nonzero((people.moves_away_on == day) & (balance[0] > people.income // 10))[0]
    return [
        _routine(today, lent, np.full(n, KIND_INDEX["loan"]), people.income * 4, _MORNING, chance),
        _routine(today, moved, np.full(n, KIND_INDEX["moved_away"]), -(balance[0] * 9 // 10), _MORNING, chance),
    ]


def _bank_made(people: People, today: date, balance: I8, chance: Chance) -> list[Events]:
    """Fees and interest on the last evening of a month, also for who has gone but left money behind."""
    if (today + timedelta(1)).day != 1:
        return []
    n = len(people.fate)
    charged = np.nonzero(balance[0] >= _FEE)[0]
    interest = balance[1] * _INTEREST_PER_MILLE // 1000
    earned = np.nonzero(interest > 0)[0]
    earnings = _routine(today, earned, np.full(n, KIND_INDEX["interest"]), interest, _EVENING, chance)
    earnings["account"] += n
    return [_routine(today, charged, np.full(n, KIND_INDEX["fee"]), np.full(n, -_FEE), _EVENING, chance), earnings]


def _routine(today: date, who: I8, kind: I8, amount: I8, run: tuple[int, int], chance: Chance) -> Events:
    """Events of `who` in one of the bank's runs; kind and amount are of everybody, (n,). Payees are their own."""
    events = _events(today, who, kind[who], amount[who], run[0] + chance.whole(len(who), 0, run[1] - 1))
    events["payee"] = (who * 7 + kind[who]) % PAYEES
    return events


def _events(today: date, who: I8, kind: I8, amount: I8, ms: I8) -> Events:
    """Events on main accounts, `ms` after midnight."""
    events = np.zeros(len(who), EVENT)
    events["account"] = who
    events["at"] = (today - date(1970, 1, 1)).days * DAY_MS + ms
    events["amount"] = amount
    events["kind"] = kind
    events["original"] = -1
    return events


def _falls_on(day_of_month: I8, today: date) -> B1:
    """Whether it is that day of the month, or the month's last where it has no such day."""
    last = (today + timedelta(1)).day == 1
    falls: B1 = (day_of_month == today.day) | (last & (day_of_month > today.day))
    return falls


def _days_before(then: I8, day: int, days: int) -> B1:
    return (then - days <= day) & (day < then)


def _drawn_index(chance: Chance, cumulative: F8) -> I8:
    """An index drawn from each row of cumulative shares."""
    index: I8 = (chance.uniform(len(cumulative))[:, None] >= cumulative).sum(axis=1)
    return index
