"""A challenger in shadow: what a second model says wherever the champion is asked. It decides nothing.

A look is a silence that the champion has judged: on the day of an alert, and on the days before it that were too early.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from handlers.churn.model import sigmoid
from handlers.kernel.jit import F8
from schemas.policy import Policy

Band = Literal["low", "medium", "high"]
"""Under the policy's churn_hold_above, between, and from its churn_raise_at on."""

BANDS: tuple[Band, ...] = get_args(Band)
Bands = tuple[Band, Band]
"""Of the champion and of the challenger."""


# notes: one look of the churn model each
CHECK_CUSTOMER = 0
CHECK_EVENT = 1  # the customer's event before, -1 if none
CHECK_AT = 2
CHECK_LOG_ODDS = 3
CHECK_INPUTS = 4


class Comparison(NamedTuple):
    """What both say of one customer at one moment: probabilities of leaving, each over its own model's horizon."""

    customer_id: str
    at: int
    """Epoch ms."""
    champion: float
    challenger: float
    bands: Bands


def compare(
    customers: Sequence[str], at: Sequence[int], champion: F8, challenger: F8, policy: Policy
) -> list[Comparison]:
    """One for each of these moments; `champion` and `challenger` are log odds, (n,)."""
    both = zip(sigmoid(champion).tolist(), sigmoid(challenger).tolist(), strict=True)
    return [
        Comparison(customer, when, one, other, (_band(one, policy), _band(other, policy)))
        for customer, when, (one, other) in zip(customers, at, both, strict=True)
    ]


def by_bands(found: Sequence[Comparison]) -> Counter[Bands]:
    """How often which bands came together."""
    return Counter(look.bands for look in found)


def _band(p: float, policy: Policy) -> Band:
    return "high" if p >= policy.churn_raise_at else "medium" if p >= policy.churn_hold_above else "low"
