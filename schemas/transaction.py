"""The `transactions` topic: what core banking publishes, keyed by customer_id."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

TYPES = (
    "other",
    "deposit",
    "withdrawal",
    "transfer_in",
    "transfer_out",
    "card_payment",
    "bill_payment",
    "salary",
    "pension",
    "interest",
    "fee",
    "loan_payment",
    "insurance_premium",
    "remittance",
    "purchase",
)
"""Known transaction types. The place in this tuple is stored in rows: add at the end, never reorder."""

CHANNELS = ("other", "counter", "atm", "online", "mobile", "phone", "card", "automatic")
"""Known channels. The place in this tuple is stored in rows: add at the end, never reorder."""

AMOUNT_LIMIT = 10**15
"""Largest absolute amount or balance, in minor units: sums over a customer's life stay inside 64 bit."""

EVENT_ID_LENGTH = 64
CUSTOMER_ID_LENGTH = 64
ACCOUNT_ID_LENGTH = 40

HEARTBEAT_HEADER = "tracker-heartbeat"
"""Header of a record with neither key nor value: stream time has reached this RFC 3339 moment.

Sent by a publisher to every partition when it has nothing more to say, so that silence can be noticed."""

Moment = int | Annotated[datetime, Meta(tz=True)]
"""Epoch milliseconds, or RFC 3339 with an offset."""

Amount = Annotated[int, Meta(ge=-AMOUNT_LIMIT, le=AMOUNT_LIMIT)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]


class Original(msgspec.Struct, frozen=True, gc=False):
    """The transaction that a reversal undoes."""

    event_id: Annotated[str, Meta(min_length=1, max_length=EVENT_ID_LENGTH)]
    occurred_at: Moment


class Transaction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One booking on one account. Fields that are not named here are ignored.

    A reversal carries `reversal_of`, the type, channel and currency of its original, and the opposite amount;
    its own occurred_at is when it was booked.
    """

    event_id: Annotated[str, Meta(min_length=1, max_length=EVENT_ID_LENGTH, description="Unique over all events.")]
    customer_id: Annotated[
        str, Meta(min_length=1, max_length=CUSTOMER_ID_LENGTH, description="The same as the record's key.")
    ]
    account_id: Annotated[str, Meta(min_length=1, max_length=ACCOUNT_ID_LENGTH)]
    occurred_at: Annotated[Moment, Meta(description="RFC 3339 with an offset, or epoch milliseconds.")]
    amount_minor: Annotated[Amount, Meta(description="Signed, in minor units of the currency; a credit is positive.")]
    currency: Annotated[Currency, Meta(description="ISO 4217 code.")]
    type: Annotated[str, Meta(description="One of: " + ", ".join(TYPES) + ". Anything else counts as other.")]
    channel: Annotated[str, Meta(description="One of: " + ", ".join(CHANNELS) + ". Anything else counts as other.")]
    balance_minor: Annotated[Amount | None, Meta(description="The account's balance after this transaction.")] = None
    counterparty: str | None = None
    category: str | None = None
    product: str | None = None
    reversal_of: Original | None = None
