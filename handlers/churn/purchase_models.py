"""BG/NBD and MBG/NBD: the probability that a customer makes no transaction in the next H, in closed form.

Both see a customer as x repeat transactions, the last at time t_x and the present at time T after the first. While
alive a customer transacts at a rate of their own (gamma over customers); after each transaction they may leave for
good, with a probability of their own (beta over customers). In BG/NBD nobody leaves before the first repeat, so who
came once counts as alive for ever; MBG/NBD lets them leave after the first transaction too.

Sources: Fader, Hardie, Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2), formulas 6 and A1;
Batislam, Denizel, Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis",
Int. J. of Research in Marketing 24(3); Hoppe, Wagner (2007), "Customer base analysis: The case for a central variant of
the Betageometric/NBD model", Marketing JRM 3(2).
"""

import msgspec
import numpy as np

from handlers.kernel.jit import F8, jit


class PurchaseModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fitted parameters; times in days."""

    r: float
    alpha: float
    a: float
    b: float
    modified: bool
    """Whether it is MBG/NBD."""


@jit
def p_alive(r: float, alpha: float, a: float, b: float, modified: bool, x: float, t_x: float, t: float) -> float:
    """P(alive at T | x, t_x, T)."""
    if not modified and x <= 0.0:
        return 1.0
    before = b + x if modified else b + max(x, 1.0) - 1.0
    odds = np.log(a) - np.log(before) + (r + x) * (np.log(alpha + t) - np.log(alpha + t_x))
    return float(1.0 / (1.0 + np.exp(min(odds, 700.0))))


@jit
def p_comes(r: float, alpha: float, x: float, t: float, horizon: float) -> float:
    """P(a transaction in (T, T + horizon] | alive at T), the same in both."""
    return float(-np.expm1((r + x) * (np.log(alpha + t) - np.log(alpha + t + horizon))))


@jit
def p_silent(
    r: float, alpha: float, a: float, b: float, modified: bool, x: float, t_x: float, t: float, horizon: float
) -> float:
    """P(no transaction in (T, T + horizon] | x, t_x, T) = 1 - P(alive) (1 - ((alpha + T) / (alpha + T + H))^(r + x)).

    For the alive the rate is gamma(r + x, alpha + T), and nobody leaves without a transaction.
    """
    return 1.0 - p_alive(r, alpha, a, b, modified, x, t_x, t) * p_comes(r, alpha, x, t, horizon)


@jit
def _fill(
    r: float, alpha: float, a: float, b: float, modified: bool, x: F8, t_x: F8, t: F8, horizon: float, out: F8
) -> None:
    for i in range(x.shape[0]):
        if horizon > 0.0:
            out[i] = p_silent(r, alpha, a, b, modified, x[i], t_x[i], t[i], horizon)
        else:
            out[i] = p_alive(r, alpha, a, b, modified, x[i], t_x[i], t[i])


def _each(model: PurchaseModel, x: F8, t_x: F8, t: F8, horizon_days: float) -> F8:
    out = np.empty(len(x))
    _fill(model.r, model.alpha, model.a, model.b, model.modified, x, t_x, t, horizon_days, out)
    return out


def silent(model: PurchaseModel, x: F8, t_x: F8, t: F8, horizon_days: float) -> F8:
    """P(no transaction in the next horizon_days) of each customer; all (n,), times in days."""
    return _each(model, x, t_x, t, horizon_days)


def alive(model: PurchaseModel, x: F8, t_x: F8, t: F8) -> F8:
    """P(alive) of each customer; all (n,), times in days."""
    return _each(model, x, t_x, t, 0.0)
