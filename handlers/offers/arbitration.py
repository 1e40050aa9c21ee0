"""Which of the offers whose moment has come is the best: priority = propensity x context x value x weight."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from handlers.aggregates.snapshot import FeatureValues
from handlers.belief.bits import CHURN_RISK
from handlers.contact.history import SuppressionReason
from handlers.offers.conditions import Check, failing, why_not
from handlers.offers.counts import Ledger
from handlers.offers.prefilter import Candidate
from handlers.offers.propensity import propensity, unasked
from handlers.offers.triggers import TRIGGERS
from schemas.alert import Factors, RunnerUp
from schemas.offer import Offer, Trigger
from schemas.policy import Policy
from schemas.units import epoch_ms

RUNNERS_UP_MAX = 3

_WHY: dict[SuppressionReason, str] = {
    "kill_switch": "offers are switched off",
    "held": "the customer has the product",
    "cooldown": "it was offered not long ago",
    "declined": "the customer has declined it",
    "ignored": "the customer has ignored it again and again",
    "consent": "there is no consent to this channel",
    "cap": "the customer has been contacted often enough",
    "budget": "its budget is spent",
    "no_uplift": "customers take it as often without being offered it",
    "contacts_full": "the customer's history has no room left",
    "expired": "it would have run out before it was made",
    "history": "it is of a time before alerts are sent",
}


class Considered(NamedTuple):
    """One offer at one moment: with `failed` a condition does not hold (and its group), with `lost_by` a rule keeps it
    back. `factors` are there when all conditions hold."""

    offer: Offer
    checks: Sequence[Check]
    """Its conditions."""
    failed: Check | None
    lost_by: SuppressionReason | None = None
    factors: Factors | None = None


def considered(candidates: Iterable[Candidate], bits: int, at: int, seen: FeatureValues) -> list[Considered]:
    """Those that wait for one of these moments, from their time on; whether it is over, `in_time` says."""
    return [
        Considered(one.offer, one.checks, failing(one.checks, seen))
        for one in candidates
        if one.bits & bits and one.since <= at
    ]


def in_time(offer: Offer, when: int) -> bool:
    """Whether it is still valid when it may be shown, after the customer's quiet hours (epoch ms)."""
    return offer.valid_to is None or when < epoch_ms(offer.valid_to)


def judged(found: list[Considered], blocked: Callable[[Offer], SuppressionReason | None]) -> list[Considered]:
    """What was considered, with the rule that keeps it back where its conditions hold; `blocked` knows the rules."""
    return [one if one.failed else Considered(one.offer, one.checks, None, blocked(one.offer)) for one in found]


def kept_back(found: list[Considered]) -> Considered | None:
    """Where everything that fits is kept back, what would have been worth most; None where something can be made."""
    fitting = [one for one in found if not one.failed]
    for one in fitting:
        if one.lost_by is None:
            return None
    return min(fitting, key=lambda one: (-_worth(one.offer) * one.offer.weight, one.offer.offer_id))


def ranked(
    found: list[Considered], bits: int, segment: int, alert: bytes, policy: Policy, ledger: Ledger
) -> list[Considered]:
    """What was judged, with its factors: what can be made first, then what is kept back, each by priority.

    `alert` is the alert_id's bytes, from which chance is drawn.
    """
    order = []
    for one in found:
        offer = one.offer
        if one.failed is None:
            counts = ledger.of(offer.offer_id)
            likely = propensity(counts, offer.propensity, segment, alert + offer.offer_id.encode())
            context = _context(offer, bits, policy.context)
            value = _worth(offer)
            factors = Factors(likely, context, value, offer.weight, likely * context * value * offer.weight)
            rule = one.lost_by or ("no_uplift" if likely == 0 and unasked(counts) > 0 else None)
            one = Considered(offer, one.checks, None, rule, factors)
        order.append(one)
    return sorted(order, key=_place)


def runners_up(losers: list[Considered], best: Considered, seen: FeatureValues) -> list[RunnerUp]:
    """The nearest of those that lost, with the reason."""
    return [_told(loser, best, seen) for loser in losers[:RUNNERS_UP_MAX]]


def _told(loser: Considered, best: Considered, seen: FeatureValues) -> RunnerUp:
    if loser.failed is not None:
        said = why_not(loser.failed, seen)
        return RunnerUp(loser.offer.offer_id, loser.failed.group, said.en, why_zh=said.zh)
    if loser.lost_by is not None:
        return RunnerUp(loser.offer.offer_id, loser.lost_by, _WHY[loser.lost_by], loser.factors)
    assert loser.factors is not None
    assert best.factors is not None
    why = f"{loser.factors.priority:,.0f} is less than {best.factors.priority:,.0f}"
    return RunnerUp(loser.offer.offer_id, "priority", why, loser.factors)


def _place(one: Considered) -> tuple[bool, bool, float, str]:
    return (
        one.factors is None,
        one.lost_by is not None,
        -(one.factors.priority if one.factors else 0),
        one.offer.offer_id,
    )


def _worth(offer: Offer) -> int:
    """What the bank gains if it is taken."""
    return offer.value_minor - offer.cost_minor


def _context(offer: Offer, bits: int, given: Mapping[Trigger | Literal["churn_risk"], float]) -> float:
    """Of the strongest of the offer's moments that have come."""
    found = [given.get(name, TRIGGERS[name].context) for name in offer.when if TRIGGERS[name].bit & bits]
    if offer.retention and bits & CHURN_RISK:
        found.append(given.get("churn_risk", TRIGGERS["churn_risk"].context))
    return max(found)
