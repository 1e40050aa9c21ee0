"""What each offer has come to: sent, taken, what is left of its budget, and how much the offering itself brings."""

from collections.abc import Iterable
from math import sqrt

from handlers.offers.catalog import Catalogue
from handlers.offers.counts import Ledger
from schemas.offer import Offer
from serving.shapes import Campaign, Interval

_Z = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


def campaigns(catalogue: Catalogue, ledgers: Iterable[Ledger]) -> list[Campaign]:
    """One for each offer of the catalogue, then those that were sent and are no longer in it."""
    totals: dict[str, list[int]] = {offer.offer_id: [0] * 5 for offer in catalogue.offers}
    for ledger in ledgers:
        for offer_id in ledger.offers():
            counts = ledger.of(offer_id)
            figures = (counts.spent, *counts.made, *counts.control)
            total = totals.setdefault(offer_id, [0] * 5)
            total[:] = [a + b for a, b in zip(total, figures, strict=True)]
    offers = {offer.offer_id: offer for offer in catalogue.offers}
    return [_campaign(offer_id, offers.get(offer_id), total) for offer_id, total in totals.items()]


def _campaign(offer_id: str, offer: Offer | None, total: list[int]) -> Campaign:
    spent, made, taken, control_made, control_taken = total
    budget = None if offer is None else offer.budget
    return Campaign(
        offer_id=offer_id,
        product=None if offer is None else offer.product,
        sent=spent,
        taken=taken,
        control_made=control_made,
        control_taken=control_taken,
        budget=budget,
        budget_left=None if budget is None else max(budget - spent, 0),
        lift=lift(taken, made, control_taken, control_made) if made and control_made else None,
    )


def lift(taken: int, made: int, control_taken: int, control_made: int) -> Interval:
    """The difference of two shares with Newcombe's 95 % interval (1998, method 10), good for small numbers too."""
    p, (low, high) = taken / made, wilson(taken, made)
    q, (control_low, control_high) = control_taken / control_made, wilson(control_taken, control_made)
    below = sqrt((p - low) ** 2 + (control_high - q) ** 2)
    above = sqrt((high - p) ** 2 + (q - control_low) ** 2)
    return Interval(p - q, max(p - q - below, -1.0), min(p - q + above, 1.0))


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, z2 = hits / trials, _Z * _Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return middle - half, middle + half
