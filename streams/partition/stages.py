"""What a partition brings to a step and what it takes from it: a batch before it is decided on, and after."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from handlers.churn.challenger import Bands
from handlers.contact.history import SuppressionReason
from handlers.engine.step_input import PartitionInput
from schemas.alert import Alert
from schemas.dead_letter import DeadLetter
from streams.store.port import Offsets, Outgoing, Position


@dataclass(slots=True)
class PreparedBatch:
    """A batch that is ready to be decided on."""

    part: PartitionInput
    missing_at: list[int]
    """Places of rows that are still to come from the store."""
    missing: list[str]
    """Their names."""
    absent: int
    """How many were not in memory, those that were asked for ahead among them."""
    offsets: Offsets
    """After its records: where the partition stands once it is committed."""


class CommittedBatch(NamedTuple):
    """What one batch comes to if its commit is taken."""

    sent: bool
    """Whether there was anything to commit."""
    position: Position
    outbox: list[tuple[int, Outgoing]]
    """Entries committed with the batch, by sequence: to be published."""
    events: int
    alerts: list[Alert]
    dead_letters: list[DeadLetter]
    duplicates: int
    early_reversals: int
    late: int
    untimely: int
    unfitting: int
    suppressed: Counter[SuppressionReason]
    """Alerts that were not sent, by rule."""
    unknown_types: int
    unknown_channels: int
    taken: Counter[tuple[str, str]]
    """Records of the topics beside the transactions, as their metrics count them (CustomerRecord.counted_as)."""
    unmatched: int
    """Outcomes of alerts that are not known, or no longer."""
    looks: Counter[Bands]
    """Silences judged, by the bands of champion and challenger; none without a challenger."""
