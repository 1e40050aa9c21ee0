"""The conditions of an offer: whether they hold for a customer at a moment, and how they read."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from handlers.aggregates.features import FEATURES, INDEX, Unit
from handlers.aggregates.snapshot import Snapshot
from schemas.alert import Reason
from schemas.money import money
from schemas.offer import Condition, Offer

_HOLDS = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}
_WORDS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}


def groups(offer: Offer) -> Iterator[tuple[str, list[Condition]]]:
    """The groups in the order in which they are asked."""
    yield "eligibility", offer.eligibility
    yield "applicability", offer.applicability
    yield "suitability", offer.suitability
    yield "suitability", offer.conditions


class Check(NamedTuple):
    """A condition as it is asked at each moment: names looked up beforehand."""

    group: str
    place: int
    """Of its feature."""
    operator: str
    holds: Callable[[float, float], bool]
    limit: float | None
    """The value, or how many times the other feature."""
    other: int | None
    """Place of the other feature."""
    feature: str
    meaning: str
    unit: Unit
    currency: str
    """Of what is money: the bank's base currency."""
    demanded: str
    """The rest of the sentence, but for a limit that is the other feature's."""

    def bound(self, seen: Snapshot) -> float | None:
        """What the value is held against."""
        if self.other is None or self.limit is None:
            return self.limit
        times = seen.value(self.other)
        return None if times is None else self.limit * times


def checks_of(offer: Offer, currency: str) -> tuple[Check, ...]:
    """Of all its groups, in the order in which they are asked. `currency` is the bank's base currency."""
    return tuple(_check(name, one, currency) for name, conditions in groups(offer) for one in conditions)


def _check(group: str, one: Condition, currency: str) -> Check:
    place = INDEX[one.feature]
    feature, words = FEATURES[place], _WORDS[one.operator]
    return Check(
        group,
        place,
        one.operator,
        _HOLDS[one.operator],
        one.value if one.of is None else one.times,
        None if one.of is None else INDEX[one.of],
        one.feature,
        feature.meaning,
        feature.unit,
        currency,
        f"{words} {_said(feature.unit, one.value, currency)}" if one.of is None else words,
    )


def failing(checks: Sequence[Check], seen: Snapshot) -> Check | None:
    """The first that does not hold; None when all hold. One over a missing feature doesn't."""
    for check in checks:
        value, limit = seen.value(check.place), check.bound(seen)
        if value is None or limit is None or not check.holds(value, limit):
            return check
    return None


def reason(check: Check, seen: Snapshot) -> Reason:
    """What an alert says of a condition that holds."""
    value, limit = seen.value(check.place), None if check.other is None else check.bound(seen)
    return Reason(check.feature, f"{_sentence(check, value, limit)}.", value, limit)


def why_not(check: Check, seen: Snapshot) -> str:
    """Of one that doesn't."""
    return f"not so: {_sentence(check, seen.value(check.place), check.bound(seen))}"


def _sentence(check: Check, value: float | None, limit: float | None) -> str:
    told = f"{check.meaning}: {_said(check.unit, value, check.currency)}, {check.demanded}"
    return told if check.other is None else f"{told} {_said(check.unit, limit, check.currency)}"


def _said(unit: Unit, value: float | None, currency: str) -> str:
    if value is None:
        return "unknown"
    if unit is Unit.MINOR:
        return money(value, currency)
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:,.4g}"
