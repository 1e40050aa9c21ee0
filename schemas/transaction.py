"""The `transactions` topic: what core banking publishes, keyed by customer_id."""

from datetime import datetime
from typing import Annotated, Literal

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
    "refund",
    "returned_payment",
    "own_transfer",
    "balance",
)
"""Known transaction types. The place in this tuple is stored in rows: add at the end, never reorder, 30 at most.

What comes back is no income: `refund` is from whom the customer paid, `returned_payment` one that could not be
carried out. `own_transfer` is between accounts of the customer. `balance` is no booking: it reports `balance_minor`,
and its amount_minor is 0.
"""

PAYING_TYPES = (
    "withdrawal",
    "transfer_out",
    "card_payment",
    "bill_payment",
    "fee",
    "insurance_premium",
    "purchase",
)
"""Types by which the customer pays: a credit of one, that is no reversal, is counted as a `refund`."""

NO_FLOW_TYPES = ("refund", "returned_payment", "own_transfer", "balance")
"""Types that are neither money in nor money out."""

NOT_OWN_TYPES = ("interest", "fee", *NO_FLOW_TYPES)
"""Types that are no doing of the customer's: the bank books them by itself, or others give back. A day with nothing
else is not an active day."""

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


Status = Literal["pending", "booked"]


class Original(msgspec.Struct, frozen=True, gc=False):
    """An earlier transaction of the same customer and account: what a reversal undoes, or a booking replaces."""

    event_id: Annotated[str, Meta(min_length=1, max_length=EVENT_ID_LENGTH)]
    occurred_at: Moment


class Transaction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One booking on one account. Fields that are not named here are ignored.

    A reversal carries `reversal_of`, the currency of its original, and the opposite sign: of the whole amount, or of a
    part of what is left. Its own occurred_at is when it was booked.

    What is pending counts at once. When it is booked, perhaps with another amount, the booking names it in `replaces`,
    or has its event_id.
    """

    event_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=EVENT_ID_LENGTH,
            description="Unique over the events of one customer and account.",
        ),
    ]
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
    status: Annotated[Status | None, Meta(description="booked if not given.")] = None
    replaces: Annotated[Original | None, Meta(description="The pending transaction that this one books.")] = None
