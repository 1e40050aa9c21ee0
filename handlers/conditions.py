"""The conditions of an offer: whether they hold for a customer at a moment, and how they read."""

from collections.abc import Iterator

from handlers.features import FEATURES, INDEX, Unit
from handlers.snapshot import Snapshot
from schemas.alert import Reason
from schemas.offer import Condition, Offer

_WORDS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}


def groups(offer: Offer) -> Iterator[tuple[str, list[Condition]]]:
    """The groups in the order in which they are asked."""
    yield "eligibility", offer.eligibility
    yield "applicability", offer.applicability
    yield "suitability", offer.suitability
    yield "suitability", offer.conditions


def failing(offer: Offer, seen: Snapshot) -> tuple[str, Condition] | None:
    """The first condition that does not hold, with its group; None when all hold."""
    for name, conditions in groups(offer):
        for condition in conditions:
            if not holds(condition, seen):
                return name, condition
    return None


def holds(condition: Condition, seen: Snapshot) -> bool:
    """Whether the condition holds; one over a missing feature doesn't."""
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    if value is None or limit is None:
        return False
    match condition.operator:
        case "at_least":
            return value >= limit
        case "at_most":
            return value <= limit
        case "above":
            return value > limit
        case _:
            return value < limit


def reason(condition: Condition, seen: Snapshot) -> Reason:
    """What an alert says of a condition that holds."""
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    return Reason(
        condition.feature, f"{_sentence(condition, seen)}.", value, limit if condition.of is not None else None
    )


def why_not(condition: Condition, seen: Snapshot) -> str:
    """Of one that doesn't."""
    return f"not so: {_sentence(condition, seen)}"


def _sentence(condition: Condition, seen: Snapshot) -> str:
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    meaning = FEATURES[INDEX[condition.feature]].meaning
    told = [_said(condition.feature, number) for number in (value, limit)]
    return f"{meaning}: {told[0]}, {_WORDS[condition.operator]} {told[1]}"


def _limit(condition: Condition, seen: Snapshot) -> float | None:
    if condition.of is None:
        return condition.value
    other = seen.number(condition.of)
    return None if other is None or condition.times is None else condition.times * other


def _said(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    unit = FEATURES[INDEX[name]].unit
    if unit is Unit.MINOR:
        return f"{value / 100:,.2f}"
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:,.4g}"
