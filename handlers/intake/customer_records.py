"""What arrives beside transactions: outcomes of alerts and customer events, decoded and judged."""

from collections.abc import Iterable
from dataclasses import dataclass

from handlers.intake.events import Record
from handlers.intake.strict_json import decode_one
from handlers.intake.validation import Violation, violation_of_moment
from schemas.customer_event import CustomerEvent
from schemas.dead_letter import DeadLetter
from schemas.outcome import AlertOutcome
from schemas.time_zones import zone_names
from schemas.units import moment_ms

_NEEDED: dict[str, tuple[str, ...]] = {
    "consent_given": ("channel",),
    "consent_withdrawn": ("channel",),
    "time_zone": ("time_zone",),
    "product_taken": ("product",),
    "product_closed": ("product",),
}
_NEEDED_OF_PRODUCT: dict[str, tuple[str, ...]] = {
    "card": ("account_id", "limit_minor"),
    "loan": ("account_id", "amount_minor"),
    "deposit": ("account_id", "matures_at"),
    "other": (),
}


@dataclass(slots=True, frozen=True)
class CustomerRecord:
    """One outcome or customer event, and its place in the stream of its partition."""

    said: AlertOutcome | CustomerEvent
    at: int
    """occurred_at, epoch ms. Does not move stream time: silence is told by transactions alone."""
    topic: str
    offset: int
    before: int = 0
    """How many of the batch's events come before it."""
    clock: int = 0
    """Stream time where it comes, epoch ms; not less than the events before it have made it."""


class CustomerRecordIntake:
    """Reads the records of one topic, each by itself, so that no batch changes what a record becomes."""

    def __init__(self, topic: str, kind: type[AlertOutcome] | type[CustomerEvent], keyed: bool = True) -> None:
        """`keyed` is False where records have lost their keys, as in a file."""
        self._topic = topic
        self._kind = kind
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
                notes.append(
                    CustomerRecord(read, moment_ms(read.occurred_at), self._topic, record.offset, before, clock)
                )
        return notes, letters

    def _judged(self, record: Record) -> AlertOutcome | CustomerEvent | Violation:
        read = decode_one(record.value, self._kind)
        if isinstance(read, Violation):
            return read
        if self._keyed and record.key != read.customer_id.encode():
            return Violation("wrong_key", "customer_id", "must be the same as the record's key")
        if not (read.customer_id.isascii() and read.customer_id.isprintable()):
            return Violation("out_of_bounds", "customer_id", "must be printable ASCII")
        refusal = violation_of_moment("occurred_at", moment_ms(read.occurred_at), record.timestamp_ms)
        if refusal is None:
            refusal = _of_outcome(read) if isinstance(read, AlertOutcome) else _of_event(read)
        return refusal or read


def _of_outcome(outcome: AlertOutcome) -> Violation | None:
    if outcome.alert_id is None and outcome.outcome != "bought":
        return Violation("missing_field", "alert_id", "is required but for bought")
    return None


def _of_event(event: CustomerEvent) -> Violation | None:
    """The first rule that a customer event breaks."""
    needed = _NEEDED[event.kind]
    if event.kind == "product_taken":
        needed += _NEEDED_OF_PRODUCT[event.product_kind]
    for name in needed:
        if getattr(event, name) is None:
            return Violation("missing_field", name, f"is required of {event.kind}")
    if event.time_zone is not None and event.time_zone not in zone_names():
        return Violation("out_of_bounds", "time_zone", "must be a name of the IANA time zone database")
    for name in ("event_id", "account_id", "product"):
        identifier = getattr(event, name)
        if identifier is not None and not (identifier.isascii() and identifier.isprintable()):
            return Violation("out_of_bounds", name, "must be printable ASCII")
    if event.matures_at is not None:
        return violation_of_moment("matures_at", moment_ms(event.matures_at), _ANY_TIME)
    return None


_ANY_TIME = 1 << 60
