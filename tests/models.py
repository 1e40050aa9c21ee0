"""A churn model small enough to be worked by hand."""

from handlers.churn.model import FORMAT, ChurnModel, Linear, Training, Trees
from handlers.churn.purchase_models import PurchaseModel

HORIZON = 30

_NOTHING = Linear(0.0, 0.0, [], [], [], [])


def by_hand(at_once: float, by_recency: float, by_trend: float = 0.0) -> ChurnModel:
    """Log odds = at_once + by_recency x ln(1 + recency_days) + by_trend x ln(trend_count + 0.1), over HORIZON days."""
    columns = ["recency_days", "trend_count"]
    return ChurnModel(
        format=FORMAT,
        name="by-hand",
        version="1",
        horizon_days=HORIZON,
        leaving=f"no own transaction in {HORIZON} days",
        bg_nbd=PurchaseModel(1.0, 30.0, 1.0, 1.0, False),
        mbg_nbd=PurchaseModel(1.0, 30.0, 1.0, 1.0, True),
        corrected=_NOTHING,
        logistic=Linear(at_once, 0.0, columns, [0.0, 0.0], [1.0, 1.0], [by_recency, by_trend]),
        trees=Trees(0.0, [], [], [], [], [], [], [], []),
        blend=[0.0, 0.0, 1.0, 0.0],
        silence=_NOTHING,
        reference=[],
        training=Training("2024-01-01T00:00:00.000Z", 0, 0, 0, [], [], False, 0.0, 0.0, 0.0),
    )
