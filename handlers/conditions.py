"""The conditions of an offer: whether they hold for a customer at a moment, and how they read."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from handlers.features import FEATURES, INDEX, Unit
from handlers.snapshot import Snapshot
from schemas.alert import Reason
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
    condition: Condition
    place: int
    """Of its feature."""
    holds: Callable[[float, float], bool]
    limit: float | None
    """The value, or how many times the other feature."""
    other: int | None
    """Place of the other feature."""


def checks_of(offer: Offer) -> tuple[Check, ...]:
    """Of all its groups, in the order in which they are asked."""
    return tuple(
        Check(
            name,
            one,
            INDEX[one.feature],
            _HOLDS[one.operator],
            one.value if one.of is None else one.times,
            None if one.of is None else INDEX[one.of],
        )
        for name, conditions in groups(offer)
        for one in conditions
    )


def failing(checks: Sequence[Check], seen: Snapshot) -> tuple[str, Condition] | None:
    """The first that does not hold, with its group; None when all hold. One over a missing feature doesn't."""
    for group, condition, place, holds, limit, other in checks:
        value = seen.value(place)
        if other is not None and limit is not None:
            times = seen.value(other)
            limit = None if times is None else limit * times
        if value is None or limit is None or not holds(value, limit):
            return group, condition
    return None


def reason(condition: Condition, seen: Snapshot) -> Reason:
    """What an alert says of a condition that holds."""
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    told = f"{_sentence(condition, value, limit)}."
    return Reason(condition.feature, told, value, limit if condition.of is not None else None)


def why_not(condition: Condition, seen: Snapshot) -> str:
    """Of one that doesn't."""
    return f"not so: {_sentence(condition, seen.number(condition.feature), _limit(condition, seen))}"


def _sentence(condition: Condition, value: float | None, limit: float | None) -> str:
    feature = FEATURES[INDEX[condition.feature]]
    return f"{feature.meaning}: {_said(feature.unit, value)}, {_WORDS[condition.operator]} {_said(feature.unit, limit)}"


def _limit(condition: Condition, seen: Snapshot) -> float | None:
    if condition.of is None:
        return condition.value
    other = seen.number(condition.of)
    return None if other is None or condition.times is None else condition.times * other


def _said(unit: Unit, value: float | None) -> str:
    if value is None:
        return "unknown"
    if unit is Unit.MINOR:
        return f"{value / 100:,.2f}"
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:,.4g}"
