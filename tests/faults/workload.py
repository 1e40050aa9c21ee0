"""A bank's transactions for one seed: few customers, many moments that are worth an alert."""

import random
import time
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import msgspec
import orjson

from schemas.transaction import HEARTBEAT_HEADER
from schemas.units import DAY_MS, HOUR_MS, rfc3339

START = 1_709_164_800_000
"""2024-02-29T00:00:00Z."""


OFFER_VALID_MS = 14 * DAY_MS
DOUBT_MS = 3 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Sent:
    """One record for the topic."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What a seed's transactions are like."""

    events: int = 300
    customers: int = 12
    partitions: int = 3
    duplicates: float = 0.0
    """Share of events that are sent again, at once or much later."""
    poison: float = 0.02
    hot: float = 0.0
    """Share of events that are one customer's."""
    start: int = START
    silence_days: int = 400
    """Stream time goes that far beyond the last event at the end; 0 leaves it there."""
    now: int = 0
    """Of a plan of late: when it was made, epoch ms."""


def records(plan: Plan, seed: int) -> list[Sent]:
    """The records in the order of sending: events in about the order of time, at the end a heartbeat a partition."""
    chance = random.Random(seed)
    events = sorted(_events(plan, chance), key=lambda event: event["arrives"])
    if plan.now:  # clocks that differ would decide differently on an offer that runs out at present
        doubtful = range(plan.now - OFFER_VALID_MS - DOUBT_MS, plan.now - OFFER_VALID_MS + DOUBT_MS)
        events = [event for event in events if event["occurred_at"] not in doubtful]
    sent: list[Sent] = []
    for event in events:
        event.pop("arrives")
        partition = partition_of(event["customer_id"], plan.partitions)
        key = event["customer_id"].encode()
        if chance.random() < plan.poison:
            sent.append(Sent(partition, *_poison(chance, key, event)))
        record = Sent(partition, key, orjson.dumps(event))
        sent.append(record)
        if chance.random() < plan.duplicates:
            sent.append(record)
    if plan.duplicates:
        for record in chance.sample(sent, int(len(sent) * plan.duplicates / 2)):
            sent.insert(chance.randint(sent.index(record) + 1, len(sent)), record)
    if plan.silence_days:
        last = max(event["occurred_at"] for event in events) + plan.silence_days * DAY_MS
        header = (HEARTBEAT_HEADER, rfc3339(last).encode())
        sent += [Sent(number, None, None, [header]) for number in range(plan.partitions)]
    return sent


def lately(plan: Plan) -> Plan:
    """The plan so that most of its events lie in the months before the present."""
    now = int(time.time() * 1_000)
    return replace(plan, start=now // DAY_MS * DAY_MS - 110 * DAY_MS, silence_days=0, now=now)


def partition_of(customer: str, partitions: int) -> int:
    """Where the customer's records go."""
    return crc32(customer.encode()) % partitions


def event_id(value: bytes | None) -> str | None:
    """The event_id of a record, None if it has none."""
    try:
        return str(msgspec.json.decode(value or b"").get("event_id"))
    except (msgspec.DecodeError, AttributeError, UnicodeDecodeError):
        return None


def _events(plan: Plan, chance: random.Random) -> list[dict[str, Any]]:
    """Each customer comes every few days, then stays away for a month or two, and some come back."""
    clocks = {f"C{number:03}": plan.start + chance.randrange(5 * DAY_MS) for number in range(plan.customers)}
    names = list(clocks)
    events: list[dict[str, Any]] = []
    originals: list[dict[str, Any]] = []
    for number in range(plan.events):
        name = names[0] if chance.random() < plan.hot else chance.choice(names)
        clocks[name] += chance.choice((0, 2 * HOUR_MS, DAY_MS, DAY_MS, 2 * DAY_MS, 3 * DAY_MS))
        if chance.random() < 0.06:
            clocks[name] += chance.randint(35, 70) * DAY_MS
        at = clocks[name] - (chance.randint(0, 20 * DAY_MS) if chance.random() < 0.05 else 0)
        kind = chance.choice(("card_payment", "card_payment", "salary", "transfer_in", "fee", "bill_payment"))
        credit = kind in ("salary", "transfer_in")
        event: dict[str, Any] = {
            "event_id": f"e{number}",
            "customer_id": name,
            "account_id": f"{name}/{chance.randrange(2)}",
            "occurred_at": at,
            "amount_minor": chance.randint(10_000, 900_000) if credit else -chance.randint(100, 20_000),
            "currency": "EUR",
            "type": kind,
            "channel": chance.choice(("card", "online", "mobile", "counter", "atm")),
            "balance_minor": chance.randint(0, 1_000_000),
            "arrives": clocks[name],
        }
        if originals and chance.random() < 0.03:
            original = originals.pop(chance.randrange(len(originals)))
            event = original | {
                "event_id": f"e{number}",
                "amount_minor": -original["amount_minor"],
                "occurred_at": max(original["occurred_at"], at),
                "reversal_of": {"event_id": original["event_id"], "occurred_at": original["occurred_at"]},
                "arrives": max(original["arrives"], clocks[name]),
            }
            event.pop("balance_minor")
        else:
            originals.append(event)
        events.append(event)
    return events


def _poison(chance: random.Random, key: bytes, event: dict[str, Any]) -> tuple[bytes | None, bytes | None]:
    """A key and a value that break a rule."""
    return chance.choice(
        (
            (key, b"{not json"),
            (b"somebody-else", orjson.dumps(event)),
            (key, orjson.dumps({**event, "amount_minor": 10**16})),
            (key, orjson.dumps({**event, "occurred_at": event["occurred_at"] + 40 * 365 * DAY_MS})),
            (key, None),
        )
    )
