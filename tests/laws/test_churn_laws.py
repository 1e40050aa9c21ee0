"""The laws of the churn number in the loop: no cut into batches shows, and looks find what a daily scan finds."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.aggregates.spec import new_work
from handlers.churn.design_matrix import logit
from handlers.churn.inputs import inputs_at
from handlers.churn.model import ChurnModel, Scorer
from handlers.churn.schedule import next_check, schedule_of
from handlers.engine.beliefs import KNOWN
from handlers.engine.findings import CHECKS_MAX
from handlers.state.codec import decode
from handlers.state.row import LAST_OWN, new_open_row
from learning.simulator import START, simulate
from schemas.policy import Policy
from schemas.units import DAY_MS
from tests.fast import Fast
from tests.laws.test_decisions import OFFERS, POLICY, told_crowds
from tests.models import HORIZON, by_hand
from tests.unit.test_rhythm import day, paid

MODEL = by_hand(-3.0, 1.2, -0.8)
START_DAY = (START - date(1970, 1, 1)).days


CHALLENGER = by_hand(-1.0, 0.6)


def fed(stream: list[dict[str, Any] | int], sizes: list[int], challenger: ChurnModel | None = None) -> Fast:
    """The stream through the fast path, with the model."""
    return Fast(offers=OFFERS, policy=POLICY, control_key=b"key", churn=MODEL, challenger=challenger).feed(
        stream, sizes
    )


@settings(max_examples=100)
@given(told_crowds(), st.lists(st.integers(1, 9), max_size=60))
def test_the_cut_into_batches_does_not_show_with_a_model(stream: list[dict[str, Any] | int], sizes: list[int]) -> None:
    whole = fed(stream, [])
    for other in (fed(stream, sizes), fed(stream, [1] * len(stream))):
        assert other.alerts == whole.alerts
        assert other.rows == whole.rows
        assert other.due == whole.due


@settings(max_examples=50)
@given(told_crowds(), st.lists(st.integers(1, 9), max_size=60))
def test_a_challenger_changes_nothing_and_is_heard_alike_in_any_batches(
    stream: list[dict[str, Any] | int], sizes: list[int]
) -> None:
    alone, whole = fed(stream, sizes), fed(stream, [], CHALLENGER)
    assert (whole.alerts, whole.rows, whole.due) == (alone.alerts, alone.rows, alone.due)
    assert alone.comparisons == []
    for other in (fed(stream, sizes, CHALLENGER), fed(stream, [1] * len(stream), CHALLENGER)):
        assert other.comparisons == whole.comparisons


def test_the_cut_into_batches_does_not_show_where_customers_run_off() -> None:
    stream = list(simulate(customers=150, days=200, seed=5))
    whole = fed(stream, [])
    noticed = [alert for alert in whole.alerts if alert.kind == "churn_risk" and alert.cause.event_id is not None]
    assert sum(alert.status == "raised" for alert in noticed) > 2
    for sizes in ([97] * len(stream), [1_001] * len(stream)):
        other = fed(stream, sizes)
        assert (other.alerts, other.rows, other.due) == (whole.alerts, whole.rows, whole.due)


def test_a_crowd_of_looks_is_written_down_whole() -> None:
    customers = 3 * CHECKS_MAX // 2
    events = [paid(0, f"c{number}") for number in range(customers)]
    run = fed([*events, day(400)], [], CHALLENGER)
    assert {look.customer_id for look in run.comparisons} == {f"c{number}" for number in range(customers)}
    assert len(run.comparisons) > 2 * CHECKS_MAX
    assert run.comparisons == fed([*events, day(400)], [7] * customers, CHALLENGER).comparisons


@pytest.mark.parametrize("band", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("model", [MODEL, by_hand(-6.0, 2.5)])
def test_the_next_look_is_the_day_on_which_a_daily_scan_finds_the_band(model: ChurnModel, band: float) -> None:
    bank = Fast(offers=()).feed(list(simulate(customers=60, days=100, seed=5)))
    today = (START_DAY + 100) * DAY_MS
    scorer, s = Scorer(model), new_open_row()
    watch = schedule_of(scorer.weights, Policy(churn_raise_at=band))
    found = 0
    for row in bank.rows.values():
        days = [today + k * DAY_MS for k in range(HORIZON + 1)]
        reached = [float(scorer.logits(inputs_at([row], at))[0]) >= logit(band) for at in days]
        decode(s, np.frombuffer(row, np.uint8), 0, len(row), KNOWN)
        due = next_check(s, watch, today, new_work())
        if due == 0:
            assert today // DAY_MS - s.life[LAST_OWN] // DAY_MS >= HORIZON
            continue
        k = (due - today) // DAY_MS
        assert k == 1 or not reached[k - 1]
        if reached == sorted(reached):  # rising with silence, as it should
            assert not any(reached[1:k])
            found += reached[k]
    assert found > 0
