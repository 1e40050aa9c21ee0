"""The bank's rules of contact: one record of `offer-catalog` with the key `@policy`, or `[policy]` in a catalogue file.

What it holds takes effect in every worker as soon as the record has arrived.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.alert import Kind
from schemas.offer import ContactChannel, Moment, Trigger

POLICY_KEY = "@policy"
"""No offer_id may hold the sign."""

CONTACTS_MAX = 64
"""Contacts that a customer's row remembers; caps count over them."""

ClockTime = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time, as 21:00.")]
Days = Annotated[int, Meta(ge=1, le=730)]
Probability = Annotated[float, Meta(gt=0, lt=1)]


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most so many alerts about one customer in any so many days (of 24 hours)."""

    at_most: Annotated[int, Meta(ge=0, le=32)]
    days: Days
    kind: Annotated[Kind | None, Meta(description="Counts this kind only.")] = None
    channel: Annotated[ContactChannel | None, Meta(description="Counts offers by this channel only.")] = None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What keeps an alert from being sent. Without a policy nothing but cooldowns does."""

    kill: Annotated[list[Kind], Meta(description="Kinds that are switched off: nothing is decided to be sent.")] = []
    dry_run: Annotated[list[Kind], Meta(description="Kinds that are decided and recorded, but not sent.")] = []
    caps: Annotated[list[Cap], Meta(max_length=16)] = []
    consent_required: Annotated[
        list[ContactChannel], Meta(description="Channels on which nothing is offered without a consent.")
    ] = []
    decline_days: Annotated[Days, Meta(description="An offer that was declined is not made again within.")] = 180
    ignored_max: Annotated[int, Meta(ge=1, le=32, description="So many times in a row ignored is enough.")] = 3
    ignored_days: Annotated[Days, Meta(description="An offer ignored that often is not made again within.")] = 365
    quiet_from: ClockTime | None = None
    quiet_to: ClockTime | None = None
    time_zone: Annotated[str, Meta(description="IANA name; of customers whose own is not known.")] = "UTC"
    control_share: Annotated[
        float, Meta(ge=0, le=0.5, description="Share of customers who get no offers, to measure what offers bring.")
    ] = 0.0
    context: Annotated[
        dict[Trigger | Literal["churn_risk"], Annotated[float, Meta(ge=0, le=10)]],
        Meta(description="How much each moment counts, instead of what handlers/offers/triggers.py has."),
    ] = {}
    churn_raise_at: Annotated[
        Probability, Meta(description="With a churn model: an alert is raised when the probability has reached this.")
    ] = 0.7
    churn_hold_above: Annotated[
        Probability,
        Meta(description="A customer who comes back stays under alert while the probability is at or above this."),
    ] = 0.2
    announce_from: Annotated[
        Moment | None,
        Meta(description="What is decided of a time before this is recorded and not sent: a first load of history."),
    ] = None
    settle_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=168,
            description="A silence is judged so long after it has become unusual: what arrives late by less breaks it.",
        ),
    ] = 1
    tiers_minor: Annotated[
        list[Annotated[int, Meta(ge=1, le=10**15)]],
        Meta(max_length=8, description="Money in over 90 d at which each tier above the lowest begins, ascending."),
    ] = []
