"""Next best offer: what its alerts say."""

from collections.abc import Mapping

from handlers.aggregates.snapshot import FeatureValues
from handlers.contact.history import Contact
from handlers.offers.arbitration import Considered, runners_up
from handlers.offers.conditions import reason
from handlers.offers.triggers import TRIGGERS
from schemas.alert import Alert, Cause, Model, OfferReference, Reason, alert_id
from schemas.units import DAY_MS, rfc3339

RULE = "next_best_offer"
MODEL = Model(name="catalogue-rules", version="2")


def proposed(
    customer_id: str,
    name: str,
    ranked: list[Considered],
    bits: int,
    at: int,
    when: int,
    cause: Mapping[str, object],
    seen: FeatureValues,
    in_answer_to: str | None,
) -> Alert:
    """The alert for the first of `ranked`. `name` is the alert_id, `cause` has the fields of Cause.

    It is decided at `at` and may reach the customer at `when`, both epoch ms.
    """
    best = ranked[0]
    offer, factors = best.offer, best.factors
    assert factors is not None
    reasons = [
        Reason(moment, TRIGGERS[moment].sentence)
        for moment in [*offer.when, "churn_risk"]
        if TRIGGERS[moment].bit & bits
    ]
    reasons += [reason(check, seen) for check in best.checks if check.group != "eligibility"]
    return Alert(
        alert_id=name,
        kind="next_best_offer",
        status="raised",
        customer_id=customer_id,
        raised_at=rfc3339(at),
        expires_at=rfc3339(when + offer.valid_days * DAY_MS),
        horizon_days=offer.valid_days,
        reasons=reasons,
        cause=Cause(**cause),  # type: ignore[arg-type]
        model=MODEL,
        offer=OfferReference(
            offer.offer_id,
            offer.product,
            offer.texts.en,
            offer.value_minor,
            offer.cost_minor,
            offer.channel,
            offer.texts.zh,
        ),
        not_before=rfc3339(when) if when > at else None,
        in_answer_to=in_answer_to,
        factors=factors,
        runners_up=runners_up(ranked[1:], best, seen),
    )


def taken_back(
    customer_id: str, contact: Contact, at: int, cause: Mapping[str, object], code: str, sentence: str
) -> Alert:
    """Retracts an offer whose reason has gone at `at`. `cause` has the fields of Cause, the last two say why."""
    return Alert(
        alert_id=alert_id(customer_id, f"{RULE}.{code}", contact.alert_id),
        kind="next_best_offer",
        status="retracted",
        customer_id=customer_id,
        raised_at=rfc3339(at),
        expires_at=rfc3339(contact.expires_at),
        horizon_days=contact.valid_days,
        reasons=[Reason(code, sentence)],
        cause=Cause(**cause),  # type: ignore[arg-type]
        model=MODEL,
        supersedes=contact.alert_id,
    )
