"""What keeps an offer from being made to a customer. Every rule looks at the customer's row and the partition's ledger
only, and both are committed with the alert, so that what is counted is exact, also through a crash and with many
workers.

Periods are counted back from the moment at which an alert reaches the customer, in days of 24 hours.
"""

from hashlib import blake2b

from handlers.contact.history import DECLINED, IGNORED, Contact, ContactHistory, SuppressionReason
from handlers.contact.rules import Modes, capped, of_the_past
from handlers.offers.counts import Ledger
from schemas.offer import CONTACT_CHANNELS, Offer
from schemas.policy import Policy
from schemas.units import DAY_MS


def offer_blocked(
    offer: Offer,
    history: ContactHistory,
    at: int,
    now: int,
    policy: Policy,
    modes: Modes,
    ledger: Ledger,
    budget: int | None,
) -> SuppressionReason | None:
    """The rule that keeps an offer back which is made at `now` and would reach the customer at `at`; None when nothing
    does. `budget` is the partition's share of the offer's, None without one."""
    if "next_best_offer" in policy.kill:
        return "kill_switch"
    if past := of_the_past(at, at + offer.valid_days * DAY_MS, now, policy):
        return past
    if history.holds(offer.code):
        return "held"
    mode = modes["next_best_offer"]
    same = [c for c in history.contacts if c.offer_id == offer.offer_id and c.mode == mode]
    if same and (rule := _by_the_same(same, offer, at, policy)):
        return rule
    if history.cooling and history.cooling.get(hash_1(offer), 0) > at:
        return "cooldown"
    consent = history.consents.get(CONTACT_CHANNELS.index(offer.channel), 0)
    if consent < 0 or (consent == 0 and offer.channel in policy.consent_required):
        return "consent"
    if capped(history, at, policy, modes, "next_best_offer", CONTACT_CHANNELS.index(offer.channel)):
        return "cap"
    if budget is not None and ledger.of(offer.offer_id).spent >= budget:
        return "budget"
    return "contacts_full" if history.full else None


def hash_1(offer: Offer) -> int:
    """How rows of layout 1 remembered an offer."""
    return int.from_bytes(blake2b(offer.offer_id.encode(), digest_size=8).digest()) >> 1


def _by_the_same(contacts: list[Contact], offer: Offer, at: int, policy: Policy) -> SuppressionReason | None:
    """The rule by which these contacts, all about one offer, keep it back."""
    declined_since, last = at - policy.decline_days * DAY_MS, 0
    for contact in contacts:
        if contact.answer == DECLINED and contact.answered_at > declined_since:
            return "declined"
        last = max(last, contact.at)
    if _ignored(contacts, at, policy):
        return "ignored"
    return "cooldown" if last > at - offer.cooldown_days * DAY_MS else None


def _ignored(contacts: list[Contact], at: int, policy: Policy) -> bool:
    """Whether the last ignored_max of these were all ignored, the last of them within ignored_days."""
    last = contacts[-policy.ignored_max :]
    return (
        len(last) == policy.ignored_max
        and all(c.answer == IGNORED for c in last)
        and at - last[-1].answered_at < policy.ignored_days * DAY_MS
    )
