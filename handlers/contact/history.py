"""What has passed between the bank and one customer: a section of the customer's row.

Alerts made and how they were answered, what was lately not sent and why, consents, time zone, products. Kept with the
aggregates in one row, so that whatever a cap counts is committed with the alert that it counts.
"""

from typing import Any, Literal, get_args

import msgspec

from handlers.state.codec import LayoutError
from schemas.alert import Kind
from schemas.offer import Offer
from schemas.policy import CONTACTS_MAX, Policy
from schemas.units import DAY_MS

SuppressionReason = Literal[
    "kill_switch",
    "control_group",
    "dry_run",
    "held",
    "cooldown",
    "declined",
    "ignored",
    "consent",
    "cap",
    "budget",
    "no_uplift",
    "contacts_full",
    "expired",
    "history",
]
SUPPRESSION_REASONS: tuple[SuppressionReason, ...] = get_args(SuppressionReason)
"""Why an alert is not sent; also the label of the metric. The place is stored: add at the end, never reorder."""

CONTACT = 4
"""The tag of its section."""

SENT, CONTROL, DRY = 0, 1, 2
"""How an alert was made: sent; recorded for a customer of the control group; recorded in a dry run."""

OPEN, SHOWN, ACCEPTED, DECLINED, IGNORED, BOUGHT, RETRACTED = range(7)
"""How it was answered."""

ANSWERS = {"shown": SHOWN, "accepted": ACCEPTED, "declined": DECLINED, "ignored": IGNORED, "bought": BOUGHT}
"""By the word in `alert-outcomes`."""

SUPPRESSIONS_MAX = 3
PRODUCTS_MAX = 32
MEMORY_DAYS_MIN = 90
"""A contact is remembered for that long at least, for caps that are yet to be made."""


class Contact(msgspec.Struct, array_like=True, gc=False):
    """One alert. A churn alert has no offer_id, and its due time is its name."""

    alert: bytes
    """The 16 bytes of the alert_id; empty for a churn alert."""
    offer_id: str
    product: str
    made_at: int
    delay_ms: int
    """From made_at until it may reach the customer: the rest of the quiet hours."""
    valid_days: int
    channel: int
    """Place in CONTACT_CHANNELS."""
    mode: int
    segment: int
    answer: int = OPEN
    answered_at: int = 0
    churn_due: int = 0
    """Due time of the churn alert that it is, or that it answers."""
    cooldown_days: int = 0
    """Of the offer when it was made: the catalogue may have lost it since."""

    @property
    def at(self) -> int:
        """When it reaches the customer: what periods are counted by."""
        return self.made_at + self.delay_ms

    @property
    def expires_at(self) -> int:
        """Epoch ms."""
        return self.at + self.valid_days * DAY_MS

    @property
    def kind(self) -> Kind:
        """Of the alert."""
        return "next_best_offer" if self.offer_id else "churn_risk"

    @property
    def alert_id(self) -> str:
        """As in the alert."""
        h = self.alert.hex()
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def stands(self, at: int) -> bool:
        """Whether it was sent, may still be acted on, and nothing has settled it."""
        return self.mode == SENT and self.answer in (OPEN, SHOWN) and at < self.expires_at


def sent_churn(due: int, mode: int = SENT, valid_days: int = 30) -> Contact:
    """A churn alert."""
    return Contact(b"", "", "", due, 0, valid_days, 0, mode, 0, churn_due=due)


def alert_bytes(alert_id: str) -> bytes:
    """The 16 bytes of an alert_id."""
    return bytes.fromhex(alert_id.replace("-", ""))


class Suppression(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An alert that was not sent."""

    at: int
    rule: int
    """Place in RULES."""
    offer_id: str
    """Empty for a churn alert."""


class ContactHistory(msgspec.Struct, array_like=True):
    """Of one customer. New fields go to the end and have a default, so that older rows are read."""

    contacts: list[Contact] = []
    suppressions: list[Suppression] = []
    """The last few, oldest first."""
    consents: dict[int, int] = {}
    """By place in CONTACT_CHANNELS: when it was given, or when it was withdrawn as a negative number. Epoch ms."""
    zone: str = ""
    zone_at: int = 0
    products: dict[str, int] = {}
    """By product code: when it was taken, or when it was closed as a negative number."""
    cooling: dict[int, int] = {}
    """Rows of layout 1: until when an offer is not made again, by a hash of its id."""

    def encoded(self) -> bytes:
        """As it stands in the row; nothing where there is nothing."""
        return b"" if self == _EMPTY else _encoder.encode(self)

    def suppress(self, at: int, rule: SuppressionReason, offer_id: str) -> None:
        """Remembers what was not sent."""
        self.suppressions.append(Suppression(at, SUPPRESSION_REASONS.index(rule), offer_id))
        del self.suppressions[:-SUPPRESSIONS_MAX]

    def forget(self, at: int, policy: Policy, offers: dict[str, Offer]) -> None:
        """Drops contacts that no rule can ask for any more."""
        needed_since = at - MEMORY_DAYS_MIN * DAY_MS
        for contact in self.contacts:
            if contact.made_at <= needed_since:
                break
        else:  # as for most
            return
        days = max([MEMORY_DAYS_MIN, *(cap.days for cap in policy.caps)])
        self.contacts = [c for c in self.contacts if _needed(c, at, days, policy, offers)]

    @property
    def full(self) -> bool:
        """Whether no contact can be added."""
        return len(self.contacts) >= CONTACTS_MAX

    def holds(self, code: str) -> bool:
        """Whether the customer is known to have the product."""
        return self.products.get(code, 0) > 0

    def note_product(self, code: str, at: int, *, taken: bool) -> bool:
        """Takes note unless something later is known; returns whether it did. The oldest gives way when it is full."""
        if abs(self.products.get(code, 0)) > at:
            return False
        self.products.pop(code, None)
        if len(self.products) >= PRODUCTS_MAX:
            del self.products[min(self.products, key=lambda name: (abs(self.products[name]), name))]
        self.products[code] = at if taken else -at
        return True


def history_of(section: bytes) -> ContactHistory:
    """What is in the section, which is empty where there is none. Raises LayoutError."""
    try:
        return _decoder.decode(section) if section else ContactHistory()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LayoutError("the contact history in a row is cut short or broken") from error


def _needed(contact: Contact, at: int, days: int, policy: Policy, offers: dict[str, Offer]) -> bool:
    if not contact.offer_id and contact.answer == OPEN:
        return True  # the churn alert stands until the customer is back
    if contact.answer == DECLINED:
        days = max(days, policy.decline_days)
    elif contact.answer == IGNORED:
        days = max(days, policy.ignored_days)
    days = max(days, contact.cooldown_days)
    if contact.offer_id in offers:
        days = max(days, offers[contact.offer_id].cooldown_days)
    return max(contact.at, contact.answered_at) + days * DAY_MS > at or contact.expires_at > at


_EMPTY = ContactHistory()
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ContactHistory)
