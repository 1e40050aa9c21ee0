"""The events of one partition as a matrix: what intake makes and the engine folds."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from handlers.kernel.customer_ids import ACCOUNT_WORDS, names_of
from handlers.kernel.jit import I8
from schemas.dead_letter import DeadLetter

# fields of an event
AT = 0  # occurred_at, epoch ms
AMOUNT = 1  # as BALANCE, in the base currency
BALANCE = 2  # NONE where not given
TYPE = 3  # place in TYPES
CHANNEL = 4  # place in CHANNELS
UNDOES_AT = 5  # for a correction (a reversal, or what replaces), when its original occurred; else NONE
CLOCK = 6  # stream time of the partition once it has been seen: the running maximum of AT and of heartbeats
OFFSET = 7
CUSTOMER = 8  # place of its customer in `customers`
COUNTS = 9  # what it adds to counts: 1; of a correction -1, 0 or 1; 0 of what is no booking
FLOW = 10  # whose sum its amount belongs to: NO_FLOW, MONEY_IN, MONEY_OUT
ACCOUNT = 11  # and the words after it: 40 bytes of ASCII, zero-padded

EVENT_FIELDS = ACCOUNT + ACCOUNT_WORDS

NO_FLOW, MONEY_IN, MONEY_OUT = range(3)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record of `transactions`, as it came. `heartbeat_at` is set on heartbeats (no key, no value)."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    heartbeat_at: int | None = None


class _Column:
    """One field of all events, a view of shape (n,)."""

    def __init__(self, fields: int | slice) -> None:
        self._fields = fields

    def __get__(self, events: "Events", owner: type) -> I8:
        return events.events[:, self._fields]


class Events:
    """`events` is int64 of shape (n, EVENT_FIELDS)."""

    __slots__ = ()
    events: I8

    at = _Column(AT)
    amount = _Column(AMOUNT)
    balance = _Column(BALANCE)
    type = _Column(TYPE)
    channel = _Column(CHANNEL)
    undoes_at = _Column(UNDOES_AT)
    counts = _Column(COUNTS)
    clock = _Column(CLOCK)
    offset = _Column(OFFSET)
    customer = _Column(CUSTOMER)
    account = _Column(slice(ACCOUNT, None))
    """Shape (n, ACCOUNT_WORDS)."""

    def __len__(self) -> int:
        return len(self.events)


@dataclass(slots=True)
class EventBatch(Events):
    """Accepted events of one partition, in stream order, and what was refused among them."""

    ids: I8
    """Of the customers, each once, in order of first appearance; (customers, ids.ID_WORDS)."""
    events: I8
    event_id: Callable[[int], str]
    """That of the n-th event, cut out when it is asked for: only alerts name it."""
    original_id: Callable[[int], str]
    """The event_id of what the n-th event corrects."""
    clock_end: int
    """Stream time after the whole batch, heartbeats included."""
    dead_letters: list[DeadLetter]
    duplicates: int
    """Events with an event_id that was seen before; they are not among the n."""
    unknown_types: int
    """Events whose type was not in TYPES and counts as other."""
    unknown_channels: int
    early_reversals: int = 0
    """Reversals that came before what they name: they count with that."""

    @property
    def customers(self) -> list[str]:
        """Their names."""
        return names_of(self.ids)
