"""How likely a customer is to take an offer: Beta-Bernoulli per offer and segment, drawn by Thompson sampling.

An offer is believed to be taken as often as the catalogue says, with the weight of PRIOR_TRIALS trials, until outcomes
say otherwise; a segment is believed to be like the others, with the same weight, until its own say otherwise. What is
used is not the mean but one draw from what is believed, so that an offer of which little is known is tried now and then
(Thompson 1933; Chapelle and Li 2011, An Empirical Evaluation of Thompson Sampling). The draw is a function of the
alert's id: replay repeats it.

Where the control group has been watched long enough, what counts is how much likelier the offer makes it that the
product is taken, not how likely it is anyway: the share of the control group who took it unasked is subtracted.
"""

import math
from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct

from handlers.aggregates.snapshot import FeatureValues
from handlers.offers.counts import Counts

PRIOR_TRIALS = 20
CONTROL_MIN = 30
"""Members of the control group who would have been made an offer, before their doings are believed."""

_TENURE_BANDS = (365.0, 3 * 365.0)
_WORDS = Struct(">8Q")


def segment_of(seen: FeatureValues, tier: int) -> int:
    """Tens: known for under 1 year, under 3, longer. Units: place among the tiers, 0 if not known."""
    tenure = seen.number("tenure_days") or 0
    return 10 * sum(tenure >= band for band in _TENURE_BANDS) + tier


def propensity(counts: Counts, believed: float, segment: int, seed: bytes) -> float:
    """0 to 1. `believed` is the catalogue's, `seed` names the alert and the offer."""
    made, taken = counts.made
    overall = (PRIOR_TRIALS * believed + taken) / (PRIOR_TRIALS + made)
    made, taken = counts.cells.get(segment, (0, 0))
    drawn = beta(PRIOR_TRIALS * overall + taken, PRIOR_TRIALS * (1 - overall) + max(made - taken, 0), seed)
    return max(drawn - unasked(counts), 0.0)


def unasked(counts: Counts) -> float:
    """The share of the control group who took the product without being offered it; 0 while too few are known."""
    made, taken = counts.control
    return taken / made if made >= CONTROL_MIN else 0.0


def beta(a: float, b: float, seed: bytes) -> float:
    """A draw from Beta(a, b), a and b > 0, as X / (X + Y) of two gamma draws; a function of its arguments."""
    chance = _uniforms(seed)
    x, y = _gamma(a, chance), _gamma(b, chance)
    return x / (x + y) if x + y > 0 else 0.0


def _gamma(shape: float, chance: Iterator[float]) -> float:
    """A draw from Gamma(shape, 1): Marsaglia and Tsang, A Simple Method for Generating Gamma Variables, 2000."""
    if shape < 1:
        return _gamma(shape + 1, chance) * math.pow(next(chance), 1 / shape)
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = _normal(chance)
        v = (1 + c * x) ** 3
        if v > 0 and math.log(next(chance)) < x * x / 2 + d - d * v + d * math.log(v):
            return d * v


def _normal(chance: Iterator[float]) -> float:
    """A standard normal draw by Marsaglia's polar method."""
    while True:
        u, v = 2 * next(chance) - 1, 2 * next(chance) - 1
        s = u * u + v * v
        if 0 < s < 1:
            return u * math.sqrt(-2 * math.log(s) / s)


def _uniforms(seed: bytes) -> Iterator[float]:
    """Numbers in (0, 1), 53 bits each, from BLAKE2b of the seed and a running number."""
    for block in range(1 << 30):
        for word in _WORDS.unpack(blake2b(seed, digest_size=_WORDS.size, salt=block.to_bytes(8)).digest()):
            yield ((word >> 11) + 0.5) * 2.0**-53
