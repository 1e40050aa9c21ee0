"""A record of each kind, as they stand in the AsyncAPI document."""

from datetime import UTC, datetime

import msgspec

from commands.json_schema import schema_name
from handlers.intake.inputs import SIDE_INPUTS
from schemas.alert import Alert, Cause, Factors, Model, OfferReference, Reason, RunnerUp, alert_id
from schemas.audit import AuditRecord
from schemas.dead_letter import DeadLetter
from schemas.offer import Condition, Offer, Texts
from schemas.policy import Cap, Policy
from schemas.transaction import Original, Transaction
from schemas.units import parse_rfc3339

_SALARY = Transaction(
    event_id="2026-01-05/000017",
    customer_id="C-1001",
    account_id="A-1",
    occurred_at=datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    amount_minor=250_000,
    currency="EUR",
    type="salary",
    channel="automatic",
    balance_minor=412_345,
)
_REVERSAL = Transaction(
    event_id="2026-01-06/000003",
    customer_id="C-1001",
    account_id="A-1",
    occurred_at=parse_rfc3339("2026-01-06T09:00:00Z"),
    amount_minor=-250_000,
    currency="EUR",
    type="salary",
    channel="automatic",
    reversal_of=Original(_SALARY.event_id, parse_rfc3339("2026-01-05T08:30:00Z")),
)
_SILENCE = Alert(
    alert_id=alert_id("C-1001", "churn_risk", "2026-02-20T00:00:00.000Z"),
    kind="churn_risk",
    status="raised",
    customer_id="C-1001",
    raised_at="2026-02-20T00:00:00.000Z",
    expires_at="2026-03-22T00:00:00.000Z",
    score=0.72,
    horizon_days=30,
    reasons=[
        Reason(
            "days_since_last",
            "No transaction for 45 days; usually there are 4 days between them.",
            45.0,
            4.0,
            "已有45天没有交易；平时间隔约4天。",
        )
    ],
    cause=Cause("transactions", 3, due_at="2026-02-20T00:00:00.000Z"),
    model=Model("churn", "1"),
)
_OFFER = Alert(
    alert_id=alert_id("C-1001", "next_best_offer", _SALARY.event_id),
    kind="next_best_offer",
    status="raised",
    customer_id="C-1001",
    raised_at="2026-01-05T08:30:00.000Z",
    expires_at="2026-01-19T08:30:00.000Z",
    horizon_days=14,
    reasons=[Reason("salary", "The salary has come in.", 250_000.0, None, "工资已到账。")],
    cause=Cause("transactions", 3, 12_345_678_901, _SALARY.event_id),
    model=Model("offers", "1"),
    offer=OfferReference("savings-plan", "Savings plan", "Shall we put a part of it aside?", 6_000, 500, "mobile"),
    factors=Factors(0.08, 1.2, 5_500, 1.0, 528.0),
    runners_up=[RunnerUp("gold-card", "eligibility", "The balance is below what the card asks for.")],
)

EXAMPLES: dict[str, tuple[msgspec.Struct, ...]] = {
    "transaction": (_SALARY, _REVERSAL),
    "alert": (_SILENCE, _OFFER),
    "audit_record": (
        AuditRecord(
            at="2026-02-21T10:15:00.000Z",
            who="anna",
            action="record_outcome",
            subject=_OFFER.alert_id,
            detail="accepted",
        ),
    ),
    "dead_letter": (
        DeadLetter("wrong_type", "amount_minor", "a whole number", "transactions", 3, 42, 1_767_600_000_000, b"", b""),
    ),
    "offer": (
        Offer(
            offer_id="savings-plan",
            product="Savings plan",
            text=Texts("Shall we put a part of it aside?", "要不要存一部分？"),
            value_minor=6_000,
            when=["salary"],
            suitability=[Condition("balance_low_30d", "at_least", 100_000.0)],
            cost_minor=500,
            channel="mobile",
        ),
    ),
    "policy": (Policy(caps=[Cap(2, 30, "next_best_offer")], quiet_from="21:00", quiet_to="08:00", control_share=0.1),),
} | {schema_name(topic.schema): topic.documented.examples for topic in SIDE_INPUTS}
"""By the name of the record's schema (commands.documents.SCHEMAS)."""
