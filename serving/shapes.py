"""What the API answers with, beside the alerts themselves (schemas/alert.py). Money is in minor units."""

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.alert import Alert, Kind, Rfc3339
from schemas.outcome import OutcomeKind


class Account(msgspec.Struct, frozen=True):
    """An account whose balance is known."""

    account_id: str
    balance_minor: int
    at: Annotated[Rfc3339, Meta(description="Since when.")]


class OfferMade(msgspec.Struct, frozen=True):
    """An offer, and what came of it."""

    offer_id: str
    at: Annotated[Rfc3339, Meta(description="When it may reach the customer.")]
    expires_at: Rfc3339
    channel: str
    state: Annotated[
        str,
        Meta(description="open, expired, an outcome, retracted; or control group or dry run, where it was not sent."),
    ]


class NotSent(msgspec.Struct, frozen=True):
    """An alert that was kept back."""

    at: Rfc3339
    offer_id: Annotated[str | None, Meta(description="null for a churn alert.")]
    rule: str


class Customer(msgspec.Struct, frozen=True):
    """Everything that is known of one customer, at `at`; the same as `tracker customer ID --json`."""

    customer_id: str
    at: Rfc3339
    features: Annotated[
        dict[str, int | float | None], Meta(description="By name, see docs/features.md; null where missing.")
    ]
    accounts: list[Account]
    churn_risk_since: Rfc3339 | None
    offers: list[OfferMade]
    not_sent: Annotated[list[NotSent], Meta(description="The last three.")]
    consents: dict[str, bool]
    time_zone: str | None
    products: list[str]


class Figures(msgspec.Struct, frozen=True):
    """Every figure of one customer at a moment."""

    customer_id: str
    at: Rfc3339
    features: dict[str, int | float | None]


class AlertView(msgspec.Struct, frozen=True):
    """An alert, and what is known of it since."""

    alert: Alert
    band: Annotated[
        str | None, Meta(description="Of the score: high from 0.9, medium from 0.7, low; null where there is no score.")
    ]
    outcomes: Annotated[list[str], Meta(description="As told on alert-outcomes, in that order.")]
    taken_back_by: Annotated[str | None, Meta(description="alert_id of the retraction.")]


class AlertPage(msgspec.Struct, frozen=True):
    """Some alerts, the latest cause first."""

    alerts: list[AlertView]
    next: Annotated[str | None, Meta(description="The `cursor` of the next page; null on the last one.")]


class OutcomeGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of the offer in an alert."""

    outcome: OutcomeKind


class OutcomeTaken(msgspec.Struct, frozen=True):
    """The record that was published to alert-outcomes."""

    alert_id: str
    offer_id: str
    outcome: OutcomeKind
    occurred_at: Rfc3339


class SwitchGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a kind of alerts is to be."""

    to: Annotated[
        str, Meta(pattern="^(on|off|dry-run)$", description="on, off or dry-run (decided and recorded only).")
    ]


class SwitchState(msgspec.Struct, frozen=True):
    """How a kind of alerts is."""

    kind: Kind
    state: str


class Interval(msgspec.Struct, frozen=True):
    """A difference of shares with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Campaign(msgspec.Struct, frozen=True):
    """One offer over all partitions."""

    offer_id: str
    product: Annotated[str | None, Meta(description="null for an offer that is no longer in the catalogue.")]
    sent: int
    taken: int
    control_made: Annotated[int, Meta(description="Members of the control group to whom it would have been sent.")]
    control_taken: int
    budget: int | None
    budget_left: int | None
    lift: Annotated[
        Interval | None, Meta(description="Share that took it less that of the control group; null while one has none.")
    ]


class Partition(msgspec.Struct, frozen=True):
    """Where one partition stands."""

    partition: int
    offset: Annotated[int, Meta(description="Of the next transaction to process.")]
    end: Annotated[int | None, Meta(description="Of the next transaction to be published; null if Kafka says nothing.")]
    lag: int | None
    clock: Annotated[Rfc3339, Meta(description="How far time has come in the transactions.")]
    owner: Annotated[str | None, Meta(description="The worker that has it; null if none, or if Kafka says nothing.")]


class LetterRule(msgspec.Struct, frozen=True):
    """Dead letters that have not been replayed, by what was wrong with them."""

    topic: str
    reason: str
    field: str
    rule: str
    count: int


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 says."""

    type: str
    title: str
    status: int
    detail: str
    errors: Annotated[list[dict[str, str]], Meta(description="`field` and `rule` of each.")] = []
