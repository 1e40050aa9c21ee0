"""What arrives beside transactions: outcomes of alerts and customer events, decoded, judged and put into a batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handlers.contact.quiet_hours import zone_names
from handlers.intake.events import (
    ACCOUNT,
    ACCOUNT_WORDS,
    AMOUNT,
    AT,
    BALANCE,
    CHANNEL,
    CLOCK,
    CUSTOMER,
    EVENT_FIELDS,
    NONE,
    OFFSET,
    TYPE,
    UNDOES_AT,
    Batch,
    Record,
)
from handlers.intake.strict_json import alone
from handlers.intake.validation import Refusal, moment_ms, refusal_of_moment
from handlers.kernel.customer_ids import distinct, ids_of
from handlers.kernel.text import words_of
from handlers.offers.triggers import CARD, CARD_TENTHS, DEPOSIT, FORGET, LOAN, LOAN_TENTHS, NOTED
from schemas.customer_event import CustomerEvent
from schemas.dead_letter import DeadLetter
from schemas.outcome import AlertOutcome

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
class Note:
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


class NoteIntake:
    """Reads the records of one topic, each by itself, so that no batch changes what a record becomes."""

    def __init__(self, topic: str, kind: type[AlertOutcome] | type[CustomerEvent], keyed: bool = True) -> None:
        """`keyed` is False where records have lost their keys, as in a file."""
        self._topic = topic
        self._kind = kind
        self._keyed = keyed

    def notes(
        self, partition: int, records: Iterable[Record], before: int = 0, clock: int = 0
    ) -> tuple[list[Note], list[DeadLetter]]:
        """Every record is either a note, placed `before` and at stream time `clock`, or a dead letter."""
        notes: list[Note] = []
        letters: list[DeadLetter] = []
        for record in records:
            read = self._judged(record)
            if isinstance(read, Refusal):
                letters.append(read.letter(self._topic, partition, record))
            else:
                notes.append(Note(read, moment_ms(read.occurred_at), self._topic, record.offset, before, clock))
        return notes, letters

    def _judged(self, record: Record) -> AlertOutcome | CustomerEvent | Refusal:
        read = alone(record.value, self._kind)
        if isinstance(read, Refusal):
            return read
        if self._keyed and record.key != read.customer_id.encode():
            return Refusal("wrong_key", "customer_id", "must be the same as the record's key")
        if not (read.customer_id.isascii() and read.customer_id.isprintable()):
            return Refusal("out_of_bounds", "customer_id", "must be printable ASCII")
        refusal = refusal_of_moment("occurred_at", moment_ms(read.occurred_at), record.timestamp_ms)
        if refusal is None:
            refusal = _of_outcome(read) if isinstance(read, AlertOutcome) else _of_event(read)
        return refusal or read


def placed(notes: Iterable[Note], batch: Batch) -> list[Note]:
    """The notes among the events of a batch that was read from the same stream, by their offsets."""
    found = []
    for note in sorted(notes, key=lambda note: note.offset):
        before = int(np.searchsorted(batch.offset, note.offset))
        clock = max(note.clock, int(batch.clock[before - 1])) if before else note.clock
        found.append(replace(note, before=before, clock=clock))
    return found


def woven(batch: Batch, notes: Sequence[Note]) -> tuple[Batch, list[tuple[int, Note]]]:
    """The batch with an entry that is no transaction for each note, and the notes by the place of theirs in it."""
    ordered = sorted(notes, key=lambda note: note.before)
    places = [note.before for note in ordered]
    ids = np.concatenate([batch.ids, ids_of([note.said.customer_id for note in ordered])])
    rows, firsts = distinct(ids)
    entries = np.empty((len(ordered), EVENT_FIELDS), np.int64)
    entries[:, AT] = [note.at for note in ordered]
    entries[:, (TYPE, AMOUNT, BALANCE)] = [_entry(note) for note in ordered]
    entries[:, CHANNEL], entries[:, UNDOES_AT] = 0, NONE
    entries[:, CLOCK] = [note.clock for note in ordered]
    entries[:, OFFSET] = [note.offset for note in ordered]
    entries[:, CUSTOMER] = rows[len(batch.ids) :]
    entries[:, ACCOUNT:] = words_of([_account(note) for note in ordered], ACCOUNT_WORDS)
    was_at = np.insert(np.arange(len(batch)), places, -1)
    events = np.insert(batch.events, places, entries, axis=0)
    together = replace(batch, ids=ids[firsts], events=events, event_id=lambda n: batch.event_id(int(was_at[n])))
    return together, [(place + shift, note) for shift, (place, note) in enumerate(zip(places, ordered, strict=True))]


def _entry(note: Note) -> tuple[int, int, int]:
    """What the kernel is told: type, the level of balance to watch for, and when a deposit matures."""
    said = note.said
    if isinstance(said, AlertOutcome) or said.account_id is None:
        return NOTED, 0, 0
    if said.kind == "product_closed":
        return FORGET, 0, 0
    if said.kind == "product_taken":
        if said.product_kind == "card" and said.limit_minor is not None:
            return CARD, -(said.limit_minor * CARD_TENTHS // 10), 0
        if said.product_kind == "loan" and said.amount_minor is not None:
            return LOAN, -(said.amount_minor * LOAN_TENTHS // 10), 0
        if said.product_kind == "deposit" and said.matures_at is not None:
            return DEPOSIT, 0, moment_ms(said.matures_at)
    return NOTED, 0, 0


def _account(note: Note) -> str:
    return "" if isinstance(note.said, AlertOutcome) else note.said.account_id or ""


def _of_outcome(outcome: AlertOutcome) -> Refusal | None:
    if outcome.alert_id is None and outcome.outcome != "bought":
        return Refusal("missing_field", "alert_id", "is required but for bought")
    return None


def _of_event(event: CustomerEvent) -> Refusal | None:
    """The first rule that a customer event breaks."""
    needed = _NEEDED[event.kind]
    if event.kind == "product_taken":
        needed += _NEEDED_OF_PRODUCT[event.product_kind]
    for name in needed:
        if getattr(event, name) is None:
            return Refusal("missing_field", name, f"is required of {event.kind}")
    if event.time_zone is not None and event.time_zone not in zone_names():
        return Refusal("out_of_bounds", "time_zone", "must be a name of the IANA time zone database")
    for name in ("event_id", "account_id", "product"):
        identifier = getattr(event, name)
        if identifier is not None and not (identifier.isascii() and identifier.isprintable()):
            return Refusal("out_of_bounds", name, "must be printable ASCII")
    if event.matures_at is not None:
        return refusal_of_moment("matures_at", moment_ms(event.matures_at), _ANY_TIME)
    return None


_ANY_TIME = 1 << 60
