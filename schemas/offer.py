"""The compacted `offer-catalog` topic: what may be offered, to whom and when, keyed by offer_id, and the policy.

A catalogue file is TOML with one `[[offer]]` table for each Offer, and a `[policy]` table (schemas/policy.py).
"""

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

Operator = Literal["at_least", "at_most", "above", "below"]
Trigger = Literal[
    "salary",
    "large_credit",
    "new_channel",
    "idle_balance",
    "remittance",
    "card_near_limit",
    "loan_nearly_repaid",
    "deposit_maturing",
    "tier_up",
]
"""Moments; handlers/offers/triggers.py says when each has come."""

ContactChannel = Literal["counter", "phone", "mobile", "online", "email", "sms", "post"]
"""How an offer reaches the customer."""

CONTACT_CHANNELS: tuple[ContactChannel, ...] = get_args(ContactChannel)
"""The place in this tuple is stored in rows: add at the end, never reorder."""

OFFERS_MAX = 64
"""Offers in one catalogue."""

VALUE_LIMIT = 10**12
"""Largest value or cost of an offer, in minor units."""

OfferId = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")]
Said = Annotated[str, Meta(min_length=1, max_length=2000)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Moment = Annotated[datetime, Meta(tz=True)]


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the employee says, by language."""

    en: Said
    zh: Said | None = None


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`feature operator value`, or `feature operator times x other feature`.

    A condition over a feature that the customer does not have yet (its value is missing) does not hold.
    """

    feature: Annotated[str, Meta(description="A name from the feature table, see docs/features.md.")]
    operator: Operator
    value: Annotated[float | None, Meta(description="In the feature's own unit; money in minor units.")] = None
    times: Annotated[float | None, Meta(description="Of the feature named in `of`.")] = None
    of: str | None = None
    if_so: Annotated[
        Texts | None,
        Meta(description="What an alert says of a customer for whom it holds; else made from the feature."),
    ] = None
    if_not: Annotated[Texts | None, Meta(description="And of one for whom it does not.")] = None


Conditions = Annotated[list[Condition], Meta(max_length=32)]


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One product that may be offered. All conditions of all three groups must hold."""

    offer_id: OfferId
    product: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[Said | Texts, Meta(description="What the employee says; alone it is English.")]
    value_minor: Annotated[int, Meta(ge=0, le=VALUE_LIMIT, description="What the bank gains if it is taken.")]
    when: Annotated[list[Trigger], Meta(description="Moments at which it is considered.")] = []
    conditions: Annotated[Conditions, Meta(description="The older name of `suitability`; both hold.")] = []
    cooldown_days: Annotated[int, Meta(ge=1, le=730, description="Not offered again to the same customer within.")] = 90
    valid_days: Annotated[int, Meta(ge=1, le=365, description="How long an alert with it may be acted on.")] = 14
    eligibility: Annotated[Conditions, Meta(description="Whether the bank may offer it to this customer at all.")] = []
    applicability: Annotated[Conditions, Meta(description="Whether it would be of any use to this customer.")] = []
    suitability: Annotated[Conditions, Meta(description="Whether it is right for this customer now.")] = []
    cost_minor: Annotated[int, Meta(ge=0, le=VALUE_LIMIT, description="What taking it costs the bank.")] = 0
    weight: Annotated[float, Meta(ge=0, le=100, description="The bank's own preference; 1 is neutral.")] = 1.0
    propensity: Annotated[
        float, Meta(gt=0, lt=1, description="Share expected to take it, believed until outcomes say otherwise.")
    ] = 0.05
    channel: ContactChannel = "counter"
    valid_from: Annotated[Moment | None, Meta(description="Not offered before.")] = None
    valid_to: Annotated[Moment | None, Meta(description="Not offered from this moment on.")] = None
    budget: Annotated[
        Annotated[int, Meta(ge=0, le=10**9)] | None,
        Meta(description="How often it may be offered, over all partitions and for ever."),
    ] = None
    product_code: Annotated[
        Code | None, Meta(description="`product` of customer-events; the offer_id if not given.")
    ] = None
    retention: Annotated[bool, Meta(description="Considered when a churn alert is raised.")] = False

    @property
    def code(self) -> str:
        """What customer events call the product."""
        return self.product_code or self.offer_id

    @property
    def texts(self) -> Texts:
        """By language."""
        return self.text if isinstance(self.text, Texts) else Texts(self.text)
