"""The conditions of an offer: whether they hold for a customer at a moment, and how they read."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from handlers.aggregates.features import FEATURES, INDEX, Feature
from handlers.aggregates.snapshot import FeatureValues
from handlers.offers.sentences import told
from schemas.alert import Reason
from schemas.offer import Condition, Offer, Texts

_HOLDS = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}


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
    feature: Feature
    condition: Condition
    currency: str
    """Of what is money: the bank's base currency."""

    def bound(self, seen: FeatureValues) -> float | None:
        """What the value is held against."""
        if self.other is None or self.limit is None:
            return self.limit
        times = seen.value(self.other)
        return None if times is None else self.limit * times


def checks_of(offer: Offer, currency: str) -> tuple[Check, ...]:
    """Of all its groups, in the order in which they are asked. `currency` is the bank's base currency."""
    return tuple(_check(name, one, currency) for name, conditions in groups(offer) for one in conditions)


def _check(group: str, one: Condition, currency: str) -> Check:
    return Check(
        group,
        INDEX[one.feature],
        one.operator,
        _HOLDS[one.operator],
        one.value if one.of is None else one.times,
        None if one.of is None else INDEX[one.of],
        FEATURES[INDEX[one.feature]],
        one,
        currency,
    )


def failing(checks: Sequence[Check], seen: FeatureValues) -> Check | None:
    """The first that does not hold; None when all hold. One over a missing feature doesn't."""
    for check in checks:
        value, limit = seen.value(check.place), check.bound(seen)
        if value is None or limit is None or not check.holds(value, limit):
            return check
    return None


def reason(check: Check, seen: FeatureValues) -> Reason:
    """What an alert says of a condition that holds."""
    value, limit = seen.value(check.place), check.bound(seen)
    said = told(check.feature, check.condition, value, limit, check.currency, holds=True)
    usual = None if check.other is None else limit
    return Reason(check.feature.name, _ended(said.en), value, usual, None if said.zh is None else _ended(said.zh, "。"))


def why_not(check: Check, seen: FeatureValues) -> Texts:
    """Of one that doesn't."""
    said = told(check.feature, check.condition, seen.value(check.place), check.bound(seen), check.currency, holds=False)
    return Texts(_ended(said.en), None if said.zh is None else _ended(said.zh, "。"))


def _ended(sentence: str, stop: str = ".") -> str:
    """With a full stop, where the bank's own words have none."""
    return sentence if sentence.endswith((".", "!", "?", "。", "！", "？")) else sentence + stop
