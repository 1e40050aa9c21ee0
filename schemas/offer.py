"""The compacted `offer-catalog` topic, keyed by offer_id: what may be offered, to whom, and when.

A catalogue file is TOML with one `[[offer]]` table for each Offer.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Operator = Literal["at_least", "at_most", "above", "below"]
Trigger = Literal["salary", "large_credit", "new_channel"]

OFFERS_MAX = 64
"""Offers in one catalogue: a customer's row remembers each one's cooldown."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`feature operator value`, or `feature operator times x other feature`.

    A condition over a feature that the customer does not have yet (its value is missing) does not hold.
    """

    feature: Annotated[str, Meta(description="A name from the feature table, see docs/features.md.")]
    operator: Operator
    value: Annotated[float | None, Meta(description="In the feature's own unit; money in minor units.")] = None
    times: Annotated[float | None, Meta(description="Of the feature named in `of`.")] = None
    of: str | None = None


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One product that may be offered."""

    offer_id: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")]
    product: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(min_length=1, max_length=2000, description="What the employee says.")]
    value_minor: Annotated[int, Meta(ge=0, description="What the bank gains if it is taken; the highest wins.")]
    when: Annotated[list[Trigger], Meta(min_length=1, description="Moments at which it is considered.")]
    conditions: Annotated[list[Condition], Meta(max_length=32, description="All must hold.")] = []
    cooldown_days: Annotated[int, Meta(ge=1, le=730, description="Not offered again to the same customer within.")] = 90
    valid_days: Annotated[int, Meta(ge=1, le=365, description="How long an alert with it may be acted on.")] = 14
