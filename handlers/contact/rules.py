"""What keeps an alert of any kind from being sent: kill switch, dry run, control group, caps. What is counted is in the
customer's row, committed with the alert, so it is exact, also through a crash and with many workers.

Periods are counted back from the moment at which an alert reaches the customer, in days of 24 hours.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import get_args

from handlers.contact.history import CONTROL, DRY, SENT, ContactHistory, SuppressionReason
from schemas.alert import Kind
from schemas.offer import CONTACT_CHANNELS
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS, epoch_ms

_KINDS: tuple[Kind, ...] = get_args(Kind)

Modes = Mapping[Kind, int]
"""How an alert of each kind would be made about one customer: SENT, CONTROL or DRY."""


def modes_of(customer_id: str, policy: Policy, control_key: bytes) -> Modes:
    """Only offers are kept from the control group: other alerts ask the staff to act, and tell the customer nothing."""
    modes: dict[Kind, int] = {kind: DRY if kind in policy.dry_run else SENT for kind in _KINDS}
    if in_control(customer_id, policy, control_key):
        modes["next_best_offer"] = CONTROL
    return modes


def in_control(customer_id: str, policy: Policy, control_key: bytes) -> bool:
    """Whether the customer belongs to the control group: by a keyed hash, so for as long as key and share stay; with a
    larger share the group grows and nobody leaves it."""
    if policy.control_share <= 0:
        return False
    digest = blake2b(customer_id.encode(), key=control_key, digest_size=8).digest()
    return int.from_bytes(digest) < policy.control_share * 2.0**64


def of_the_past(at: int, expires_at: int, now: int, policy: Policy) -> SuppressionReason | None:
    """The rule that keeps an alert back which is made at `now` of something at `at`, for it is no news any more."""
    if policy.announce_from is not None and at < epoch_ms(policy.announce_from):
        return "history"
    return "expired" if expires_at <= now else None


def alert_blocked(
    kind: Kind, history: ContactHistory, at: int, expires_at: int, now: int, policy: Policy, modes: Modes
) -> SuppressionReason | None:
    """Why an alert to the staff that is made at `now` is not sent; None when nothing keeps it back."""
    if kind in policy.kill:
        return "kill_switch"
    if past := of_the_past(at, expires_at, now, policy):
        return past
    if capped(history, at, policy, modes, kind, None):
        return "cap"
    return "contacts_full" if history.full else None


def capped(history: ContactHistory, at: int, policy: Policy, modes: Modes, kind: Kind, channel: int | None) -> bool:
    """Whether one more would be too many under any cap that it falls under."""
    for cap in policy.caps:
        if _under(cap, kind, channel):
            since = at - cap.days * DAY_MS
            made = sum(
                c.at > since and c.mode == modes[c.kind] and _under(cap, c.kind, c.channel if c.offer_id else None)
                for c in history.contacts
            )
            if made >= cap.at_most:
                return True
    return False


def _under(cap: Cap, kind: Kind, channel: int | None) -> bool:
    if cap.kind is not None and cap.kind != kind:
        return False
    return cap.channel is None or (channel is not None and CONTACT_CHANNELS[channel] == cap.channel)
