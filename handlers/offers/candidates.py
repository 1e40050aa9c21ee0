"""A catalogue's offers as moments ask for them: looked up once, for the kernel's screen and for arbitration."""

from collections.abc import Iterable
from typing import NamedTuple

from handlers.offers.conditions import Check, checks_of
from handlers.offers.triggers import CHURN_RISK, MOMENTS
from schemas.offer import Offer
from schemas.units import EARLIEST, LATEST, epoch_ms


class Waiting(NamedTuple):
    """An offer as it is asked for at each moment."""

    offer: Offer
    bits: int
    """The moments that it waits for."""
    since: int
    until: int
    """Its time: from this moment on until that one, epoch ms."""
    checks: tuple[Check, ...]


def waiting_of(offers: Iterable[Offer]) -> list[Waiting]:
    """In the order of the catalogue."""
    return [
        Waiting(
            offer,
            _wanted_bits(offer),
            EARLIEST if offer.valid_from is None else epoch_ms(offer.valid_from),
            LATEST + 1 if offer.valid_to is None else epoch_ms(offer.valid_to),
            checks_of(offer),
        )
        for offer in offers
    ]


def _wanted_bits(offer: Offer) -> int:
    bits = CHURN_RISK if offer.retention else 0
    for name in offer.when:
        bits |= MOMENTS[name].bit
    return bits
