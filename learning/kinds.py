"""Made-up banks and shops of many kinds, each with habits of its own: what a general churn model is learned from.

A population's typical gap, how far its customers differ, how many leave, pause, fade or join are drawn from the seed,
then its customers, then their visits. The same arguments give the same visits on every machine. Salaried customers are
those of simulator.py; nothing here is fitted to, or chosen by, any real history.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import numpy as np

from learning.chance import B1, F8, I8, Chance, exponential, log_normal
from learning.noticed import Fate, fates
from learning.people import NEVER
from learning.simulator import START, ground_truth, simulate
from schemas.units import DAY_MS

Kind = Literal["salaried", "monthly", "regular", "irregular", "uneven", "bursts", "seasonal", "dormant"]
"""salaried: incomes, standing orders and shopping, day by day. monthly: payments on days of the month, little else.
regular: nearly even gaps. irregular: by chance, at a rate of their own. uneven: mostly short gaps, now and then a long
one. bursts: some visits in a row, then a pause. seasonal: by chance, in some months much less. dormant: by chance, with
pauses of months; many leave early and stay in the books."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_GAP_DAYS_TYPICAL = 6.0
_GAPS_TYPICAL = log_normal(0.9)
_GAPS_BETWEEN = (log_normal(0.3), log_normal(0.7), log_normal(1.1))
_EXPONENTIAL = exponential()
_NEARLY_EVEN = log_normal(0.25)
_UNEVEN = (log_normal(0.9), log_normal(1.2), log_normal(1.6))
_GAP_DAYS_MIN = 0.7
_LEAVING_TYPICAL = 0.02
"""Share who leave in 30 days."""
_LEAVING = log_normal(1.0)
_AMOUNT = log_normal(0.8)
_CHOSEN = ("card_payment", "purchase", "withdrawal", "transfer_out")
_SORTS = (
    ("card_payment", "card", -1),
    ("purchase", "online", -1),
    ("purchase", "mobile", -1),
    ("withdrawal", "atm", -1),
    ("withdrawal", "counter", -1),
    ("deposit", "counter", 1),
    ("transfer_in", "automatic", 1),
    ("transfer_out", "online", -1),
    ("transfer_out", "mobile", -1),
    ("transfer_out", "automatic", -1),
    ("bill_payment", "automatic", -1),
    ("bill_payment", "online", -1),
    ("insurance_premium", "automatic", -1),
    ("loan_payment", "automatic", -1),
    ("salary", "automatic", 1),
    ("pension", "automatic", 1),
)
"""Type, channel and sign of transactions."""
_BY_CHANCE = 10
"""The first so many are made when customers please: a population has one to five of them. What is paid by the month is
any. Which they are is drawn, so that nothing follows from it."""
_SKIPPED = 0.03
_LATE = 0.3


@dataclass(frozen=True, slots=True)
class Population:
    """Visits as the fields of Transactions, in the order of time, and what becomes of each customer."""

    kind: Kind
    rows: list[dict[str, object]]
    truth: list[Fate]


def population(kind: Kind, customers: int, days: int, seed: int, start: date = START) -> Population:
    """Raises ValueError for no customers, no days or a negative seed."""
    if customers < 1 or days < 1:
        raise ValueError("a population has at least one customer and one day")
    if kind == "salaried":
        return _salaried(customers, days, seed, start)
    chance = Chance(seed, purpose=10 + KINDS.index(kind))
    joins, turn, gone = _lives(kind, customers, days, chance)
    pick = _monthly if kind == "monthly" else _renewed
    who, at, sort = pick(kind, customers, days, start, chance)
    day = at.astype(np.int64)
    kept = (at < days) & (day >= joins[who]) & (day < gone[who])
    fading = (gone[who] - day) / np.maximum(gone[who] - turn[who], 1)
    kept &= (day < turn[who]) | (chance.uniform(len(who)) < fading)
    kept &= _open(kind, who, at, customers, days, chance)
    order = np.flatnonzero(kept)[np.argsort(at[kept], kind="stable")]
    rows = list(_rows(kind, who[order], at[order], sort[order], seed, start, chance))
    first = (start - date(1970, 1, 1)).days
    truth = [
        Fate(_name(kind, k), None if t >= days else first + t, None if g >= days else first + g)
        for k, (t, g) in enumerate(zip(turn.tolist(), gone.tolist(), strict=True))
    ]
    return Population(kind, rows, truth)


