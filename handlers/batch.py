"""The events of one partition as a matrix: what intake makes and the engine folds."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.dead_letter import DeadLetter

I8 = NDArray[np.int64]

NONE = np.iinfo(np.int64).min
"""A missing integer in a column or a feature."""

# fields of an event
AT = 0  # occurred_at, epoch ms
AMOUNT = 1  # as BALANCE, in the base currency
BALANCE = 2  # NONE where not given
TYPE = 3  # place in TYPES
CHANNEL = 4  # place in CHANNELS
UNDOES_AT = 5  # for a reversal, when its original occurred; else NONE
CLOCK = 6  # stream time of the partition once it has been seen: the running maximum of AT and of heartbeats
OFFSET = 7
CUSTOMER = 8  # place of its customer in `customers`
ACCOUNT = 9  # and the words after it: 40 bytes of ASCII, zero-padded

ACCOUNT_WORDS = 5
EVENT_FIELDS = ACCOUNT + ACCOUNT_WORDS


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record of `transactions`, as it came. `heartbeat_at` is set on heartbeats (no key, no value)."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    heartbeat_at: int | None = None


class Events:
    """Reads `events`, int64 of shape (n, EVENT_FIELDS), by column: (n,), `account` (n, ACCOUNT_WORDS)."""

    __slots__ = ()
    events: I8

    def __len__(self) -> int:
        return len(self.events)

    @property
    def at(self) -> I8:
        return self.events[:, AT]

    @property
    def amount(self) -> I8:
        return self.events[:, AMOUNT]

    @property
    def balance(self) -> I8:
        return self.events[:, BALANCE]

    @property
    def type(self) -> I8:
        return self.events[:, TYPE]

    @property
    def channel(self) -> I8:
        return self.events[:, CHANNEL]

    @property
    def undoes_at(self) -> I8:
        return self.events[:, UNDOES_AT]

    @property
    def clock(self) -> I8:
        return self.events[:, CLOCK]

    @property
    def offset(self) -> I8:
        return self.events[:, OFFSET]

    @property
    def customer(self) -> I8:
        return self.events[:, CUSTOMER]

    @property
    def account(self) -> I8:
        return self.events[:, ACCOUNT:]


@dataclass(slots=True)
class Batch(Events):
    """Accepted events of one partition, in stream order, and what was refused among them."""

    customers: list[str]
    """Distinct customer ids, in order of first appearance."""
    events: I8
    event_ids: list[str]
    clock_end: int
    """Stream time after the whole batch, heartbeats included."""
    dead_letters: list[DeadLetter]
    duplicates: int
    """Events with an event_id that was seen before; they are not among the n."""
    unknown_types: int
    """Events whose type was not in TYPES and counts as other."""
    unknown_channels: int
