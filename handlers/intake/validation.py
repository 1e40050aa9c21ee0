"""The rules that a transaction must keep beyond its schema, and the words for one that is broken."""

from typing import NamedTuple

from handlers.intake.events import Record
from handlers.intake.exchange import Exchange
from schemas.dead_letter import DeadLetter, Reason
from schemas.money import EXPONENTS
from schemas.transaction import AMOUNT_LIMIT, Transaction
from schemas.units import DAY_MS, EARLIEST, LATEST, moment_ms

AHEAD_MS_MAX = DAY_MS
"""An event may have occurred this much later than Kafka received it: clocks differ, and some banks post-date."""


class Violation(NamedTuple):
    """Why a record cannot be used. Never holds a value of the record."""

    reason: Reason
    field: str
    """Path of the field; empty for the whole record."""
    rule: str

    def letter(self, topic: str, partition: int, record: Record) -> DeadLetter:
        """The dead letter of the record, which came from there."""
        return DeadLetter(
            reason=self.reason,
            field=self.field,
            rule=self.rule,
            topic=topic,
            partition=partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            key=record.key,
            value=record.value,
        )


def violation_of(transaction: Transaction, timestamp_ms: int, exchange: Exchange) -> Violation | None:
    """The first rule that a transaction breaks, None if it keeps them all."""
    for name in ("event_id", "customer_id", "account_id"):
        identifier = getattr(transaction, name)
        if not (identifier.isascii() and identifier.isprintable()):
            return Violation("out_of_bounds", name, "must be printable ASCII")
    at = moment_ms(transaction.occurred_at)
    if refusal := violation_of_moment("occurred_at", at, timestamp_ms):
        return refusal
    for name, original in (("reversal_of", transaction.reversal_of), ("replaces", transaction.replaces)):
        if original is not None:
            if not (original.event_id.isascii() and original.event_id.isprintable()):
                return Violation("out_of_bounds", f"{name}.event_id", "must be printable ASCII")
            original_at = moment_ms(original.occurred_at)
            if refusal := violation_of_moment(f"{name}.occurred_at", original_at, timestamp_ms):
                return refusal
            if original_at > at:
                return Violation("out_of_bounds", f"{name}.occurred_at", "must not be later than occurred_at")
    if transaction.reversal_of is not None and transaction.replaces is not None:
        return Violation("out_of_bounds", "replaces", "must not be given beside reversal_of")
    if transaction.type == "balance":
        if transaction.balance_minor is None:
            return Violation("missing_field", "balance_minor", "is required of the type balance")
        if transaction.amount_minor:
            return Violation("out_of_bounds", "amount_minor", "must be 0 of the type balance, which is no booking")
    return _refusal_of_money(transaction, exchange)


def violation_of_moment(field: str, at: int, timestamp_ms: int) -> Violation | None:
    """The rule that a moment breaks; `timestamp_ms` is the record's Kafka timestamp."""
    if not EARLIEST <= at <= LATEST:
        rule = "must be from 1980-01-01 to 2100-01-01, in epoch milliseconds where it is a number"
        return Violation("out_of_bounds", field, rule + _other_unit(at))
    if at > timestamp_ms + AHEAD_MS_MAX:
        return Violation("in_the_future", field, "must not be over 24 hours later than the record's timestamp")
    return None


def _other_unit(at: int) -> str:
    """What to do where a moment makes sense in another unit. Small numbers may be anything."""
    if EARLIEST <= at * 1_000 <= LATEST:
        return "; this looks like epoch seconds: multiply by 1,000"
    if EARLIEST <= at // 1_000 <= LATEST:
        return "; this looks like epoch microseconds: divide by 1,000"
    if EARLIEST <= at // 1_000_000 <= LATEST:
        return "; this looks like epoch nanoseconds: divide by 1,000,000"
    return ""


def _refusal_of_money(transaction: Transaction, exchange: Exchange) -> Violation | None:
    currency = transaction.currency
    if currency not in exchange:
        if currency not in EXPONENTS:
            return Violation("no_rate", "currency", "must be an ISO 4217 code")
        base = f"the base currency, which is {exchange.base_currency} (TRACKER_BASE_CURRENCY)"
        return Violation("no_rate", "currency", f"must be {base}, or have a rate in the file of TRACKER_RATES_FILE")
    for name in ("amount_minor", "balance_minor"):
        amount = getattr(transaction, name)
        if amount is not None and abs(exchange.minor(amount, currency)) > AMOUNT_LIMIT:
            return Violation("out_of_bounds", name, f"must be at most {AMOUNT_LIMIT} minor units of the base currency")
    return None