def _salaried(customers: int, days: int, seed: int, start: date) -> Population:
    chance = Chance(seed, purpose=10)
    share = float(chance.uniform(1)[0]) if chance.happens(1, 0.6)[0] else 1.0
    rows = list(simulate(customers, days, seed, start))
    kept = chance.happens(len(rows), share).tolist()
    rows = [row for row, stays in zip(rows, kept, strict=True) if stays or row["type"] not in _CHOSEN]
    return Population("salaried", rows, fates(ground_truth(customers, days, seed, start)))


def _lives(kind: Kind, n: int, days: int, chance: Chance) -> tuple[I8, I8, I8]:
    """First day, first day of fading or of having left, first day gone; (n,) each."""
    joining = float(chance.uniform(1)[0]) ** 2
    joins = np.where(chance.happens(n, 0.7 * joining), chance.whole(n, 0, days - 1), 0)
    share = min(_LEAVING_TYPICAL * float(chance.around(1, _LEAVING)[0]), 0.25)
    turn = joins + 1 + (30 / share * chance.around(n, _EXPONENTIAL)).astype(np.int64)
    if kind == "dormant":
        turn = np.where(chance.happens(n, 0.4), joins + 1 + chance.whole(n, 0, max(days // 3, 1)), turn)
    fades = chance.happens(n, 0.6 * float(chance.uniform(1)[0]))
    gone = turn + np.where(fades, chance.whole(n, 15, 70), 0)
    turn, gone = np.minimum(turn, NEVER), np.minimum(gone, NEVER)
    return joins, turn, gone


def _renewed(kind: Kind, n: int, days: int, start: date, chance: Chance) -> tuple[I8, F8, I8]:
    """Customers, moments (days from the start) and sorts of visits whose gaps are drawn one after another."""
    typical = max(_GAP_DAYS_TYPICAL * float(chance.around(1, _GAPS_TYPICAL)[0]), 1.5)
    between = _GAPS_BETWEEN[int(chance.whole(1, 0, 2)[0])]
    mean = np.maximum(typical * chance.around(n, between), _GAP_DAYS_MIN)
    if kind == "regular":
        mean = np.where(chance.happens(n, 0.3), 7.0, mean)
    count = int(days / float(mean.min()) * 2) + 20
    if kind == "regular":
        gaps = chance.around(n * count, _NEARLY_EVEN)
    elif kind == "uneven":
        table = _UNEVEN[int(chance.whole(1, 0, 2)[0])]
        gaps = chance.around(n * count, table) / float(table.mean())
    elif kind == "bursts":
        inside = chance.happens(n * count, 0.5 + 0.4 * float(chance.uniform(1)[0]))
        gaps = chance.around(n * count, _EXPONENTIAL) * np.where(inside, 0.3, 2.5)
    else:
        gaps = chance.around(n * count, _EXPONENTIAL)
    each = gaps.reshape(n, count) * mean[:, None]
    at = np.cumsum(each, axis=1) - each[:, :1] * chance.uniform(n)[:, None]
    who = np.repeat(np.arange(n), count)
    several = int(chance.whole(1, 1, 5)[0])
    sorts = chance.whole(several, 0, _BY_CHANCE - 1)
    return who, at.ravel(), sorts[chance.whole(len(who), 0, several - 1)]


def _monthly(kind: Kind, n: int, days: int, start: date, chance: Chance) -> tuple[I8, F8, I8]:
    """Payments on days of the month, at some banks all shortly after a payday, some days late where it falls so, some
    skipped; and a few visits by chance."""
    most = int(chance.whole(1, 2, 8)[0])
    orders = chance.whole(n, 1, most)
    sorts = chance.whole(n * most, 0, len(_SORTS) - 1).reshape(n, most)
    whos, ats, kinds = [], [], []
    month, today = 0, date(start.year, start.month, 1)
    of_month = np.stack([chance.whole(n, 1, 28) for _ in range(most)])
    if chance.happens(1, 0.5)[0]:
        width = int(chance.whole(1, 2, 10)[0])
        of_month = 1 + (chance.whole(n, 0, 27)[None, :] + of_month * width // 28) % 28
    while (today - start).days < days:
        for order in range(most):
            due = np.nonzero((orders > order) & ~chance.happens(n, _SKIPPED))[0]
            late = np.where(chance.happens(len(due), _LATE), chance.whole(len(due), 1, 3), 0)
            day = (today - start).days + of_month[order, due] - 1 + late
            whos.append(due)
            kinds.append(sorts[due, order])
            ats.append(day + 0.3 + 0.4 * chance.uniform(len(due)))
        today = date(today.year + today.month // 12, today.month % 12 + 1, 1)
        month += 1
    others, at, sort = _renewed(kind, n, days, start, chance)
    some = chance.happens(n, float(chance.uniform(1)[0]))[others] & chance.happens(len(others), 0.4)
    who, at = np.concatenate([*whos, others[some]]), np.concatenate([*ats, at[some]])
    known = at >= 0
    return who[known], at[known], np.concatenate([*kinds, sort[some]])[known]


def _open(kind: Kind, who: I8, at: F8, n: int, days: int, chance: Chance) -> B1:
    """Whether a visit takes place: nobody comes on holiday, in a pause of months, or out of season."""
    size = len(who)
    away = chance.happens(n, 0.3 * float(chance.uniform(1)[0]))
    since = np.where(away, chance.uniform(n) * days, NEVER)
    held = (at >= since[who]) & (at < since[who] + (8 + 14 * chance.uniform(n))[who])
    if kind == "dormant":
        sleeps = chance.happens(n, 0.5)
        since = np.where(sleeps, chance.uniform(n) * days, NEVER)
        held |= (at >= since[who]) & (at < since[who] + (30 + 120 * chance.uniform(n))[who])
    if kind == "seasonal":
        phase, length = float(chance.uniform(1)[0]) * days, 30 + 60 * float(chance.uniform(1)[0])
        off = ((at - phase) % 180 < length) & (chance.uniform(size) < 0.4 + 0.6 * float(chance.uniform(1)[0]))
        held |= off
    open_: B1 = ~held
    return open_


def _rows(kind: Kind, who: I8, at: F8, sort: I8, seed: int, start: date, chance: Chance) -> Iterator[dict[str, object]]:
    first = (start - date(1970, 1, 1)).days * DAY_MS
    ms = first + (at * DAY_MS).astype(np.int64)
    moments = np.datetime_as_string(ms.astype("datetime64[ms]"), unit="ms", timezone="UTC").tolist()
    amounts = np.maximum((2_500 * chance.around(len(who), _AMOUNT)).astype(np.int64), 1).tolist()
    columns = (who.tolist(), moments, amounts, sort.tolist())
    for number, (customer, moment, amount, which) in enumerate(zip(*columns, strict=True)):
        type_, channel, sign = _SORTS[which]
        yield {
            "event_id": f"{kind}-{seed}-{number}",
            "customer_id": _name(kind, customer),
            "account_id": f"{kind}-a-{customer}",
            "occurred_at": moment,
            "amount_minor": sign * amount,
            "currency": "EUR",
            "type": type_,
            "channel": channel,
        }


def _name(kind: Kind, customer: int) -> str:
    return f"{kind}-{customer}"
