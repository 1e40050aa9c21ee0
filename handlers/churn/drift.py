"""Drift of the churn model's inputs and score: the population stability index (PSI) against training.

PSI = sum over bins of (now - then) ln(now / then); below 0.1 is small, above 0.25 means a look at the model.
Source: Siddiqi (2006), Credit Risk Scorecards, chapter 8.
"""

import numpy as np

from handlers.churn.model import Reference
from handlers.kernel.jit import F8

BINS = 10
_BY_THE_CALENDAR = ("share_type_interest_90d", "share_type_fee_90d")
_GROWING = (
    "repeat_days",
    "first_to_last_days",
    "age_days",
    "silence_of_tenure",
    "tenure_days",
    "frequency",
    "accounts",
)
_SHARE_MIN = 1e-4
"""An empty bin counts as this share, so that the index is finite."""


def reference(name: str, values: F8) -> Reference:
    """What values (n,) look like: deciles, with equal edges made one, and the share that is missing (NaN)."""
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(0)
    return Reference(name, edges.tolist(), _shares(values, edges).tolist())


def stationary(name: str) -> bool:
    """Whether an input may be compared with what it was: not what grows by itself while a bank keeps its customers, nor
    what is another after a day of salaries or of fees."""
    return name not in (*_GROWING, *_BY_THE_CALENDAR) and not name.endswith(("_life", "_7d"))


def psi(then: Reference, values: F8) -> float:
    """The index of values (n,) against the reference; 0 where there are none."""
    if not len(values):
        return 0.0
    before = np.maximum(np.array(then.shares), _SHARE_MIN)
    now = np.maximum(_shares(values, np.array(then.edges)), _SHARE_MIN)
    return float(np.sum((now - before) * np.log(now / before)))


def _shares(values: F8, edges: F8) -> F8:
    missing = np.isnan(values)
    bins = np.searchsorted(edges, values[~missing], side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    shares: F8 = np.append(counts, missing.sum()) / max(len(values), 1)
    return shares
