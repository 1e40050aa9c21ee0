"""Who the customers of the simulated bank are, and what becomes of them: drawn once from the seed, a column each."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple, get_args

import numpy as np

from learning.chance import B1, F8, I8, Chance, log_normal
from learning.habits import KIND_INDEX, TYPICAL_INCOME

Fate = Literal["stays", "drifts_away", "leaves_abruptly"]
Product = Literal["loan", "savings", "insurance"]

FATES: tuple[Fate, ...] = get_args(Fate)
STAYS, DRIFTS, LEAVES = range(3)
PRODUCTS: tuple[Product, ...] = get_args(Product)
NONE = -1
"""No product."""
NEVER = 10**6
"""A day that no simulation reaches."""

_LIKE_INCOME = log_normal(0.45)
_LIKE_ACTIVITY = log_normal(0.6)
_LIKE_AMOUNT = log_normal(0.35)


class Standing(NamedTuple):
    """A payment on the same day of each month, from the day `since` on. (n,) each; cents."""

    kind: int
    day_of_month: I8
    amount: I8
    since: I8


@dataclass(frozen=True)
class People:
    """n customers, each column (n,). Days count from the first day of the simulation; money is in cents."""

    fate: I8
    turn: I8
    """First day of fading or of having left; NEVER for those who stay."""
    gone: I8
    """First day from which nothing of their own happens."""
    product: I8
    """Place in PRODUCTS of what they take during the simulation, or NONE."""
    product_day: I8
    income_kind: I8
    """Place in KINDS: salary, pension or invoice."""
    income: I8
    """A month's."""
    payday: I8
    activity: F8
    """Chosen transactions a day."""
    scale: F8
    """Their amounts, against those of people with the typical income and activity."""
    persona: I8
    """Row of MIXES."""
    week: I8
    """Row of WEEKS."""
    hours: I8
    """Row of HOURS."""
    away_from: I8
    away_to: I8
    """A holiday, in which next to nothing happens."""
    moves_away_on: I8
    """When they carry their balance off to another bank."""
    savings_since: I8
    opening: I8
    """Balances on the first day, (2, n): main account, savings."""
    standing: tuple[Standing, ...]

    def vigour(self, day: int) -> F8:
        """1 before the turn, falling in a straight line to 0 on the day they are gone."""
        left: F8 = (self.gone - day) / np.maximum(self.gone - self.turn, 1)
        return np.clip(left, 0.0, 1.0)


def draw(customers: int, days: int, seed: int, start: date) -> People:
    """The customers of a simulation. Raises ValueError for no customers, no days or a negative seed."""
    if customers < 1 or days < 1:
        raise ValueError("a simulation needs at least one customer and one day")
    n, chance = customers, Chance(seed, purpose=0)

    lot = chance.uniform(n)
    fate = np.where(lot < 0.08, LEAVES, np.where(lot < 0.20, DRIFTS, STAYS))
    turn = np.where(fate == STAYS, NEVER, _day_between(chance, n, days, 0.25, 0.85))
    gone = turn + np.where(fate == DRIFTS, chance.whole(n, 30, 75), 0)
    moves_on = np.where(fate == LEAVES, turn - 1, turn + (gone - turn) // 2)
    moves_away_on = np.where((fate != STAYS) & chance.happens(n, 0.7), moves_on, NEVER)

    lot = chance.uniform(n)
    salary, pension, invoice = KIND_INDEX["salary"], KIND_INDEX["pension"], KIND_INDEX["invoice"]
    income_kind = np.where(lot < 0.6, salary, np.where(lot < 0.8, pension, invoice))
    income = _cents(TYPICAL_INCOME * np.where(income_kind == pension, 0.6, 1.0) * chance.around(n, _LIKE_INCOME))
    relative = chance.around(n, _LIKE_ACTIVITY)

    has_loan, has_savings, has_insurance = (chance.happens(n, p) for p in (0.2, 0.3, 0.45))
    product = _product(chance, fate, has_loan, has_savings, has_insurance)
    product_day = np.where(product == NONE, NEVER, _day_between(chance, n, days, 0.15, 0.85))
    loan_since, savings_since, insurance_since = (
        np.where(has, 0, np.where(product == product_index, product_day, NEVER))
        for product_index, has in enumerate((has_loan, has_savings, has_insurance))
    )
    away_from = np.where(chance.happens(n, 0.15), chance.whole(n, 0, days), NEVER)
    of_month = np.array([(start + timedelta(day)).day for day in range(days)])
    taken_on = of_month[np.minimum(product_day, days - 1)]

    def monthly(kind: str, share: float, since: I8, product_index: int = NONE) -> Standing:
        day = np.where((product == product_index) & (product != NONE), taken_on, chance.whole(n, 1, 31))
        return Standing(KIND_INDEX[kind], day, _cents(income * share * chance.around(n, _LIKE_AMOUNT)), since)

    return People(
        fate=fate,
        turn=turn,
        gone=gone,
        product=product,
        product_day=product_day,
        income_kind=income_kind,
        income=income,
        payday=np.array([1, 10, 15, 25, 28, 31])[chance.whole(n, 0, 5)],
        activity=0.34 * relative,
        scale=income / TYPICAL_INCOME * (1.9 / (0.5 + relative)),
        persona=chance.whole(n, 0, 2) + 3 * chance.happens(n, 0.08),
        week=chance.whole(n, 0, 2),
        hours=chance.whole(n, 0, 2),
        away_from=away_from,
        away_to=away_from + chance.whole(n, 8, 21),
        moves_away_on=moves_away_on,
        savings_since=savings_since,
        opening=np.stack(
            [
                _cents(income * (0.4 + 2 * chance.uniform(n))),
                np.where(has_savings, _cents(income * (0.5 + 9 * chance.uniform(n))), 0),
            ]
        ),
        standing=(
            monthly("rent", 0.32, np.where(chance.happens(n, 0.75), 0, NEVER)),
            monthly("utilities", 0.08, np.zeros(n, np.int64)),
            monthly("premium", 0.03, insurance_since, PRODUCTS.index("insurance")),
            monthly("instalment", 0.11, loan_since + (product == PRODUCTS.index("loan")), PRODUCTS.index("loan")),
            monthly("to_savings", 0.08, savings_since, PRODUCTS.index("savings")),
        ),
    )


def _day_between(chance: Chance, size: int, days: int, low: float, high: float) -> I8:
    """Days between two shares of the whole time."""
    return (days * (low + (high - low) * chance.uniform(size))).astype(np.int64)


def _product(chance: Chance, fate: I8, *has: B1) -> I8:
    """Among those who stay, one in six takes one of the products that they do not have."""
    n = len(fate)
    wants = (fate == STAYS) & chance.happens(n, 1 / 6)
    product = np.full(n, NONE)
    first = chance.whole(n, 0, len(PRODUCTS) - 1)
    for turn in range(len(PRODUCTS)):
        index = (first + turn) % len(PRODUCTS)
        free = ~np.stack(has)[index, np.arange(n)]
        product = np.where(wants & free & (product == NONE), index, product)
    return product


def _cents(money: F8) -> I8:
    """Whole cents, cut off."""
    return money.astype(np.int64)
