"""How good scores are: ranking, calibration, lift, money; and whether a difference could be chance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from handlers.kernel.jit import F8, I8

DECILES = 10
RESAMPLES = 1_000
_SEED = 20_240_607
_SURE = 1e-6
"""Probabilities are held this far from 0 and 1 where their logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one method. What needs a probability is None where the method gives only a rank."""

    auc: float
    average_precision: float
    top_decile_lift: float
    brier: float | None
    log_loss: float | None
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Customers whose scores lie together."""

    customers: int
    score: float
    """Mean."""
    left: float
    """Share."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Model less baseline, with the 95 % interval of the paired bootstrap over customers."""

    value: float
    low: float
    high: float
    better: float
    """Share of resamples in which the model is the better."""


def quality(left: F8, score: F8, is_probability: bool) -> Quality:
    """Quality of scores (n,) against who left, 1 or 0, (n,), both of which must occur."""
    sure = np.clip(score, _SURE, 1 - _SURE)
    return Quality(
        auc=float(roc_auc_score(left, score)),
        average_precision=float(average_precision_score(left, score)),
        top_decile_lift=lift(left, score)[0],
        brier=float(brier_score_loss(left, sure)) if is_probability else None,
        log_loss=float(log_loss(left, sure)) if is_probability else None,
        calibration_error=calibration_error(left, score) if is_probability else None,
    )


def ranked(score: F8) -> I8:
    """Places from the highest score to the lowest; ties in the order given."""
    return np.argsort(-score, kind="stable")


def lift(left: F8, score: F8) -> list[float]:
    """For each tenth from the highest scores down, its share of leavers over everybody's."""
    tenths = np.array_split(left[ranked(score)], DECILES)
    return [float(tenth.mean() / left.mean()) if len(tenth) else 0.0 for tenth in tenths]


def reliability(left: F8, score: F8) -> list[Bin]:
    """The ten bins of equal width from 0 to 1, but for empty ones."""
    bin_index = np.minimum((score * DECILES).astype(np.int64), DECILES - 1)
    bins = [(bin_index == k) for k in range(DECILES)]
    return [Bin(int(b.sum()), float(score[b].mean()), float(left[b].mean())) for b in bins if b.any()]


def calibration_error(left: F8, score: F8) -> float:
    """Expected calibration error: mean over customers of |share who left - mean score| of their bin (ten bins)."""
    return sum(b.customers * abs(b.left - b.score) for b in reliability(left, score)) / len(left)


def money_share(left: F8, score: F8, money: F8) -> F8:
    """Share of the leavers' money that belongs to the k highest scores, for k of 1..n, (n,)."""
    at_stake = np.cumsum((left * money)[ranked(score)])
    total = at_stake[-1] if len(at_stake) else 0.0
    shares: F8 = at_stake / total if total > 0 else np.zeros(len(at_stake))
    return shares


def auc_difference(left: F8, model: F8, baseline: F8) -> Difference:
    """In AUC; more is better."""
    observed = float(roc_auc_score(left, model) - roc_auc_score(left, baseline))
    ours, theirs = _Ranks(left, model), _Ranks(left, baseline)
    return _bootstrap(len(left), observed, lambda times: ours.auc(times) - theirs.auc(times), 1.0)


def log_loss_difference(left: F8, model: F8, baseline: F8) -> Difference:
    """In log-loss; less is better."""
    gap = _each_loss(left, model) - _each_loss(left, baseline)
    return _bootstrap(len(left), float(gap.mean()), lambda times: float(gap @ times / times.sum()), -1.0)


def _each_loss(left: F8, score: F8) -> F8:
    sure = np.clip(score, _SURE, 1 - _SURE)
    losses: F8 = -np.log(np.where(left > 0, sure, 1 - sure))
    return losses


def _bootstrap(n: int, observed: float, statistic: Callable[[I8], float], sign: float) -> Difference:
    chance = np.random.default_rng(_SEED)
    resampled = np.array([statistic(np.bincount(chance.integers(0, n, n), minlength=n)) for _ in range(RESAMPLES)])
    resampled = resampled[np.isfinite(resampled)]
    low, high = np.quantile(resampled, [0.025, 0.975]) if len(resampled) else (np.nan, np.nan)
    better = float(np.mean(sign * resampled > 0)) if len(resampled) else np.nan
    return Difference(observed, float(low), float(high), better)


class _Ranks:
    """AUC of resamples without sorting again: customers stand in the order of their scores, ties together."""

    def __init__(self, left: F8, score: F8) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self._left = left[self._order]

    def auc(self, times: I8) -> float:
        """With each customer taken `times` times; NaN if leavers or stayers are missing."""
        drawn = times[self._order]
        leavers = np.add.reduceat(drawn * self._left, self._starts)
        stayers = np.add.reduceat(drawn * (1 - self._left), self._starts)
        pairs = leavers.sum() * stayers.sum()
        below = np.cumsum(stayers) - 0.5 * stayers
        return float(leavers @ below / pairs) if pairs > 0 else float("nan")
