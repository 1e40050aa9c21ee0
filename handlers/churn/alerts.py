"""Churn risk by the model: what the alert says that a silence has caused, or run-off while transactions go on.

For a silence it is raised when the probability of leaving has reached the policy's churn_raise_at, on a day that
schedule.py finds, and taken back when the customer is back and the probability under churn_hold_above. Run-off
(run_off.py) is looked for once a week of each active customer, whatever the probability, and taken back when it is
over. Neither is raised again within the cooldown.
"""

from collections.abc import Mapping
from typing import NamedTuple

from handlers.aggregates.snapshot import FeatureValues
from handlers.churn import rhythm
from handlers.churn.due import VALID_DAYS
from handlers.churn.model import ChurnModel, Scorer
from handlers.churn.reasons import reasons
from handlers.churn.run_off import marks_run_off
from handlers.kernel.jit import F8, I8
from schemas.alert import Alert, Cause, Model, Reason, alert_id
from schemas.units import DAY_MS, rfc3339

_RUN_OFF_OVER = Reason(
    "run_off_over",
    "The signs of moving away are over, or the alert has run out.",
    sentence_zh="转移业务的迹象已消失，或提醒已过期。",
)


class ScoredInputs(NamedTuple):
    """What the kernel has made the number of."""

    inputs: F8
    """(inputs,), see inputs.py."""
    run_off: I8
    """(groups, figures), see run_off.py."""


def raised(
    customer_id: str, due: int, cause: Mapping[str, object], seen: FeatureValues, judged: ScoredInputs, scorer: Scorer
) -> Alert:
    """The alert for a silence that lasted until `due` (epoch ms), or for run-off that an event has shown: then `due` is
    run_off_mark of its time. The score is the probability of leaving.

    `cause` has the fields of Cause.
    """
    why = scorer.explained(judged.inputs)
    return Alert(
        alert_id=alert_id(customer_id, rhythm.RULE, rfc3339(due)),
        kind="churn_risk",
        status="raised",
        customer_id=customer_id,
        raised_at=rfc3339(due),
        expires_at=rfc3339(due + VALID_DAYS * DAY_MS),
        score=why.score,
        horizon_days=scorer.model.horizon_days,
        reasons=reasons(seen, judged.inputs, judged.run_off, why.moved_by),
        cause=Cause(**cause),  # type: ignore[arg-type]
        model=_named(scorer.model),
    )


def retracted(customer_id: str, due: int, at: int, cause: Mapping[str, object], model: ChurnModel | None) -> Alert:
    """Takes back the alert that was raised at `due`, by `model` or by own rhythm: the customer came back at `at`, or
    runs off no more.

    `cause` names the event.
    """
    if model is None:
        return rhythm.retracted(customer_id, due, at, cause)
    why = _RUN_OFF_OVER if marks_run_off(due) else rhythm.RETURNED
    return rhythm.retracted(customer_id, due, at, cause, _named(model), model.horizon_days, why)


def _named(model: ChurnModel) -> Model:
    return Model(name=model.name, version=model.version, general=model.general)
