"""Random numbers that are the same for a seed on every machine and with every version of numpy.

numpy promises the raw words of PCG64, not its distributions; so only the words are used, and arithmetic that IEEE 754
fixes to the last bit: sums, products and comparisons, and tables of quantiles rounded to thousandths.
"""

from math import log1p
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
B1 = NDArray[np.bool_]

_QUANTILES = 1024


class Chance:
    """One stream of random numbers. Streams of one seed with different purposes have nothing to do with each other."""

    def __init__(self, seed: int, purpose: int) -> None:
        """Raises ValueError for a negative seed."""
        self._words = np.random.PCG64(np.random.SeedSequence([seed, purpose]))

    def uniform(self, *shape: int) -> F8:
        """Numbers in [0, 1) with 53 random bits."""
        words = self._words.random_raw(int(np.prod(shape))).reshape(shape)
        numbers: F8 = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return numbers

    def whole(self, size: int, low: int, high: int) -> I8:
        """Whole numbers from low up to and including high."""
        return low + (self.uniform(size) * (high - low + 1)).astype(np.int64)

    def happens(self, size: int, probability: float | F8) -> B1:
        """Whether each of `size` things happens."""
        return self.uniform(size) < probability

    def around(self, size: int, quantiles: F8) -> F8:
        """Numbers distributed as a table made by `log_normal`."""
        return quantiles[(self.uniform(size) * _QUANTILES).astype(np.int64)]


def log_normal(sigma: float) -> F8:
    """1024 quantiles of a log-normal distribution with median 1, rounded to thousandths."""
    normal = NormalDist(0.0, sigma)
    exponents = np.array([normal.inv_cdf((i + 0.5) / _QUANTILES) for i in range(_QUANTILES)])
    quantiles: F8 = np.round(np.exp(exponents), 3)
    return quantiles


def exponential() -> F8:
    """1024 quantiles of an exponential distribution with mean 1, rounded to thousandths."""
    return np.array([round(-log1p(-(i + 0.5) / _QUANTILES), 3) for i in range(_QUANTILES)])
