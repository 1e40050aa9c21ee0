"""The `customer-alerts` topic: what marketing tools subscribe to, keyed by customer_id.

Each record is a CloudEvent 1.0 in binary mode: the attributes are headers (`ce_*`), the value is an Alert as JSON.
"""

import uuid
from hashlib import sha1
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["churn_risk", "next_best_offer"]
Status = Literal["raised", "retracted"]
Rfc3339 = Annotated[str, Meta(description="RFC 3339 in UTC.", extra_json_schema={"format": "date-time"})]

NAMESPACE = uuid.UUID("6f0d5a3e-5d8e-5c0e-9c55-8a2f5a1f4c10")
"""Namespace of the ids of all alerts."""

_NAMESPACE_BYTES = NAMESPACE.bytes
_VARIANT = "89ab"
"""The digit whose upper bits are 10, by its lower bits."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that led to the alert, with the figure behind it."""

    code: str
    sentence: Annotated[str, Meta(description="What a bank employee can say aloud.")]
    value: float | None = None
    usual: Annotated[float | None, Meta(description="What this customer usually has for the same figure.")] = None
    sentence_zh: Annotated[str | None, Meta(description="The same sentence in Chinese.")] = None


class OfferReference(msgspec.Struct, frozen=True, omit_defaults=True):
    """The offer that a next_best_offer alert proposes."""

    offer_id: str
    product: str
    text: Annotated[str, Meta(description="What the employee says, in English.")]
    value_minor: int
    cost_minor: int = 0
    channel: Annotated[str | None, Meta(description="How the bank wants it to reach the customer.")] = None
    text_zh: Annotated[str | None, Meta(description="The same in Chinese.")] = None


class Factors(msgspec.Struct, frozen=True):
    """Why this offer: priority = propensity x context x value_minor x weight."""

    propensity: Annotated[
        float, Meta(description="Drawn from what is believed of this offer among customers like this one (Thompson).")
    ]
    context: Annotated[float, Meta(description="How much the moment speaks for it.")]
    value_minor: Annotated[int, Meta(description="Value less cost.")]
    weight: float
    priority: float


class RunnerUp(msgspec.Struct, frozen=True, omit_defaults=True):
    """An offer that was considered at the same moment, and why it lost."""

    offer_id: str
    lost_by: Annotated[
        str, Meta(description="`priority`, a group of conditions (as `eligibility`), or the rule of the policy.")
    ]
    why: str
    factors: Annotated[Factors | None, Meta(description="Where its conditions held.")] = None
    why_zh: Annotated[str | None, Meta(description="`why` in Chinese.")] = None


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the alert came from: an event of the stream, or a due time that passed in silence."""

    topic: str
    partition: int
    offset: Annotated[int | None, Meta(description="Of the event; absent where a due time is the cause.")] = None
    event_id: str | None = None
    due_at: Rfc3339 | None = None


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """What decided."""

    name: str
    version: str
    general: Annotated[
        bool,
        Meta(description="Whether it has learned from made-up banks, and nothing yet of this one's customers."),
    ] = False


class Alert(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message to marketing about one customer. `alert_id` depends on its cause only, never on who computed it."""

    alert_id: str
    kind: Annotated[
        Kind,
        Meta(
            description="churn_risk: on the way out, by a silence (cause.due_at) or, with a churn model, by run-off"
            " while still active (cause.event_id). next_best_offer: an offer that suits now."
        ),
    ]
    status: Status
    customer_id: str
    raised_at: Annotated[Rfc3339, Meta(description="The moment of the cause, not of the computation.")]
    expires_at: Annotated[Rfc3339, Meta(description="Not to be acted on after this.")]
    score: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="Probability that the customer leaves within horizon_days, by the model that `model` names."
            " Absent where none has computed it: by own rhythm, of an offer, of what is taken back."
        ),
    ] = None
    horizon_days: Annotated[int, Meta(description="Days after raised_at that the alert speaks of.")]
    reasons: list[Reason]
    cause: Cause
    model: Model
    offer: OfferReference | None = None
    supersedes: Annotated[str | None, Meta(description="The alert_id that this one takes back.")] = None
    not_before: Annotated[
        Rfc3339 | None, Meta(description="Not to be acted on before this: the customer's quiet hours last until then.")
    ] = None
    in_answer_to: Annotated[str | None, Meta(description="alert_id of the churn alert that asked for the offer.")] = (
        None
    )
    factors: Factors | None = None
    runners_up: Annotated[list[RunnerUp], Meta(description="At most three, the nearest first.")] = []


def alert_id(customer_id: str, rule: str, cause: str) -> str:
    """UUID version 5 (RFC 9562, 5.5) of customer, rule and cause. `cause` is an event_id or a due time.

    As uuid.uuid5 says, at a third of its time: on a day of salaries it was a fourteenth of the worker's.
    """
    name = f"{customer_id}\x1f{rule}\x1f{cause}".encode()
    h = sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANT[int(h[16], 16) & 3]}{h[17:20]}-{h[20:32]}"


def cloud_event_headers(alert: Alert) -> list[tuple[str, bytes]]:
    """The headers of the alert's record: CloudEvents 1.0, Kafka binding, binary content mode."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": alert.alert_id,
        "ce_source": "/customer-tracker",
        "ce_type": f"customer-tracker.{alert.kind}.{alert.status}.v1",
        "ce_subject": alert.customer_id,
        "ce_time": alert.raised_at,
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in attributes.items()]
