"""Fitting BG/NBD and MBG/NBD by maximum likelihood, so that it always converges.

Everything is in logarithms, time is scaled to the mean age, several starts are tried, and a weak log-normal prior
keeps parameters that the data don't speak of from running away (lifetimes #160 #165 #262: fits without it may not
converge). On the CDNOW sample the prior moves no published figure in its third place.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from handlers.churn.purchase_models import PurchaseModel
from handlers.kernel.jit import F8

_STARTS = ((0.0, 0.0, 0.0, 0.0), (-1.0, -1.5, 0.0, 1.0), (1.0, 1.0, -2.0, 1.0))
"""Logarithms of r, alpha, a and b, in units of the mean age."""
_PRIOR_SD = 3.0
_BOUND = 12.0


def fit(x: F8, t_x: F8, t: F8, modified: bool) -> PurchaseModel:
    """The parameters that make these customers likeliest: x repeats, the last at t_x, seen until t, all (n,), days.

    Likelihoods: Fader, Hardie, Lee (2005), formula 6; for `modified`, Batislam et al. (2007).
    Raises ValueError for no customers or ages that are not positive.
    """
    if not len(x) or not np.mean(t) > 0:
        raise ValueError("a purchase model is fitted on at least one customer who was first seen before the present")
    scale = float(np.mean(t))
    counts, last, age = x, np.minimum(t_x, t) / scale, t / scale
    best = min(
        (
            minimize(
                _loss, start, (counts, last, age, modified), "L-BFGS-B", jac=True, bounds=[(-_BOUND, _BOUND)] * 4,
                options={"maxiter": 500},
            )
            for start in _STARTS
        ),
        key=lambda result: float(result.fun),
    )  # fmt: skip
    r, alpha, a, b = (float(value) for value in np.exp(best.x))
    return PurchaseModel(r, alpha * scale, a, b, modified)


def log_likelihood(model: PurchaseModel, x: F8, t_x: F8, t: F8) -> float:
    """Log likelihood of all these customers together."""
    theta = np.log([model.r, model.alpha, model.a, model.b])
    return -_terms(theta, x, t_x, t, model.modified)[0]


def _loss(theta: F8, x: F8, t_x: F8, t: F8, modified: bool) -> tuple[float, F8]:
    loss, gradient = _terms(theta, x, t_x, t, modified)
    return loss + float(theta @ theta) / (2 * _PRIOR_SD**2), gradient + theta / _PRIOR_SD**2


def _terms(theta: F8, x: F8, t_x: F8, t: F8, modified: bool) -> tuple[float, F8]:
    """Negative log-likelihood and its gradient by the logarithms of the parameters."""
    r, alpha, a, b = np.exp(theta)
    more = 1.0 if modified else 0.0
    still = -(r + x) * np.log(alpha + t)
    before = b + x if modified else b + np.maximum(x, 1.0) - 1.0
    left = np.log(a) - np.log(before) - (r + x) * np.log(alpha + t_x)
    if not modified:
        left = np.where(x > 0, left, -np.inf)
    both = np.logaddexp(still, left)
    likelihood = (
        gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        + gammaln(a + b) + gammaln(b + x + more) - gammaln(b) - gammaln(a + b + x + more)
        + both
    )  # fmt: skip
    gone = np.exp(left - both)
    here = 1.0 - gone
    by_r = digamma(r + x) - digamma(r) + np.log(alpha) - here * np.log(alpha + t) - gone * np.log(alpha + t_x)
    by_alpha = r / alpha - (r + x) * (here / (alpha + t) + gone / (alpha + t_x))
    common = digamma(a + b) - digamma(a + b + x + more)
    by_a = common + gone / a
    by_b = common + digamma(b + x + more) - digamma(b) - gone / before
    gradient = -np.array([by_r.sum() * r, by_alpha.sum() * alpha, by_a.sum() * a, by_b.sum() * b])
    return -float(likelihood.sum()), gradient
