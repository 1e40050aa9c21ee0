"""What churn alerts were worth at a made-up bank, where it is known who left and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from learning.simulator import Truth
from schemas.alert import Alert
from schemas.units import DAY_MS, parse_rfc3339

_FIRST = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one customer; days since 1970, UTC."""

    customer_id: str
    turns: int | None
    """First day of fading or of having left; None who stays."""
    gone: int | None
    """First day from which nothing of their own happens."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Counts and days."""

    alerts: int
    """Churn alerts raised."""
    taken_back: int
    right: int
    """Alerts about customers who had left or begun to fade."""
    left: int
    """Customers who had left by the end."""
    noticed: int
    """Customers who had left and of whom an alert stood at the end."""
    days: float | None
    """Median of the days from the first on which a customer was gone to the alert that stood, over all who left; None
    where most were not noticed. Who was noticed while fading counts with days below zero."""
    stayed: int
    bothered: int
    """Customers who stayed and of whom there ever was an alert."""


def fates(truth: Iterable[Truth]) -> list[Fate]:
    """The fates of the customers of a simulated bank."""

    def number(day: date | None) -> int | None:
        return None if day is None else (day - _FIRST).days

    return [Fate(one.customer_id, number(one.turns_on), number(one.gone_on)) for one in truth]


def noticed(alerts: Iterable[Alert], fates: Sequence[Fate], end: int) -> Noticed:
    """By the alerts of a whole stream that ends on the day `end`."""
    raised: dict[str, list[Alert]] = {}
    withdrawn = set()
    for alert in alerts:
        if alert.kind == "churn_risk" and alert.status == "raised":
            raised.setdefault(alert.customer_id, []).append(alert)
        elif alert.kind == "churn_risk":
            withdrawn.add(alert.supersedes)
    right = left = stayed = bothered = 0
    delays = []
    for fate in fates:
        of_these = raised.get(fate.customer_id, [])
        if fate.turns is None or fate.turns > end:
            stayed += 1
            bothered += bool(of_these)
            continue
        right += sum(_day(alert) >= fate.turns for alert in of_these)
        if fate.gone is not None and fate.gone <= end:
            left += 1
            standing = [_day(alert) - fate.gone for alert in of_these if alert.alert_id not in withdrawn]
            delays += [min(standing, default=None)]
    delays_known = [delay for delay in delays if delay is not None]
    middle = median([*delays_known, *[float("inf")] * (left - len(delays_known))]) if left else float("inf")
    return Noticed(
        alerts=sum(map(len, raised.values())),
        taken_back=len(withdrawn),
        right=right,
        left=left,
        noticed=len(delays_known),
        days=None if middle == float("inf") else middle,
        stayed=stayed,
        bothered=bothered,
    )


def _day(alert: Alert) -> int:
    return parse_rfc3339(alert.raised_at) // DAY_MS
