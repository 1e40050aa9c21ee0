"""Which of the offers whose moment has come is the best: priority = propensity x context x value x weight."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from handlers.conditions import failing, why_not
from handlers.ledger import Ledger
from handlers.moments import CHURN_RISK, MOMENTS
from handlers.propensity import propensity
from handlers.snapshot import Snapshot
from schemas.alert import Factors, RunnerUp
from schemas.offer import Offer, Trigger
from schemas.policy import Policy
from schemas.units import epoch_ms

RUNNERS_UP_MAX = 3

_WHY = {
    "held": "the customer has the product",
    "cooldown": "it was offered not long ago",
    "declined": "the customer has declined it",
    "ignored": "the customer has ignored it again and again",
    "consent": "there is no consent to this channel",
    "cap": "the customer has been contacted often enough",
    "budget": "its budget is spent",
    "no_uplift": "customers take it as often without being offered it",
    "contacts_full": "the customer's history has no room left",
}


class Considered(NamedTuple):
    """One offer at one moment. Without `factors` its conditions don't hold; with `lost_by` it can't be made."""

    offer: Offer
    factors: Factors | None
    lost_by: str = ""
    why: str = ""


def wanted_bits(offers: tuple[Offer, ...]) -> int:
    """The moments that any offer waits for; the others need no decision."""
    bits = 0
    for offer in offers:
        bits |= _bits(offer)
    return bits


def considered(
    offers: tuple[Offer, ...],
    bits: int,
    at: int,
    seen: Snapshot,
    segment: int,
    alert: bytes,
    policy: Policy,
    ledger: Ledger,
    blocked: Callable[[Offer], str | None],
) -> list[Considered]:
    """Every offer that waits for one of these moments and has its time: what can be made first, each part by priority.

    `alert` is the alert_id's bytes, from which chance is drawn; `blocked` says which rule keeps an offer back.
    """
    found = [
        _considered(offer, bits, seen, segment, alert, policy, ledger, blocked)
        for offer in offers
        if _bits(offer) & bits and _in_its_time(offer, at)
    ]
    return sorted(found, key=_place)


def runners_up(losers: list[Considered], best: Considered | None) -> list[RunnerUp]:
    """The nearest of those that lost, with the reason."""
    told = []
    for loser in losers[:RUNNERS_UP_MAX]:
        by, why = loser.lost_by, loser.why
        if not by and best is not None and best.factors is not None and loser.factors is not None:
            by, why = "priority", f"{loser.factors.priority:,.0f} is less than {best.factors.priority:,.0f}"
        told.append(RunnerUp(loser.offer.offer_id, by, why, loser.factors))
    return told


def _considered(
    offer: Offer,
    bits: int,
    seen: Snapshot,
    segment: int,
    alert: bytes,
    policy: Policy,
    ledger: Ledger,
    blocked: Callable[[Offer], str | None],
) -> Considered:
    if broken := failing(offer, seen):
        return Considered(offer, None, broken[0], why_not(broken[1], seen))
    likely = propensity(ledger.of(offer.offer_id), offer.propensity, segment, alert + offer.offer_id.encode())
    context = _context(offer, bits, policy.context)
    value = offer.value_minor - offer.cost_minor
    factors = Factors(likely, context, value, offer.weight, likely * context * value * offer.weight)
    rule = blocked(offer) or ("no_uplift" if likely == 0 else "")
    return Considered(offer, factors, rule, _WHY.get(rule, ""))


def _place(one: Considered) -> tuple[bool, bool, float, str]:
    return one.factors is None, bool(one.lost_by), -(one.factors.priority if one.factors else 0), one.offer.offer_id


def _context(offer: Offer, bits: int, given: Mapping[Trigger, float]) -> float:
    """Of the strongest of the offer's moments that have come."""
    found = [given.get(name, MOMENTS[name].context) for name in offer.when if MOMENTS[name].bit & bits]
    if offer.retention and bits & CHURN_RISK:
        found.append(MOMENTS["churn_risk"].context)
    return max(found)


def _bits(offer: Offer) -> int:
    bits = CHURN_RISK if offer.retention else 0
    for name in offer.when:
        bits |= MOMENTS[name].bit
    return bits


def _in_its_time(offer: Offer, at: int) -> bool:
    return (offer.valid_from is None or epoch_ms(offer.valid_from) <= at) and (
        offer.valid_to is None or at < epoch_ms(offer.valid_to)
    )
