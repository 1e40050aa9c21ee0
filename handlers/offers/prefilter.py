"""The offers of a catalogue laid out for the moments that ask for them, and whether any can fit: asked in the kernel,
so that most moments need no more than that.

Says "may fit" where a figure is too large for a double to compare exactly: conditions.py has the last word.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handlers.aggregates.features import FEATURES
from handlers.belief.bits import CHURN_RISK
from handlers.kernel.jit import I8, NONE, jit
from handlers.offers.conditions import Check, checks_of
from handlers.offers.triggers import TRIGGERS
from schemas.offer import Offer
from schemas.units import EARLIEST, LATEST, epoch_ms

NOT_ASKED, UNFITTING, MAY_FIT = 0, 1, 2
"""No offer waits for the moment and has its time; none of those fits; one may."""

_OPERATORS = ("at_least", "at_most", "above", "below")
_DOUBLES_EXACT = 1 << 53
_EXACT = np.array([feature.exact for feature in FEATURES])
_NO_OTHER = -1


class Candidate(NamedTuple):
    """An offer as it is asked for at each moment."""

    offer: Offer
    bits: int
    """The moments that it waits for."""
    since: int
    until: int
    """Its time: from this moment on until that one, epoch ms."""
    checks: tuple[Check, ...]


def candidates_of(offers: Iterable[Offer], currency: str) -> list[Candidate]:
    """In the order of the catalogue; `currency` is that of its sentences."""
    return [
        Candidate(
            offer,
            _wanted_bits(offer),
            EARLIEST if offer.valid_from is None else epoch_ms(offer.valid_from),
            LATEST + 1 if offer.valid_to is None else epoch_ms(offer.valid_to),
            checks_of(offer, currency),
        )
        for offer in offers
    ]


def _wanted_bits(offer: Offer) -> int:
    bits = CHURN_RISK if offer.retention else 0
    for name in offer.when:
        bits |= TRIGGERS[name].bit
    return bits


class Prefilter(NamedTuple):
    """Offers and their conditions as the kernel reads them."""

    offers: I8
    """Each: wanted bits, valid from and to (epoch ms), where its conditions end; shape (offers, 4)."""
    conditions: I8
    """Each: feature, operator, other feature or -1; shape (conditions, 3)."""
    numbers: NDArray[np.float64]
    """The value, or how many times the other feature; shape (conditions,)."""
    exact: NDArray[np.bool_]
    """Which features are whole numbers."""


def prefilter_of(candidates: Iterable[Candidate]) -> Prefilter:
    """The offers for the kernel."""
    table, conditions, numbers = [], [], []
    for one in candidates:
        for check in one.checks:
            other = _NO_OTHER if check.other is None else check.other
            conditions.append((check.place, _OPERATORS.index(check.operator), other))
            numbers.append(check.limit)
        table.append((one.bits, one.since, one.until, len(conditions)))
    return Prefilter(
        np.array(table, np.int64).reshape(-1, 4),
        np.array(conditions, np.int64).reshape(-1, 3),
        np.array(numbers, np.float64),
        _EXACT,
    )


@jit
def prefilter(screen: Prefilter, values: I8, bits: int, at: int) -> int:
    """What the offers come to at a moment (`bits`, epoch ms) over the features that evaluate wrote."""
    doubles = values.view(np.float64)
    answer = NOT_ASKED
    start = 0
    for k in range(screen.offers.shape[0]):
        offer = screen.offers[k]
        if offer[0] & bits and offer[1] <= at < offer[2]:
            answer = UNFITTING
            c = start
            while c < offer[3] and _may_hold(screen, c, values, doubles):
                c += 1
            if c == offer[3]:
                return MAY_FIT
        start = offer[3]
    return answer


@jit
def _may_hold(screen: Prefilter, c: int, values: I8, doubles: NDArray[np.float64]) -> bool:
    value = _figure(screen, screen.conditions[c, 0], values, doubles)
    limit = screen.numbers[c]
    if screen.conditions[c, 2] != _NO_OTHER:
        limit *= _figure(screen, screen.conditions[c, 2], values, doubles)
    if np.isnan(value) or np.isnan(limit):
        return False
    if abs(value) >= _DOUBLES_EXACT or abs(limit) >= _DOUBLES_EXACT:
        return True
    operator = screen.conditions[c, 1]
    if operator == 0:
        return bool(value >= limit)
    if operator == 1:
        return bool(value <= limit)
    if operator == 2:
        return bool(value > limit)
    return bool(value < limit)


@jit
def _figure(screen: Prefilter, feature: int, values: I8, doubles: NDArray[np.float64]) -> float:
    if not screen.exact[feature]:
        return float(doubles[feature])
    return np.nan if values[feature] == NONE else float(values[feature])
