"""Churn risk by own rhythm: a silence longer than nine in ten of the customer's own gaps between active days.

The customer is due on the day after max(0.9 quantile of own gaps, 7) whole days of silence, once five gaps are known.
The alert is retracted when the customer comes back, and not raised again within the cooldown. due.py keeps the
due time; this file says what the alert says.
"""

from collections.abc import Mapping

from handlers.aggregates.snapshot import FeatureValues
from handlers.churn.due import VALID_DAYS
from schemas.alert import Alert, Cause, Model, Reason, alert_id
from schemas.units import DAY_MS, rfc3339

HORIZON_DAYS = 30

RULE = "own_rhythm"
"""Part of the alert's id, also where a model decides: one silence of one customer has one alert."""
MODEL = Model(name="own-rhythm", version="1")
RETURNED = Reason("returned", "The customer has made a transaction again.", sentence_zh="客户又有交易了。")


def raised(customer_id: str, due: int, cause: Mapping[str, object], seen: FeatureValues) -> Alert:
    """The alert for a silence that lasted until `due` (epoch ms). It has no score: how many such silences
    end in leaving is another matter at every bank.

    `cause` has the fields of Cause.
    """
    silence, usual = seen.number("silence_days"), seen.number("gap_q90_days")
    reasons = [
        Reason(
            "silence_beyond_own_rhythm",
            f"No transaction for {silence:.0f} days; {_usually(usual)}.",
            silence,
            usual,
            f"已经{silence:.0f}天没有交易；{_usually_zh(usual)}。",
        )
    ]
    trend = seen.number("trend_count")
    if trend is not None and trend < 0.5:
        reasons.append(
            Reason(
                "activity_falling",
                f"Activity in the last 30 days is {trend:.0%} of what it was in the 60 days before.",
                trend,
                1.0,
                f"最近30天的交易量是之前60天水平的{trend:.0%}。",
            )
        )
    return Alert(
        alert_id=alert_id(customer_id, RULE, rfc3339(due)),
        kind="churn_risk",
        status="raised",
        customer_id=customer_id,
        raised_at=rfc3339(due),
        expires_at=rfc3339(due + VALID_DAYS * DAY_MS),
        horizon_days=HORIZON_DAYS,
        reasons=reasons,
        cause=Cause(**cause),  # type: ignore[arg-type]
        model=MODEL,
    )


def _usually(days: float | None) -> str:
    """Days with bookings of the bank's own may have pushed the customer's out of the 180 that are kept."""
    if days is None:
        return "that is longer than this customer's habit was"
    return f"nine times in ten this customer is back within {days:.0f}"


def _usually_zh(days: float | None) -> str:
    if days is None:
        return "比这位客户平时的间隔都长"
    return f"这位客户十次有九次会在{days:.0f}天内回来"


def retracted(
    customer_id: str,
    due: int,
    at: int,
    cause: Mapping[str, object],
    model: Model = MODEL,
    horizon_days: int = HORIZON_DAYS,
    why: Reason = RETURNED,
) -> Alert:
    """Takes back the alert that was raised at `due`: the customer came back at `at`. `cause` names the event."""
    superseded = alert_id(customer_id, RULE, rfc3339(due))
    return Alert(
        alert_id=alert_id(customer_id, f"{RULE}.returned", superseded),
        kind="churn_risk",
        status="retracted",
        customer_id=customer_id,
        raised_at=rfc3339(at),
        expires_at=rfc3339(at + VALID_DAYS * DAY_MS),
        horizon_days=horizon_days,
        reasons=[why],
        cause=Cause(**cause),  # type: ignore[arg-type]
        model=model,
        supersedes=superseded,
    )
