"""A simulated bank: people with incomes, habits and plans, some of whom drift away or leave, and the truth about them.

The same arguments give the same events on every machine. Memory grows with customers, not with days. Amounts are EUR.

In 120 days a customer makes 60 to 80 transactions, in the mean. One in eight drifts away, one in twelve leaves from one
day to the next, one in eight takes a product. A large credit comes a week before savings are opened, and spending is
half as high again in the 45 days before a loan, so that an offer can be timed; nothing announces an insurance. One in
seven goes on holiday and is silent without leaving.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from learning.chance import B1, I8, Chance
from learning.day import EVENT, PAYEES, Events, plan
from learning.habits import KINDS, SHOPPING
from learning.people import FATES, NEVER, NONE, PRODUCTS, Fate, Product, draw
from schemas.units import DAY_MS, HOUR_MS

START = date(2025, 1, 1)
CURRENCY = "EUR"

_LATE_SHARE = 0.015
_REVERSED_SHARE = 0.015
"""Both of what is bought in shops, which is half of all."""
_LATE_MS_MIN, _LATE_MS_MAX = HOUR_MS // 2, 3 * DAY_MS


@dataclass(frozen=True, slots=True)
class Truth:
    """What becomes of one customer."""

    customer_id: str
    fate: Fate
    turns_on: date | None
    """The first day of fading, or of having left."""
    gone_on: date | None
    """From this day on nothing of their own happens; what the bank books (interest, fees, reversals) may. Fading may
    end after the simulation does."""
    product: Product | None
    """What they take during the simulation."""
    product_on: date | None


def simulate(customers: int, days: int, seed: int, start: date = START) -> Iterator[dict[str, object]]:
    """The fields of each Transaction, in the order in which the bank publishes them, with times in UTC.

    That is the order of `occurred_at`, but for the few that a shop reports late, up to three days after they occurred.
    Balances follow the order of `occurred_at`. Raises ValueError for no customers, no days or a negative seed.
    """
    people = draw(customers, days, seed, start)
    chance = Chance(seed, purpose=1)
    balance = people.opening.reshape(-1)
    to_reverse = to_publish = np.zeros(0, EVENT)
    booked = 0
    for day in range(days):
        today = start + timedelta(day)
        midnight = (today + timedelta(1) - date(1970, 1, 1)).days * DAY_MS
        to_reverse, reversals = _split(to_reverse, to_reverse["at"] < midnight)
        planned = plan(people, day, today, balance.reshape(2, -1), chance)
        events, balance = _booked(np.concatenate([planned, reversals]), balance, booked)
        booked += len(events)
        late = _put_off(events, chance)
        to_reverse = np.concatenate([to_reverse, _reversals(events[~late], midnight, chance)])
        to_publish = np.concatenate([to_publish, events])
        to_publish, published = _split(to_publish, to_publish["arrives"] < midnight)
        yield from _transactions(published, customers, seed)
    yield from _transactions(to_publish, customers, seed)


def ground_truth(customers: int, days: int, seed: int, start: date = START) -> Iterator[Truth]:
    """The truth about each customer of `simulate` with the same arguments, which raises the same errors."""
    people = draw(customers, days, seed, start)

    def when(day: int) -> date | None:
        return None if day >= NEVER else start + timedelta(day)

    columns = zip(people.fate, people.turn, people.gone, people.product, people.product_day, strict=True)
    for i, (fate, turn, gone, product, product_day) in enumerate(map(tuple, columns)):
        yield Truth(
            customer_id=_customer_id(i),
            fate=FATES[fate],
            turns_on=when(int(turn)),
            gone_on=when(int(gone)),
            product=None if product == NONE else PRODUCTS[product],
            product_on=when(int(product_day)),
        )


def _booked(events: Events, balance: I8, booked: int) -> tuple[Events, I8]:
    """Events in the order of time, numbered after those booked before, with balances; and the new balances."""
    events = events[np.argsort(events["at"], kind="stable")]
    events["number"] = booked + np.arange(len(events))
    events["arrives"] = events["at"]
    by_account = np.argsort(events["account"], kind="stable")
    account, running = events["account"][by_account], np.cumsum(events["amount"][by_account])
    first = np.flatnonzero(np.diff(account, prepend=-1))
    before = np.repeat(running[first] - events["amount"][by_account][first], np.diff(first, append=len(account)))
    after = balance[account] + running - before
    events["balance"][by_account] = after
    balance = balance.copy()
    balance[account] = after  # the last of an account's assignments stays
    return events, balance


def _put_off(events: Events, chance: Chance) -> B1:
    """Makes a few arrive late, and says which."""
    late = chance.happens(len(events), _LATE_SHARE) & np.isin(events["kind"], SHOPPING) & (events["original"] < 0)
    delay = _LATE_MS_MIN + chance.uniform(int(late.sum())) * (_LATE_MS_MAX - _LATE_MS_MIN)
    events["arrives"][late] += delay.astype(np.int64)
    return late


def _reversals(events: Events, midnight: int, chance: Chance) -> Events:
    """What shops will take back of these events, within a day and a half after the coming midnight."""
    taken_back = chance.happens(len(events), _REVERSED_SHARE) & np.isin(events["kind"], SHOPPING)
    reversals = events[taken_back & (events["original"] < 0)].copy()
    reversals["original"], reversals["original_at"] = reversals["number"], reversals["at"]
    reversals["amount"] *= -1
    reversals["at"] = midnight + chance.whole(len(reversals), 0, 36 * HOUR_MS)
    return reversals


def _split(events: Events, now: B1) -> tuple[Events, Events]:
    """The others, and those whose time has come."""
    return events[~now], events[now]


def _customer_id(customer: int) -> str:
    return f"sim-c-{customer}"


_COUNTERPARTIES = [[f"{kind.payee}-{i}" if kind.payee else "" for i in range(PAYEES)] for kind in KINDS]
_CATEGORIES = [
    [kind.categories[i % len(kind.categories)] if kind.categories else "" for i in range(PAYEES)] for kind in KINDS
]
_COLUMNS = ("account", "amount", "kind", "payee", "number", "balance", "original")


def _transactions(events: Events, customers: int, seed: int) -> Iterator[dict[str, object]]:
    """The events as the fields of Transactions, in the order in which they arrive."""
    events = events[np.argsort(events["arrives"], kind="stable")]
    moments, original_moments = (
        np.datetime_as_string(events[name].astype("datetime64[ms]"), unit="ms", timezone="UTC").tolist()
        for name in ("at", "original_at")
    )
    columns = (events[name].tolist() for name in _COLUMNS)
    for account, amount, kind, payee, number, balance, original, at, original_at in zip(
        *columns, moments, original_moments, strict=True
    ):
        described = KINDS[kind]
        customer = account % customers
        fields: dict[str, object] = {
            "event_id": f"sim-{seed}-{number}",
            "customer_id": _customer_id(customer),
            "account_id": f"sim-a-{customer}-{'main' if account < customers else 'savings'}",
            "occurred_at": at,
            "amount_minor": amount,
            "currency": CURRENCY,
            "type": described.type,
            "channel": described.channel,
            "balance_minor": balance,
        }
        if described.payee:
            fields["counterparty"] = _COUNTERPARTIES[kind][payee]
        if described.categories:
            fields["category"] = _CATEGORIES[kind][payee]
        if described.product:
            fields["product"] = described.product
        if original >= 0:
            fields["reversal_of"] = {"event_id": f"sim-{seed}-{original}", "occurred_at": original_at}
        yield fields
