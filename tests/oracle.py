"""A slow model of the aggregates: a plain list of one customer's events, and every feature by its definition.

It shares nothing with the fast code but the names in FEATURES and the vocabularies. Money is int minor units of the
base currency, moments are int epoch ms (UTC).

Domain: reading moments at or after every moment among the events; no reversal before its original; fewer than 65
accounts, or no two accounts with the same latest moment; sums that fit in 64 bit (the model itself has no such bound).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil, isclose
from statistics import pstdev
from typing import Any

from handlers.aggregates.columns import Operator
from handlers.aggregates.features import FEATURES, Feature
from schemas.transaction import CHANNELS, TYPES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KEPT_DAYS = 180
PAYING = ("withdrawal", "transfer_out", "card_payment", "bill_payment", "fee", "insurance_premium", "purchase")
"""Types by which the customer pays."""
ACCOUNTS_MAX = 64

Value = int | float | None


@dataclass(frozen=True)
class Event:
    """One booking of one customer. `undoes_at` is the moment of the original if this is a reversal."""

    at: int
    amount: int
    type: str
    channel: str
    account: str
    balance: int | None = None
    undoes_at: int | None = None

    @property
    def effective_at(self) -> int:
        """The moment whose tiles the amount and the counts belong to."""
        return self.at if self.undoes_at is None else self.undoes_at

    @property
    def sign(self) -> int:
        """What the event adds to a count."""
        return 0 if not self.booked else 1 if self.undoes_at is None else -1

    @property
    def money_in(self) -> int:
        """What the event adds to money in: a credit, or a credit taken back."""
        return self.amount if (self.amount > 0) == (self.undoes_at is None) and self.flows else 0

    @property
    def money_out(self) -> int:
        """What the event adds to money out: a debit, or a debit taken back."""
        return self.money_in - self.amount if self.flows else 0

    @property
    def flows(self) -> bool:
        """Whether it is money in or money out, and not what comes back or goes from one account to another."""
        return self.type not in ("refund", "returned_payment", "own_transfer", "balance")

    @property
    def booked(self) -> bool:
        """Whether it is a transaction at all."""
        return self.type != "balance"

    @property
    def own(self) -> bool:
        """Whether the customer made it, not the bank by itself."""
        return self.flows and self.type not in ("interest", "fee")


def event_of(transaction: Mapping[str, Any]) -> Event:
    """The event in a canonical transaction (decoded JSON) in the base currency."""
    original = transaction.get("reversal_of")
    kind = transaction["type"] if transaction["type"] in TYPES else "other"
    if (transaction["amount_minor"] > 0) == (original is None) and transaction["amount_minor"] and kind in PAYING:
        kind = "refund"  # what comes back of a payment
    return Event(
        at=_moment(transaction["occurred_at"]),
        amount=transaction["amount_minor"],
        type=kind,
        channel=transaction["channel"] if transaction["channel"] in CHANNELS else "other",
        account=transaction["account_id"],
        balance=transaction.get("balance_minor"),
        undoes_at=None if original is None else _moment(original["occurred_at"]),
    )


def features(events: Sequence[Event], now: int, declared: Sequence[Feature] = FEATURES) -> dict[str, Value]:
    """Every feature by name, None where missing. `events` in stream order. Raises ValueError outside of the domain."""
    if any(not event.effective_at <= event.at <= now for event in events):
        raise ValueError(
            "the model is defined at moments not before any event, and for no reversal before its original"
        )
    return {feature.name: _value(feature, events, now) for feature in declared}


def differences(found: Mapping[str, Value], expected: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """Features that differ, as found and as expected. Integers and what is missing must be equal, doubles to 1e-12."""
    assert set(found) == set(expected)
    return {name: (found[name], value) for name, value in expected.items() if not _same(found[name], value)}


def _same(found: Value, expected: Value) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return isclose(found, expected, rel_tol=1e-12)
    return type(found) is type(expected) and found == expected


def accounts(events: Iterable[Event]) -> dict[str, tuple[int, int]]:
    """Latest known balance of each account and its moment; the later in the stream where moments are equal."""
    latest: dict[str, tuple[int, int]] = {}
    for event in events:
        if event.balance is not None and (event.account not in latest or event.at >= latest[event.account][1]):
            latest[event.account] = (event.balance, event.at)
    newest_first = sorted(latest, key=lambda account: -latest[account][1])
    return {account: latest[account] for account in newest_first[:ACCOUNTS_MAX]}


def _moment(written: str | int) -> int:
    if isinstance(written, int):
        return written
    return (datetime.fromisoformat(written) - EPOCH) // timedelta(milliseconds=1)


def _day(moment: int) -> date:
    return (EPOCH + timedelta(milliseconds=moment)).date()


def _within(moment: int, now: int, hours: int, tile: int) -> bool:
    """Whether a moment is in the window of so many hours, 0 for all, that ends with the tile of `now`."""
    end = (now // tile + 1) * tile
    return hours == 0 or end - hours * HOUR <= moment < end


def _value(feature: Feature, events: Sequence[Event], now: int) -> Value:
    hours, column = feature.window_hours, feature.column.name
    window = [event for event in events if _within(event.effective_at, now, hours, _tile(feature))]
    match feature.operator, column:
        case Operator.SUM, _:
            return _sum(column, window)
        case Operator.SHARE, _:
            count = _sum("count", window)
            return float(Fraction(_sum(column, window), count)) if count > 0 else None
        case Operator.RATIO, _:
            return _ratio(feature, events, now)
        case Operator.MAX, "credit":
            credits_: dict[date, list[int]] = {}
            for event in window:
                credits_.setdefault(_day(event.effective_at), []).append(event.money_in)
            left = (min(max(of_day), sum(of_day)) for of_day in credits_.values())
            return max((largest for largest in left if largest > 0), default=None)
        case ((Operator.MIN | Operator.MAX), "balance"):
            balances = [e.balance for e in events if e.balance is not None and _within(e.at, now, hours, DAY)]
            return (min if feature.operator is Operator.MIN else max)(balances, default=None)
        case Operator.DAYS_POSITIVE, "own":
            return len(_active_days(window))
        case ((Operator.GAP_MEAN | Operator.GAP_SD | Operator.GAP_Q90), "own"):
            return _gap_figure(feature.operator, hours // 24, events)
        case Operator.LAST, "accounts":
            return len(accounts(events))
        case Operator.LAST, ("balance" | "debt"):
            sign = 1 if column == "balance" else -1
            held = accounts(events)
            return sum(max(sign * balance, 0) for balance, _ in held.values()) if held else None
        case _:
            return _lifetime_figure(feature, events, now)


def _tile(feature: Feature) -> int:
    """The length of the tiles that the feature's window is made of."""
    if feature.operator is Operator.SUM and feature.column.name in ("count", "in", "out", "net"):
        return 5 * MINUTE if feature.window_hours == 1 else HOUR if feature.window_hours <= 168 else DAY
    return DAY


