"""The rules that outcomes and customer events must keep beyond their schemas."""

from handlers.intake.validation import Violation, violation_of_moment
from schemas.customer_event import CustomerEvent
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
_ANY_TIME = 1 << 60


def violation_of_outcome(outcome: AlertOutcome) -> Violation | None:
    """The first rule that an outcome breaks, None if it keeps them all."""
    if outcome.alert_id is None and outcome.outcome != "bought":
        return Violation("missing_field", "alert_id", "is required but for bought")
    return None


def violation_of_event(event: CustomerEvent) -> Violation | None:
    """The first rule that a customer event breaks, None if it keeps them all."""
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
