"""One of each shape that the API answers with or is sent, as they stand in the OpenAPI document."""

from typing import Any

_ALERT_ID = "0d8ff3c6-6c0a-5f0b-9a43-0d5d5be6a8f4"
_MOMENT = "2026-02-20T00:00:00.000Z"

_ALERT: dict[str, Any] = {
    "alert_id": _ALERT_ID,
    "kind": "churn_risk",
    "status": "raised",
    "customer_id": "C000042",
    "raised_at": _MOMENT,
    "expires_at": "2026-03-22T00:00:00.000Z",
    "score": 0.92,
    "horizon_days": 30,
    "reasons": [
        {
            "code": "silence_beyond_own_rhythm",
            "sentence": "No transaction for 45 days; nine times in ten this customer is back within 12.",
            "value": 45.0,
            "usual": 12.0,
            "sentence_zh": "已经45天没有交易；这位客户十次有九次会在12天内回来。",
        }
    ],
    "cause": {"topic": "transactions", "partition": 3, "due_at": _MOMENT},
    "model": {"name": "churn", "version": "1"},
}
_VIEW: dict[str, Any] = {"alert": _ALERT, "band": "high", "outcomes": [], "taken_back_by": None}
_FIGURES = {"count_30d": 14, "in_30d": 250_000, "silence_days": 2, "trend_count": None}

EXAMPLES: dict[str, Any] = {
    "Customer": {
        "customer_id": "C000042",
        "at": _MOMENT,
        "features": _FIGURES,
        "accounts": [{"account_id": "A-1", "balance_minor": 412_345, "at": "2026-01-05T08:30:00.000Z"}],
        "churn_risk_since": None,
        "offers": [
            {
                "offer_id": "savings-account",
                "at": "2026-01-05T08:30:00.000Z",
                "expires_at": "2026-01-19T08:30:00.000Z",
                "channel": "mobile",
                "state": "accepted",
            }
        ],
        "not_sent": [{"at": "2026-02-01T09:00:00.000Z", "offer_id": "personal-loan", "rule": "cap"}],
        "consents": {"email": True},
        "time_zone": "Europe/Vienna",
        "products": ["savings-account"],
    },
    "Figures": {"customer_id": "C000042", "at": _MOMENT, "features": _FIGURES},
    "AlertView": _VIEW,
    "AlertPage": {"alerts": [_VIEW], "next": "1771545600000.3.41"},
    "OutcomeGiven": {"outcome": "accepted"},
    "OutcomeTaken": {
        "alert_id": _ALERT_ID,
        "offer_id": "savings-account",
        "outcome": "accepted",
        "occurred_at": "2026-02-21T10:15:00.000Z",
    },
    "SwitchGiven": {"to": "dry-run"},
    "SwitchState": {"kind": "next_best_offer", "state": "dry-run"},
    "Campaign": {
        "offer_id": "savings-account",
        "product": "Savings account",
        "sent": 1_200,
        "taken": 96,
        "control_made": 60,
        "control_taken": 2,
        "budget": 5_000,
        "budget_left": 3_800,
        "lift": {"value": 0.0467, "low": -0.0358, "high": 0.0751},
    },
    "Partition": {
        "partition": 3,
        "offset": 12_345_678,
        "end": 12_345_690,
        "lag": 12,
        "clock": _MOMENT,
        "owner": "worker-1 on 10.0.0.7",
    },
    "LetterRule": {
        "topic": "transactions",
        "reason": "wrong_type",
        "field": "amount_minor",
        "rule": "must be a whole number",
        "count": 17,
    },
}
