"""One customer as `tracker customer`, the API and the console show it: the same truth in the same words."""

from handlers.contact.history import CONTROL, OPEN, SENT, SUPPRESSION_REASONS, Contact, ContactHistory
from handlers.profile.customer import accounts, churn_raised_at, contact_history, profile
from schemas.offer import CONTACT_CHANNELS
from schemas.units import rfc3339

STATES = ("open", "shown", "accepted", "declined", "ignored", "bought", "retracted")


def picture(customer_id: str, row: bytes, now: int) -> dict[str, object]:
    """The customer at `now` (epoch ms), for JSON; money in minor units of the base currency."""
    raised = churn_raised_at(row)
    return {
        "customer_id": customer_id,
        "at": rfc3339(now),
        "features": profile(row, now),
        "accounts": [
            {"account_id": account, "balance_minor": balance, "at": rfc3339(at)}
            for account, balance, at in accounts(row)
        ],
        "churn_risk_since": None if raised is None else rfc3339(raised),
        **dealings_picture(contact_history(row), now),
    }


def dealings_picture(dealings: ContactHistory, now: int) -> dict[str, object]:
    """What was sent and how it was answered, what was lately not sent and by which rule, and what is known beside."""
    return {
        "offers": [
            {
                "offer_id": contact.offer_id,
                "at": rfc3339(contact.at),
                "expires_at": rfc3339(contact.expires_at),
                "channel": CONTACT_CHANNELS[contact.channel],
                "state": state_of(contact, now),
            }
            for contact in dealings.contacts
            if contact.offer_id
        ],
        "not_sent": [
            {"at": rfc3339(one.at), "offer_id": one.offer_id or None, "rule": SUPPRESSION_REASONS[one.rule]}
            for one in dealings.suppressions
        ],
        "consents": {CONTACT_CHANNELS[channel]: at > 0 for channel, at in sorted(dealings.consents.items())},
        "time_zone": dealings.zone or None,
        "products": sorted(code for code in dealings.products if dealings.holds(code)),
    }


def state_of(contact: Contact, now: int) -> str:
    """One word for how an offer stands."""
    if contact.mode != SENT:
        return "control group" if contact.mode == CONTROL else "dry run"
    return "expired" if contact.answer == OPEN and now >= contact.expires_at else STATES[contact.answer]
