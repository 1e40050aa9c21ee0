"""Next best offer: of the catalogue's offers whose moment it is and whose conditions hold, the one of highest value."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from handlers.features import FEATURES, INDEX, Unit
from handlers.fold import LARGE_CREDIT, NEW_CHANNEL, SALARY
from handlers.snapshot import Snapshot
from schemas.alert import Alert, Cause, Model, OfferReference, Reason, alert_id
from schemas.offer import Condition, Offer
from schemas.units import DAY_MS, rfc3339

RULE = "next_best_offer"
MODEL = Model(name="catalogue-rules", version="1")

TRIGGER_BITS = {"salary": SALARY, "large_credit": LARGE_CREDIT, "new_channel": NEW_CHANNEL}
_TRIGGER_SENTENCES = {
    "salary": "A salary has arrived.",
    "large_credit": "A credit well beyond this customer's usual has arrived.",
    "new_channel": "The customer has used a channel for the first time.",
}
_WORDS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}


def wanted_bits(offers: Iterable[Offer]) -> int:
    """The moments that any offer waits for; the others need no decision."""
    bits = 0
    for offer in offers:
        for trigger in offer.when:
            bits |= TRIGGER_BITS[trigger]
    return bits


def offer_hash(offer_id: str) -> int:
    """A positive 63-bit hash of an offer's id: how a row remembers which offers are in their cooldown."""
    return int.from_bytes(blake2b(offer_id.encode(), digest_size=8).digest()) >> 1


def _limit(condition: Condition, seen: Snapshot) -> float | None:
    if condition.of is None:
        return condition.value
    other = seen.number(condition.of)
    return None if other is None or condition.times is None else condition.times * other


def holds(condition: Condition, seen: Snapshot) -> bool:
    """Whether the condition holds; one over a missing feature doesn't."""
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    if value is None or limit is None:
        return False
    match condition.operator:
        case "at_least":
            return value >= limit
        case "at_most":
            return value <= limit
        case "above":
            return value > limit
        case _:
            return value < limit


def best(offers: Sequence[Offer], bits: int, cooling: Mapping[int, int], at: int, seen: Snapshot) -> Offer | None:
    """The offer of highest value that fits at this moment, ties by offer_id; None when none does.

    `bits` are the moments that have come, `cooling` says until when (epoch ms) each offer_hash is not offered again.
    """
    fitting = [
        offer
        for offer in offers
        if any(TRIGGER_BITS[trigger] & bits for trigger in offer.when)
        and cooling.get(offer_hash(offer.offer_id), 0) <= at
        and all(holds(condition, seen) for condition in offer.conditions)
    ]
    return min(fitting, key=lambda offer: (-offer.value_minor, offer.offer_id), default=None)


def _said(name: str, value: float) -> str:
    unit = FEATURES[INDEX[name]].unit
    if unit is Unit.MINOR:
        return f"{value / 100:,.2f}"
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:,.4g}"


def _reason(condition: Condition, seen: Snapshot) -> Reason:
    value, limit = seen.number(condition.feature), _limit(condition, seen)
    assert value is not None
    assert limit is not None
    meaning = FEATURES[INDEX[condition.feature]].meaning
    sentence = (
        f"{meaning}: {_said(condition.feature, value)}, {_WORDS[condition.operator]} {_said(condition.feature, limit)}."
    )
    return Reason(condition.feature, sentence, value, limit if condition.of is not None else None)


def proposed(
    customer_id: str, offer: Offer, bits: int, event_id: str, at: int, cause: Mapping[str, object], seen: Snapshot
) -> Alert:
    """The alert for the chosen offer. `cause` has topic, partition and offset; `at` is the event's time, epoch ms."""
    reasons = [Reason(trigger, _TRIGGER_SENTENCES[trigger]) for trigger in offer.when if TRIGGER_BITS[trigger] & bits]
    reasons += [_reason(condition, seen) for condition in offer.conditions]
    return Alert(
        alert_id=alert_id(customer_id, RULE, event_id),
        kind="next_best_offer",
        status="raised",
        customer_id=customer_id,
        raised_at=rfc3339(at),
        expires_at=rfc3339(at + offer.valid_days * DAY_MS),
        score=1.0,
        horizon_days=offer.valid_days,
        reasons=reasons,
        cause=Cause(event_id=event_id, **cause),  # type: ignore[arg-type]
        model=MODEL,
        offer=OfferReference(offer.offer_id, offer.product, offer.text, offer.value_minor),
    )
