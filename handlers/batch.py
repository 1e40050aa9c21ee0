"""The events of one partition as columns: what intake makes and the engine folds."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.dead_letter import DeadLetter

I8 = NDArray[np.int64]

NONE = np.iinfo(np.int64).min
"""A missing integer in a column or a feature."""

ACCOUNT_WORDS = 5
"""An account id is 40 bytes of ASCII, zero-padded, seen as five 64-bit words."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record of `transactions`, as it came. `heartbeat_at` is set on heartbeats (no key, no value)."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    heartbeat_at: int | None = None


@dataclass(slots=True)
class Batch:
    """n accepted events of one partition, in stream order, and what was refused among them.

    Columns are int64 of shape (n,), but `account` of shape (n, 5). Amounts and balances are in the base currency.
    """

    customers: list[str]
    """Distinct customer ids, in order of first appearance."""
    row: I8
    """Place of the event's customer in `customers`."""
    offset: I8
    at: I8
    """occurred_at, epoch ms."""
    amount: I8
    balance: I8
    """NONE where not given."""
    account: I8
    type: I8
    """Place in TYPES."""
    channel: I8
    """Place in CHANNELS."""
    undoes_at: I8
    """For a reversal, when its original occurred; else NONE."""
    clock: I8
    """Stream time of the partition once this event has been seen: the running maximum of `at` and of heartbeats."""
    event_ids: list[str]
    clock_end: int
    """Stream time after the whole batch, heartbeats included."""
    dead_letters: list[DeadLetter]
    duplicates: int
    """Events with an event_id that was seen before; they are not among the n."""
    unknown_types: int
    """Events whose type was not in TYPES and counts as other."""
    unknown_channels: int

    def __len__(self) -> int:
        return len(self.event_ids)
