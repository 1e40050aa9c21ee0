"""Records of one customer, written short, for tests of decisions."""

from typing import Any

from schemas.alert import Alert
from schemas.offer import Offer
from schemas.units import DAY_MS, HOUR_MS

START = 1_709_164_800_000  # 2024-02-29T00:00:00Z, a Thursday
NOON = 12 * HOUR_MS


def day(number: float) -> int:
    """Noon (UTC) of a day counted from START, epoch ms."""
    return START + round(number * DAY_MS) + NOON


def booked(
    on: float,
    amount: int,
    kind: str,
    channel: str = "online",
    balance: int | None = None,
    customer: str = "ann",
    account: str = "main",
) -> dict[str, Any]:
    """A booking at noon of a day."""
    fields: dict[str, Any] = {
        "event_id": f"{customer}-{on}-{kind}-{channel}-{account}",
        "customer_id": customer,
        "account_id": f"{customer}/{account}",
        "occurred_at": day(on),
        "amount_minor": amount,
        "currency": "EUR",
        "type": kind,
        "channel": channel,
    }
    return fields if balance is None else fields | {"balance_minor": balance}


def salary(on: float, customer: str = "ann") -> dict[str, Any]:
    """A moment that brings an offer."""
    return booked(on, 100, "salary", customer=customer)


def event(kind: str, on: float, customer: str = "ann", **fields: Any) -> dict[str, Any]:
    """A customer event."""
    told = {"record": "customer-events", "event_id": f"{kind}-{on}", "customer_id": customer, "kind": kind}
    return told | {"occurred_at": day(on)} | fields


def outcome(what: str, on: float, offer_id: str, alert: Alert | None = None, customer: str = "ann") -> dict[str, Any]:
    """An outcome of an alert."""
    told = {"record": "alert-outcomes", "customer_id": customer, "offer_id": offer_id, "outcome": what}
    named = {} if alert is None else {"alert_id": alert.alert_id}
    return told | {"occurred_at": day(on)} | named


def offer(name: str = "savings", value: int = 100, when: Any = ("salary",), **fields: Any) -> Offer:
    """An offer that is repeated the next day."""
    return Offer(name, name.title(), f"Would {name} suit you?", value, list(when), **{"cooldown_days": 1, **fields})


def offered(alerts: list[Alert]) -> list[str]:
    """The ids of the offers that were raised, in order."""
    return [alert.offer.offer_id for alert in alerts if alert.offer is not None]
