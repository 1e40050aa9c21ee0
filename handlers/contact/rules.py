"""What keeps an alert from being sent. Every rule looks at the customer's row and the partition's ledger only, and both
are committed with the alert, so that what is counted is exact, also through a crash and with many workers.

Periods are counted back from the moment at which an alert reaches the customer, in days of 24 hours.
"""

from collections.abc import Mapping
from hashlib import blake2b

from handlers.contact.history import CONTROL, DECLINED, DRY, IGNORED, SENT, Contact, Dealings, Rule
from handlers.engine.rules import Rules
from handlers.offers.counts import Ledger, share_of_budget
from schemas.alert import Kind
from schemas.offer import CONTACT_CHANNELS, Offer
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS

Modes = Mapping[Kind, int]
"""How an alert of each kind would be made about one customer: SENT, CONTROL or DRY."""


def modes_of(customer_id: str, rules: Rules) -> Modes:
    """Only offers are kept from the control group: churn alerts ask the staff to act, and tell the customer nothing."""
    dry = rules.policy.dry_run
    offers = CONTROL if in_control(customer_id, rules) else DRY if "next_best_offer" in dry else SENT
    return {"churn_risk": DRY if "churn_risk" in dry else SENT, "next_best_offer": offers}


def in_control(customer_id: str, rules: Rules) -> bool:
    """Whether the customer belongs to the control group: by a keyed hash, so for as long as key and share stay; with a
    larger share the group grows and nobody leaves it."""
    if rules.policy.control_share <= 0:
        return False
    digest = blake2b(customer_id.encode(), key=rules.control_key, digest_size=8).digest()
    return int.from_bytes(digest) < rules.policy.control_share * 2.0**64


def churn_blocked(dealings: Dealings, at: int, rules: Rules, modes: Modes) -> Rule | None:
    """The rule (one of dealings.RULES) that keeps a churn alert back; None when nothing does."""
    if "churn_risk" in rules.policy.kill:
        return "kill_switch"
    if _capped(dealings, at, rules.policy, modes, "churn_risk", None):
        return "cap"
    return "contacts_full" if dealings.full else None


def offer_blocked(
    offer: Offer, dealings: Dealings, at: int, rules: Rules, modes: Modes, ledger: Ledger, partition: int
) -> Rule | None:
    """The rule that keeps an offer back which would reach the customer at `at`; None when nothing does."""
    policy = rules.policy
    if "next_best_offer" in policy.kill:
        return "kill_switch"
    if dealings.holds(offer.code):
        return "held"
    mode = modes["next_best_offer"]
    same = [c for c in dealings.contacts if c.offer_id == offer.offer_id and c.mode == mode]
    if same and (rule := _by_the_same(same, offer, at, policy)):
        return rule
    if dealings.cooling and dealings.cooling.get(hash_1(offer), 0) > at:
        return "cooldown"
    consent = dealings.consents.get(CONTACT_CHANNELS.index(offer.channel), 0)
    if consent < 0 or (consent == 0 and offer.channel in policy.consent_required):
        return "consent"
    if _capped(dealings, at, policy, modes, "next_best_offer", CONTACT_CHANNELS.index(offer.channel)):
        return "cap"
    budget = share_of_budget(offer, rules.partitions, partition)
    if budget is not None and ledger.of(offer.offer_id).spent >= budget:
        return "budget"
    return "contacts_full" if dealings.full else None


def hash_1(offer: Offer) -> int:
    """How rows of layout 1 remembered an offer."""
    return int.from_bytes(blake2b(offer.offer_id.encode(), digest_size=8).digest()) >> 1


def _by_the_same(contacts: list[Contact], offer: Offer, at: int, policy: Policy) -> Rule | None:
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


def _capped(dealings: Dealings, at: int, policy: Policy, modes: Modes, kind: Kind, channel: int | None) -> bool:
    """Whether one more would be too many under any cap that it falls under."""
    for cap in policy.caps:
        if _under(cap, kind, channel):
            since = at - cap.days * DAY_MS
            made = sum(
                c.at > since and c.mode == modes[c.kind] and _under(cap, c.kind, c.channel if c.offer_id else None)
                for c in dealings.contacts
            )
            if made >= cap.at_most:
                return True
    return False


def _under(cap: Cap, kind: Kind, channel: int | None) -> bool:
    if cap.kind is not None and cap.kind != kind:
        return False
    return cap.channel is None or (channel is not None and CONTACT_CHANNELS[channel] == cap.channel)
