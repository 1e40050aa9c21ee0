"""A bank's transactions by the million: seeded, so that two runs and two programs are given the same.

Customers draw from a Zipf distribution of exponent `skew` (0 is even). A customer keeps to one channel in 199 of 200
events, so that moments for a decision are as rare as they are for customers who are known. One event in a hundred is a
salary, which the bench's own offer answers with an alert; one in 67 is late, by half an hour to three days; one in a
hundred is published a second time, within the 500 events after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commands.offers import SHIPPED, catalogue
from handlers.offers.catalog import Catalogue
from learning.chance import B1, F8, I8, Chance
from schemas.offer import Offer
from schemas.policy import Policy
from schemas.units import DAY_MS, HOUR_MS

EVENT_BYTES = 250
START_MS = 1_748_736_000_000
"""2025-06-01T00:00:00Z: the stream time at which events begin."""

HISTORIES = 1_000
"""Different pasts that customers may have, footprint.py; account ids repeat with them."""

ALERT_SHARE = 0.01
LATE_SHARE = 0.015
DUPLICATE_SHARE = 0.01
DUPLICATE_WITHIN = 500
SPAN_DAYS_MAX = 5
"""Stream time in one part, unless told: nobody falls silent for long enough to be a case of churn."""

OFFER = Offer("bench", "Bench", "This offer measures time.", 10**9, ["salary"], [], cooldown_days=1, propensity=0.99)
"""An offer of more value than any other, on no condition: every salary raises an alert of it (or, where chance
explores, of another), but for a second of the same customer within a day. Everybody's turn comes before
anybody's second."""

CATALOGUE = Catalogue((*catalogue(SHIPPED).offers, OFFER), Policy())
"""What a small bank offers, with nothing that would keep an alert back."""

EVENT = (
    b'{"event_id":"b-%010d","customer_id":"%b","account_id":"A%08d-%02d","occurred_at":%d,"amount_minor":%d,'
    b'"currency":"EUR","type":"%b","channel":"%b","balance_minor":%d,"counterparty":"%b"}'
)
PAYEE = b"A shop in a town, 1010"
TYPES = (b"card_payment", b"withdrawal", b"bill_payment", b"transfer_out", b"transfer_in", b"salary")
_TYPE_SHARES = (0.62, 0.1, 0.1, 0.1, 0.08)
_TRANSFER_IN, _SALARY = 4, 5
CHANNELS = (b"card", b"mobile", b"online", b"atm", b"counter")
_OTHER_CHANNEL_SHARE = 0.005
_SLICE = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """Events in the order of publishing: columns of the same length."""

    number: I8
    """Number of the event; a duplicate has its original's. Its event_id is event_id(number)."""
    customer: I8
    at: I8
    """occurred_at, epoch ms."""
    amount: I8
    type: I8
    channel: I8
    alerting: B1
    """Raises an alert of the bench's offer."""

    def __len__(self) -> int:
        return len(self.number)

    def values(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each record, EVENT_BYTES long in the mean."""
        for start in range(0, len(self), _SLICE):
            columns = (
                column[start : start + _SLICE].tolist()
                for column in (self.number, self.customer, self.at, self.amount, self.type, self.channel)
            )
            for number, customer, at, amount, kind, channel in zip(*columns, strict=True):
                key = customer_id(customer)
                balance = 1_000_000 + amount
                words = (
                    number,
                    key,
                    customer % HISTORIES,
                    1,
                    at,
                    amount,
                    TYPES[kind],
                    CHANNELS[channel],
                    balance,
                    PAYEE,
                )
                yield key, EVENT % words


class Workload:
    """`customers` people with their habits. Raises ValueError for no customers or a skew outside 0 to 2."""

    def __init__(self, seed: int, customers: int, skew: float) -> None:
        if customers < 1 or not 0 <= skew <= 2:
            raise ValueError("a workload has at least one customer, and a skew from 0 to 2")
        self.customers = customers
        self.skew = skew
        self._seed = seed
        self._parts = 0
        self._numbered = 0
        self._alerted = 0
        self._clock = START_MS
        self._turn = np.argsort(Chance(seed, 10_000).uniform(customers), kind="stable").astype(np.int64)

    def part(self, events: int, span_ms: int | None = None) -> Part:
        """The next events, from where those before end; without a span at one a customer and day, in the mean."""
        chance = Chance(self._seed, 10_001 + self._parts)
        if span_ms is None:
            span_ms = int(min(events / self.customers, SPAN_DAYS_MAX) * DAY_MS)
        number = self._numbered + np.arange(events)
        customer = _zipf(chance.uniform(events), self.customers, self.skew)
        at = self._clock + np.arange(events) * span_ms // max(events, 1)
        kind = np.searchsorted(np.cumsum(_TYPE_SHARES[:-1]), chance.uniform(events)).astype(np.int64)
        amount = np.where(kind == _TRANSFER_IN, chance.whole(events, 5_000, 9_000), -chance.whole(events, 100, 9_000))
        channel = (customer + chance.happens(events, _OTHER_CHANNEL_SHARE)) % len(CHANNELS)
        alerting = chance.happens(events, ALERT_SHARE)
        late = chance.happens(events, LATE_SHARE) & ~alerting
        at[late] -= chance.whole(int(late.sum()), HOUR_MS // 2, 3 * DAY_MS)
        chosen = np.flatnonzero(alerting)
        customer[chosen] = self._turn[(self._alerted + np.arange(len(chosen))) % self.customers]
        channel[chosen] = customer[chosen] % len(CHANNELS)
        kind[chosen] = _SALARY
        amount[chosen] = chance.whole(len(chosen), 200_000, 210_000)
        again, original = _duplicates(alerting, chance)
        for column in (number, customer, at, amount, kind, channel):
            column[again] = column[original]
        self._parts += 1
        self._numbered += events
        self._alerted += len(chosen)
        self._clock += span_ms
        return Part(number, customer, at, amount, kind, channel, alerting)


def customer_id(customer: int) -> bytes:
    """As a bank's: nine characters."""
    return b"C%08d" % customer


def event_id(number: int) -> str:
    """The event_id of the event of that number."""
    return f"b-{number:010d}"


def event_number(event_id: str) -> int:
    """The inverse."""
    return int(event_id.removeprefix("b-"))


def partition_of(customer: NDArray[np.int64], partitions: int) -> I8:
    """The records name their partition, so that state can be laid out in advance; customers are spread evenly."""
    return customer % partitions


def _zipf(uniform: F8, customers: int, skew: float) -> I8:
    """Ranks from 0 of a bounded Zipf distribution, by the inverse of its continuous form."""
    if skew == 0:
        return (uniform * customers).astype(np.int64)
    if skew == 1:
        ranks = np.exp(uniform * np.log(customers + 1.0))
    else:
        power = 1.0 - skew
        ranks = (uniform * ((customers + 1.0) ** power - 1.0) + 1.0) ** (1.0 / power)
    clipped: I8 = np.clip(ranks.astype(np.int64) - 1, 0, customers - 1)
    return clipped


def _duplicates(alerting: B1, chance: Chance) -> tuple[I8, I8]:
    """Places of records that are published again, and of their originals before them."""
    events = len(alerting)
    again = np.flatnonzero(chance.happens(events, DUPLICATE_SHARE) & ~alerting)
    original = again - chance.whole(len(again), 1, DUPLICATE_WITHIN)
    good = (original >= 0) & ~np.isin(original, again)
    return again[good], original[good]
