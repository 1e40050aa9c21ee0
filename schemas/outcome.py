"""The `alert-outcomes` topic: what became of alerts, published by marketing tools, keyed by customer_id."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.offer import OfferId
from schemas.transaction import CUSTOMER_ID_LENGTH, Moment
from schemas.units import parse_rfc3339

OutcomeKind = Literal["shown", "accepted", "declined", "ignored", "bought"]


class AlertOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer did about an offer. Fields that are not named here are ignored.

    In whatever order outcomes of one alert come: bought outweighs any other, accepted and declined (of which the one
    that occurred last counts) outweigh ignored, and that outweighs shown. One that names an alert that is not known
    changes nothing, and is counted (tracker_outcomes_unmatched_total).
    """

    customer_id: Annotated[
        str, Meta(min_length=1, max_length=CUSTOMER_ID_LENGTH, description="The same as the record's key.")
    ]
    offer_id: OfferId
    outcome: Annotated[
        OutcomeKind, Meta(description="`bought` is taking the product; without an alert_id, of their own accord.")
    ]
    occurred_at: Annotated[Moment, Meta(description="RFC 3339 with an offset, or epoch milliseconds.")]
    alert_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="The alert answered. Only `bought` can do without."),
    ] = None


EXAMPLE = AlertOutcome(
    customer_id="C-1001",
    offer_id="savings-plan",
    outcome="accepted",
    occurred_at=parse_rfc3339("2026-01-05T12:00:00Z"),
    alert_id="81c048a0-aa78-5ae9-ada8-1c0cb5e6e681",
)
