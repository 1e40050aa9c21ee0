"""The figures of a report, by hand and against laws; time to detect on streams whose answer is known."""

import numpy as np
import orjson
import pytest
from sklearn.metrics import roc_auc_score

from handlers.churn.model import Scorer
from learning.backtest import backtest
from learning.churn_training import Trained
from learning.detection import detect
from learning.history import History
from learning.metrics import (
    _Ranks,
    auc_difference,
    calibration_error,
    lift,
    log_loss_difference,
    money_share,
    quality,
    reliability,
)
from learning.report import page, table
from schemas.units import DAY_MS
from tests.learning.conftest import HORIZON, UNTIL, read_lines

LEFT = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], np.float64)
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1])


def test_quality_by_hand() -> None:
    found = quality(LEFT, SCORE, is_probability=True)
    assert found.auc == pytest.approx(20 / 21)  # of 3 x 7 pairs one is the wrong way round
    assert found.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found.top_decile_lift == pytest.approx(1 / 0.3)
    assert found.brier == pytest.approx(np.mean((LEFT - SCORE) ** 2))
    assert found.log_loss == pytest.approx(-np.mean(np.log(np.where(LEFT > 0, SCORE, 1 - SCORE))))
    assert quality(LEFT, SCORE, is_probability=False).log_loss is None


def test_calibration_error_by_hand() -> None:
    left, score = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.15, 0.15, 0.85, 0.85])
    assert calibration_error(left, score) == pytest.approx(0.5 * 0.35 + 0.5 * 0.15)
    assert [(b.customers, b.left) for b in reliability(left, score)] == [(2, 0.5), (2, 1.0)]


def test_lift_averages_to_one_and_money_found_ends_with_all() -> None:
    assert np.mean(lift(LEFT, SCORE)) == pytest.approx(1)
    money = np.arange(10.0)
    found = money_share(LEFT, SCORE, money)
    assert found[0] == 0
    assert found[1] == pytest.approx(1 / 4)
    assert found[-1] == 1


def test_auc_of_a_resample_is_that_of_the_customers_drawn() -> None:
    chance = np.random.default_rng(3)
    left = (chance.random(200) < 0.4).astype(np.float64)
    score = np.round(chance.random(200) + 0.3 * left, 1)  # many ties
    times = np.bincount(chance.integers(0, 200, 200), minlength=200)
    drawn = np.repeat(np.arange(200), times)
    assert _Ranks(left, score).auc(times) == pytest.approx(roc_auc_score(left[drawn], score[drawn]))


def test_the_bootstrap_is_sure_of_a_clear_gain_and_not_of_none() -> None:
    chance = np.random.default_rng(4)
    left = (chance.random(500) < 0.5).astype(np.float64)
    good, bad = 0.5 + 0.3 * (left - 0.5) + 0.1 * chance.random(500), np.full(500, 0.5)
    gain = auc_difference(left, good, bad)
    assert gain.low > 0.3
    assert gain.better == 1.0
    same = auc_difference(left, bad, bad)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert log_loss_difference(left, good, bad).high < 0


def regular(customer: int, every: int, last: int, days: int = 400) -> list[tuple[int, bytes]]:
    """A purchase every so many days of UNTIL - 200 and on, until the day `last`."""
    return [
        (
            day,
            orjson.dumps(
                {
                    "event_id": f"{customer}-{day}", "customer_id": f"c{customer}", "account_id": "a",
                    "occurred_at": UNTIL + (day - 200) * DAY_MS + customer % 7, "amount_minor": -500, "currency": "EUR",
                    "type": "purchase", "channel": "online",
                }
            ),
        )
        for day in range(customer % every, min(last, days), every)
    ]  # fmt: skip


def test_time_to_detect_measures_from_the_last_transaction_and_recency_needs_its_threshold(trained: Trained) -> None:
    """Those who stay come every 5 days; leavers stop on a known day before and after the split."""
    events = []
    for customer in range(200):
        last = {0: 155, 1: 215}.get(customer % 10, 400)
        events += regular(customer, 5, last)
    found = detect(
        read_lines([line for _, line in sorted(events, key=lambda event: event[0])]),
        Scorer(trained.model), UNTIL, 60, lambda events: None,
    )  # fmt: skip
    assert found is not None
    assert found.gap_days == 30
    assert (found.leavers, found.stayers) == (20, 160)
    assert found.recency.false_alarms == 0
    assert 5 <= found.recency.median_days <= 6


def test_no_time_to_detect_without_leavers(trained: Trained) -> None:
    events = [event for customer in range(20) for event in regular(customer, 5, 400)]
    history = read_lines([line for _, line in sorted(events, key=lambda event: event[0])])
    assert detect(history, Scorer(trained.model), UNTIL, 60, lambda events: None) is None


def test_a_report_names_no_address_and_escapes_what_it_shows(history: History, trained: Trained) -> None:
    found = backtest(history, UNTIL, HORIZON, trained.model)
    html = page(found)
    assert html == page(found)
    assert "://" not in html
    assert "<script" not in html
    assert html.count("<svg") >= 3
    assert not any(customer in html for customer in found.customers)
    for heading in ("Against baselines", "paired bootstrap", "Calibration", "Lift by decile", "Gains in money"):
        assert heading.lower() in html.lower()
    assert table(("a",), [("<b>",)]).count("&lt;b&gt;") == 1
