"""What is known of one customer, read from the bytes of a row in any layout that is still supported."""

from typing import NamedTuple

import numpy as np

from handlers.aggregates.evaluate import evaluate
from handlers.aggregates.features import FEATURES
from handlers.aggregates.snapshot import FeatureValues
from handlers.aggregates.spec import FEATURE_SPEC, new_work
from handlers.churn.section import CHURN, RAISED_DUE
from handlers.contact.history import CONTACT, ContactHistory, history_of
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.profile.upgrade import current
from handlers.state.codec import PADDING, LayoutError, decode
from handlers.state.day_list import open_days
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    CHANNEL_COUNT,
    DAY_MIX,
    DAY_OWN,
    DAYS,
    TILE,
    TILE_COUNT,
    TILE_IN,
    TILE_OUT,
    OpenRow,
    new_open_row,
)
from handlers.state.section_codec import BROKEN
from handlers.state.sections import split


class ActiveDay(NamedTuple):
    """One UTC day on which something was booked."""

    day: int
    """Days since 1970-01-01."""
    transactions: int
    own: int
    """How many of them the customer made; the bank booked the others by itself."""
    money_in: int
    """In minor units of the base currency, as money_out; both positive."""
    money_out: int
    channels: tuple[int, ...]
    """Transactions by place in CHANNELS; all 0 where the day is more than 90 days before the last one."""


def _opened(row: bytes) -> OpenRow:
    return _split(row)[0]


def _split(row: bytes) -> tuple[OpenRow, bytes]:
    """The row, opened, and the bytes of its sections."""
    row, s = current(row), new_open_row()
    sections = decode(s, np.frombuffer(row + bytes(PADDING), np.uint8), 0, len(row), 1 << CHURN)
    if sections == BROKEN:
        raise LayoutError("a row is cut short, or a length in it is broken")
    return s, row[sections:]


def profile(row: bytes, now: int) -> dict[str, int | float | None]:
    """Every feature of a compact row at `now` (epoch ms) by name; None where missing. Raises LayoutError."""
    s = _opened(row)
    values = np.empty(len(FEATURES), np.int64)
    evaluate(s, FEATURE_SPEC, now, values, new_work())
    return FeatureValues(values).by_name()


def accounts(row: bytes) -> list[tuple[str, int, int]]:
    """Account id, latest balance in minor units of the base currency, and since when (epoch ms), by account id."""
    s = _opened(row)
    found = []
    for account in s.accounts[: s.size[ACCOUNTS]]:
        name = account[:ACCOUNT_WORDS].tobytes().rstrip(b"\0").decode("ascii")
        found.append((name, int(account[ACCOUNT_BALANCE]), int(account[ACCOUNT_AT])))
    return sorted(found)


def contact_history(row: bytes) -> ContactHistory:
    """What has passed between the bank and the customer."""
    return history_of(split(_split(row)[1]).get(CONTACT, b""))


def churn_raised_at(row: bytes) -> int | None:
    """The due time (epoch ms) of the churn alert that stands for the customer, None if none does."""
    return int(_opened(row).sections[CHURN, RAISED_DUE]) or None


def active_days(row: bytes) -> list[ActiveDay]:
    """The days of a compact row, oldest first: of the 180 that end with the last one. Raises LayoutError."""
    s = _opened(row)
    open_days(s)
    return [
        ActiveDay(
            int(day[TILE]),
            int(day[TILE_COUNT]),
            int(day[DAY_OWN]),
            int(day[TILE_IN]),
            int(day[TILE_OUT]),
            tuple(day[DAY_MIX : DAY_MIX + CHANNEL_COUNT].tolist()),
        )
        for day in s.day[: s.size[DAYS]]
    ]
