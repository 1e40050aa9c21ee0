"""The customers together, estimated from a sample of rows: how active they are, what they hold, how they come."""

from collections.abc import Sequence
from typing import NamedTuple

from handlers.profile.customer import churn_raised_at, profile
from schemas.transaction import CHANNELS
from serving.campaigns import wilson


class Share(NamedTuple):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


class Portfolio(NamedTuple):
    """Figures of the customers in a sample. Money in minor units."""

    customers: int
    active: Share
    """With a transaction of their own in 30 days."""
    at_risk: Share
    """With a churn alert that stands."""
    balance_mean: float
    balance_at_risk: float
    """Share of all balances that is held by customers at risk."""
    top_fifth: float
    """Share of the balances that the fifth with the largest holds."""
    curve: tuple[tuple[float, float], ...]
    """Share of customers, largest balance first, and the share of balances that they hold."""
    channels: tuple[tuple[str, float], ...]
    """Share of the transactions of 90 days, the largest first."""

    @classmethod
    def of(cls, rows: Sequence[tuple[bytes, int]]) -> "Portfolio | None":
        """`rows` as Customers.sample gives them; None without any."""
        if not rows:
            return None
        figures = [(profile(row, now), churn_raised_at(row) is not None) for row, now in rows]
        n = len(figures)
        active = sum(bool(features["active_days_30d"]) for features, _ in figures)
        risk = sum(raised for _, raised in figures)
        balances = sorted((max(features["balance"] or 0, 0) for features, _ in figures), reverse=True)
        whole = sum(balances)
        at_risk = sum(max(features["balance"] or 0, 0) for features, raised in figures if raised)
        counts = dict.fromkeys(CHANNELS, 0.0)
        for features, _ in figures:
            for name in CHANNELS:
                counts[name] += (features[f"share_channel_{name}_90d"] or 0) * (features["count_90d"] or 0)
        of_all = sum(counts.values())
        shares = sorted(((count / of_all, name) for name, count in counts.items() if count), reverse=True)
        return cls(
            customers=n,
            active=_share(active, n),
            at_risk=_share(risk, n),
            balance_mean=whole / n,
            balance_at_risk=at_risk / whole if whole else 0.0,
            top_fifth=sum(balances[: -(-n // 5)]) / whole if whole else 0.0,
            curve=_curve(balances, whole),
            channels=tuple((name, share) for share, name in shares),
        )


def _share(hits: int, trials: int) -> Share:
    return Share(hits / trials, *wilson(hits, trials))


def _curve(balances: Sequence[float], whole: float) -> tuple[tuple[float, float], ...]:
    if not whole:
        return ()
    points, held, n = [(0.0, 0.0)], 0.0, len(balances)
    for rank, balance in enumerate(balances, 1):
        held += balance
        if rank * 50 // n != (rank - 1) * 50 // n or rank == n:
            points.append((rank / n, held / whole))
    return tuple(points)