def _sum(column: str, events: Iterable[Event]) -> int:
    match column.partition("_"):
        case "count", _, _:
            return sum(event.sign for event in events)
        case "in", _, _:
            return sum(event.money_in for event in events)
        case "out", _, _:
            return sum(event.money_out for event in events)
        case "net", _, _:
            return sum(event.money_in - event.money_out for event in events)
        case "channel", _, name:
            return sum(event.sign for event in events if event.channel == name)
        case "type", _, name:
            return sum(event.sign for event in events if event.type == name)
    raise NotImplementedError(f"the model does not know {column}")


def _ratio(feature: Feature, events: Sequence[Event], now: int) -> Value:
    """Per day of the window, over per day of the days before it."""
    hours, both = feature.window_hours, feature.window_hours + feature.before_hours
    recent = [event for event in events if _within(event.effective_at, now, hours, DAY)]
    before = [
        event
        for event in events
        if _within(event.effective_at, now, both, DAY) and not _within(event.effective_at, now, hours, DAY)
    ]
    base = Fraction(_sum(feature.column.name, before), feature.before_hours)
    return float(Fraction(_sum(feature.column.name, recent), hours) / base) if base > 0 else None


def _active_days(events: Iterable[Event]) -> list[date]:
    """Days with more of the customer's own transactions than were taken back, in order."""
    counts: dict[date, int] = {}
    for event in events:
        if event.own:
            day = _day(event.effective_at)
            counts[day] = counts.get(day, 0) + event.sign
    return sorted(day for day, count in counts.items() if count > 0)


def _own_moments(events: Iterable[Event]) -> list[int]:
    return [event.at for event in events if event.own and event.undoes_at is None]


def _gaps(events: Sequence[Event], window: int) -> list[int]:
    """Days between active days that follow each other, in so many days that end with the last own transaction's.

    A day that is 180 or more behind the newest event of any kind is forgotten, so the days may be cut short by
    what the bank booked after the customer fell silent.
    """
    moments = _own_moments(events)
    if not moments:
        return []
    last = _day(max(moments))
    newest = _day(max(event.at for event in events))
    first = max(newest - timedelta(days=KEPT_DAYS), last - timedelta(days=window))
    days = [day for day in _active_days(events) if first < day <= last]
    return [(later - earlier).days for earlier, later in pairwise(days)]


def _gap_figure(operator: Operator, window: int, events: Sequence[Event]) -> Value:
    gaps = sorted(_gaps(events, window))
    if not gaps:
        return None
    if operator is Operator.GAP_MEAN:
        return float(Fraction(sum(gaps), len(gaps)))
    if operator is Operator.GAP_SD:
        return pstdev(gaps)
    return gaps[ceil(Fraction(9, 10) * len(gaps)) - 1]


def _lifetime_figure(feature: Feature, events: Sequence[Event], now: int) -> Value:
    ordinary = [event.at for event in events if event.undoes_at is None and event.booked]
    moment = min(ordinary, default=None) if feature.column.name == "first" else max(_own_moments(events), default=None)
    match feature.operator, feature.column.name:
        case Operator.SINCE, ("first" | "last_own"):
            return None if moment is None else (now - moment) / DAY
        case Operator.DAYS_SINCE, ("first" | "last_own"):
            return None if moment is None else (_day(now) - _day(moment)).days
        case Operator.RATE, "count":
            if not ordinary:
                return None
            tenure = Fraction(now - min(ordinary), DAY)
            return float(_sum("count", events) / max(tenure, Fraction(30)) * 30)
    raise NotImplementedError(f"the model does not know {feature.operator!r} of {feature.column.name}")
