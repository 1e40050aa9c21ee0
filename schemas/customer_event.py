"""The `customer-events` topic: what the bank knows of a customer beside transactions, keyed by customer_id."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.offer import Code, ContactChannel
from schemas.transaction import ACCOUNT_ID_LENGTH, AMOUNT_LIMIT, CUSTOMER_ID_LENGTH, EVENT_ID_LENGTH, Moment
from schemas.units import parse_rfc3339

EventKind = Literal["consent_given", "consent_withdrawn", "time_zone", "product_taken", "product_closed"]
ProductKind = Literal["card", "loan", "deposit", "other"]
Minor = Annotated[int, Meta(ge=1, le=AMOUNT_LIMIT)]


class CustomerEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change. Which fields an event needs depends on its kind. Fields that are not named here are ignored.

    An event about the same thing (channel, zone, product) that occurred earlier than one already known is ignored.
    A product that is closed without an account_id is closed on all the customer's accounts.
    """

    event_id: Annotated[str, Meta(min_length=1, max_length=EVENT_ID_LENGTH)]
    customer_id: Annotated[
        str, Meta(min_length=1, max_length=CUSTOMER_ID_LENGTH, description="The same as the record's key.")
    ]
    occurred_at: Annotated[Moment, Meta(description="RFC 3339 with an offset, or epoch milliseconds.")]
    kind: EventKind
    channel: Annotated[ContactChannel | None, Meta(description="Of a consent.")] = None
    time_zone: Annotated[Code | None, Meta(description="IANA name, as Europe/Prague.")] = None
    product: Annotated[Code | None, Meta(description="`product_code` of offers; of a product event.")] = None
    product_kind: ProductKind = "other"
    account_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=ACCOUNT_ID_LENGTH)] | None,
        Meta(description="Whose balance tells how a card or loan stands."),
    ] = None
    amount_minor: Annotated[Minor | None, Meta(description="Of a loan: what was lent, in the base currency.")] = None
    limit_minor: Annotated[Minor | None, Meta(description="Of a card, in the base currency.")] = None
    matures_at: Annotated[Moment | None, Meta(description="Of a deposit.")] = None


EXAMPLE = CustomerEvent(
    event_id="ce-1",
    customer_id="C-1001",
    occurred_at=parse_rfc3339("2026-01-02T10:00:00Z"),
    kind="consent_given",
    channel="mobile",
)
