"""What arrives beside transactions (SIDE_INPUTS), decoded and judged."""

from collections.abc import Iterable
from dataclasses import dataclass

from handlers.intake.events import Record
from handlers.intake.inputs import InputTopic, OfCustomer
from handlers.intake.strict_json import decode_one
from handlers.intake.validation import Violation, violation_of_moment
from schemas.dead_letter import DeadLetter
from schemas.units import moment_ms


@dataclass(slots=True, frozen=True)
class CustomerRecord:
    """One record of a topic beside the transactions, and its place in the stream of its partition."""

    said: OfCustomer
    source: InputTopic
    at: int
    """occurred_at, epoch ms. Does not move stream time: silence is told by transactions alone."""
    topic: str
    offset: int
    before: int = 0
    """How many of the batch's events come before it."""
    clock: int = 0
    """Stream time where it comes, epoch ms; not less than the events before it have made it."""

    @property
    def counted_as(self) -> tuple[str, str]:
        """The name of its topic's metric, and the word by which that counts it; empty where it only counts."""
        label = self.source.label
        return self.source.name, getattr(self.said, label) if label else ""


class CustomerRecordIntake:
    """Reads the records of one topic, each by itself, so that no batch changes what a record becomes."""

    def __init__(self, source: InputTopic, topic: str | None = None, keyed: bool = True) -> None:
        """`topic` is what the topic is called, where that is not the usual name. `keyed` is False where records have
        lost their keys, as in a file."""
        self.source = source
        self._topic = source.topic if topic is None else topic
        self._keyed = keyed

    def notes(
        self, partition: int, records: Iterable[Record], before: int = 0, clock: int = 0
    ) -> tuple[list[CustomerRecord], list[DeadLetter]]:
        """Every record is either a note, placed `before` and at stream time `clock`, or a dead letter."""
        notes: list[CustomerRecord] = []
        letters: list[DeadLetter] = []
        for record in records:
            read = self._judged(record)
            if isinstance(read, Violation):
                letters.append(read.letter(self._topic, partition, record))
            else:
                at = moment_ms(read.occurred_at)
                notes.append(CustomerRecord(read, self.source, at, self._topic, record.offset, before, clock))
        return notes, letters

    def _judged(self, record: Record) -> OfCustomer | Violation:
        read: OfCustomer | Violation = decode_one(record.value, self.source.schema)
        if isinstance(read, Violation):
            return read
        if self._keyed and record.key != read.customer_id.encode():
            return Violation("wrong_key", "customer_id", "must be the same as the record's key")
        if not (read.customer_id.isascii() and read.customer_id.isprintable()):
            return Violation("out_of_bounds", "customer_id", "must be printable ASCII")
        refusal = violation_of_moment("occurred_at", moment_ms(read.occurred_at), record.timestamp_ms)
        return refusal or self.source.violation(read) or read
