"""What outcomes and customer events do to a customer's dealings and to what is learned of offers."""

from collections.abc import Mapping

from handlers.contact.history import (
    ACCEPTED,
    ANSWERS,
    BOUGHT,
    CONTROL,
    DECLINED,
    IGNORED,
    OPEN,
    RETRACTED,
    SENT,
    SHOWN,
    Contact,
    ContactHistory,
)
from handlers.offers import alerts as next_best_offer
from handlers.offers.counts import Ledger
from schemas.alert import Alert
from schemas.customer_event import CustomerEvent
from schemas.offer import CONTACT_CHANNELS
from schemas.outcome import AlertOutcome

_SENTENCES = {
    "reversed": "The transaction that it came from has been reversed.",
    "returned": "The customer has made a transaction again.",
    "taken": "The customer has taken the product.",
    "consent_withdrawn": "The customer no longer wants to be contacted in this way.",
}


def withdrawn(customer: str, contact: Contact, at: int, cause: Mapping[str, object], code: str) -> Alert:
    """Retracts an offer that stands; `code` is one of the reasons above. It is never dated before the offer, also where
    `at`, the time of what has come late, is."""
    at = max(at, contact.made_at)
    if contact.answer in (OPEN, SHOWN):
        contact.answer, contact.answered_at = RETRACTED, at
    return next_best_offer.taken_back(customer, contact, at, cause, code, _SENTENCES[code])


def customer_told(
    customer: str,
    history: ContactHistory,
    event: CustomerEvent,
    at: int,
    cause: Mapping[str, object],
    ledger: Ledger,
) -> list[Alert]:
    """A customer event, which has the fields that its kind needs (handlers/intake/customer_records.py). `at` is when it
    occurred."""
    if event.kind == "time_zone":
        if event.time_zone is not None and at >= history.zone_at:
            history.zone, history.zone_at = event.time_zone, at
        return []
    if event.channel is not None and event.kind in ("consent_given", "consent_withdrawn"):
        channel = CONTACT_CHANNELS.index(event.channel)
        if abs(history.consents.get(channel, 0)) > at:
            return []
        history.consents[channel] = at if event.kind == "consent_given" else -at
        if event.kind == "consent_given":
            return []
        standing = [c for c in history.contacts if c.offer_id and c.channel == channel and c.stands(at)]
        return [withdrawn(customer, contact, at, cause, "consent_withdrawn") for contact in standing]
    if event.product is None:
        return []
    if event.kind == "product_closed":
        history.note_product(event.product, at, taken=False)
        return []
    return _taken(customer, history, event.product, at, cause, ledger)


def answered(
    customer: str,
    history: ContactHistory,
    outcome: AlertOutcome,
    code: str,
    at: int,
    cause: Mapping[str, object],
    ledger: Ledger,
) -> tuple[bool, list[Alert]]:
    """An outcome; `code` is the product's as the catalogue has it, for where no alert of the offer is remembered: what
    was offered is known from the contact. Says whether its alert is known, and what is to be retracted.

    In whatever order outcomes of one alert come, they come to the same: what weighs most stays (_WEIGHTS), and of an
    acceptance and a decline, or of two of one kind, the one that occurred last.
    """
    answer = ANSWERS[outcome.outcome]
    known = outcome.alert_id is None
    for contact in history.contacts:
        if contact.offer_id == outcome.offer_id:
            code = contact.product
        if contact.offer_id == outcome.offer_id and contact.mode == SENT and contact.alert_id == outcome.alert_id:
            known = True
            _answer(contact, answer, at, ledger)
    return known, _taken(customer, history, code, at, cause, ledger) if answer == BOUGHT else []


_WEIGHTS = {OPEN: 0, SHOWN: 1, RETRACTED: 2, IGNORED: 3, ACCEPTED: 4, DECLINED: 4, BOUGHT: 5}
"""A person's yes or no outweighs a tool's time-out, and nothing outweighs the product itself."""


def _answer(contact: Contact, answer: int, at: int, ledger: Ledger) -> None:
    was = contact.answer
    if (_WEIGHTS[answer], at, answer) <= (_WEIGHTS[was], contact.answered_at, was) or (was, answer) == (
        RETRACTED,
        SHOWN,
    ):
        return
    contact.answer, contact.answered_at = answer, at
    took, takes = (one in (ACCEPTED, BOUGHT) for one in (was, answer))
    if took != takes:
        ledger.taken(contact.offer_id, contact.segment, at, control=False, times=takes - took)


def _taken(
    customer: str, history: ContactHistory, code: str, at: int, cause: Mapping[str, object], ledger: Ledger
) -> list[Alert]:
    """The product is the customer's: offers of it that stand are settled and retracted.

    It counts as taken for an alert that still stood, and alike for one that the control group would have had.
    """
    if not history.note_product(code, at, taken=True):
        return []
    alerts = []
    for contact in history.contacts:
        if not contact.offer_id or contact.product != code:
            continue
        if contact.stands(at):
            alerts.append(withdrawn(customer, contact, at, cause, "taken"))
            contact.answer = BOUGHT
            ledger.taken(contact.offer_id, contact.segment, at, control=False)
        elif contact.mode == CONTROL and contact.answer == OPEN and at < contact.expires_at:
            contact.answer, contact.answered_at = BOUGHT, at
            ledger.taken(contact.offer_id, contact.segment, at, control=True)
    return alerts
