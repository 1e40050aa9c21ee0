"""The CDNOW sample, purchases of 1997-01 to 1998-06 (Fader and Hardie), as canonical transactions.

A customer is an id of the sample. Every purchase is a debit at 12:00:00 UTC of its day, for no time of day is known;
a purchase of nothing (0.00) stays, with the amount 0. The number of units has no place in a transaction.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from learning.fields import RowPosition
from schemas.units import HOUR_MS, EpochMs, rfc3339

CURRENCY = "USD"

_COLUMNS = {"master_id": (1, 6), "sample_id": (7, 11), "date": (12, 20), "units": (21, 23), "dollars": (23, 31)}
_WIDTH = 31
_GAPS = (0, 6, 11, 20)
_NOON_MS = 12 * HOUR_MS


class _Purchase(NamedTuple):
    at: EpochMs
    customer: str
    event_id: str
    amount_minor: int


def transactions(file: Path) -> Iterator[dict[str, object]]:
    """Every line as the fields of a Transaction, in order of time; within a day in the file's order.

    The file is sorted by customer, so it is read whole before the first is given out.
    Raises OSError where it can't be read, RowError at the first line that breaks a rule.
    """
    for purchase in sorted(_purchases(file), key=lambda purchase: purchase.at):
        yield {
            "event_id": purchase.event_id,
            "customer_id": f"cdnow-c-{purchase.customer}",
            "account_id": f"cdnow-a-{purchase.customer}",
            "occurred_at": rfc3339(purchase.at),
            "amount_minor": purchase.amount_minor,
            "currency": CURRENCY,
            "type": "purchase",
            "channel": "online",
        }


def _purchases(file: Path) -> Iterator[_Purchase]:
    """The lines in the file's order. A customer's n-th purchase of a day is `cdnow-<customer>-<day>-<n>`."""
    of_day: Counter[tuple[str, str]] = Counter()
    with file.open(encoding="ascii", errors="replace") as lines:  # what is not ASCII then breaks a field's rule
        for line, text in enumerate(lines, start=1):
            position = RowPosition(file, line)
            row = text.rstrip("\n")
            if len(row) != _WIDTH or any(row[gap] != " " for gap in _GAPS):
                raise position.refused("row", f"must have {_WIDTH} characters in fixed columns")
            fields = {name: row[start:end].strip() for name, (start, end) in _COLUMNS.items()}
            for name in ("master_id", "sample_id", "units"):
                position.number(name, fields[name])
            customer, day = fields["sample_id"], fields["date"]
            of_day[customer, day] += 1
            yield _Purchase(
                at=EpochMs(position.midnight("date", day) + _NOON_MS),
                customer=customer,
                event_id=f"cdnow-{customer}-{day}-{of_day[customer, day]}",
                amount_minor=-position.unsigned_minor("dollars", fields["dollars"]),
            )
