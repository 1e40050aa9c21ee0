"""Alerts and figures in words that a bank's employee can read aloud."""

from handlers.aggregates.features import FEATURES, INDEX, Unit
from schemas.alert import Alert
from schemas.money import money

MISSING = "–"


def sentence(alert: Alert) -> str:
    """The alert as plain sentences."""
    who, until = f"customer {alert.customer_id}", alert.expires_at[:10]
    reasons = " ".join(reason.sentence for reason in alert.reasons)
    if alert.status == "retracted":
        return f"Taken back: {who} is no longer a case of {alert.kind.replace('_', ' ')}. {reasons}"
    if alert.offer is not None:
        after = f" after {alert.not_before[:16].replace('T', ' ')} UTC" if alert.not_before else ""
        return f"Offer {who} this{after} until {until}: {alert.offer.product}. “{alert.offer.text}” {reasons}"
    by = ", by the general model" if alert.model.general else ""
    sure = "" if alert.score is None else f" ({alert.score:.0%} within {alert.horizon_days} days{by})"
    return f"{who[0].upper()}{who[1:]} may be leaving{sure}; act before {until}. {reasons}"


def figure(name: str, value: float | None, currency: str) -> str:
    """A feature's value with its unit."""
    if value is None:
        return MISSING
    match FEATURES[INDEX[name]].unit:
        case Unit.MINOR:
            return money(value, currency)
        case Unit.SHARE:
            return f"{value:.0%}"
        case Unit.RATIO:
            return f"{value:.2f} times"
        case Unit.DAYS | Unit.WHOLE_DAYS:
            return f"{value:,.4g} d"
        case Unit.PER_30_DAYS:
            return f"{value:,.1f} in 30 d"
        case _:
            return f"{value:,}"
