"""Figures of a report that a wrong weight, order or side would change, on numbers small enough to check by hand."""

import numpy as np
import pytest

from learning.metrics import (
    auc_difference,
    calibration_error,
    lift,
    log_loss_difference,
    money_share,
    quality,
    ranked,
    reliability,
)

LEFT = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], np.float64)
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1])


def test_a_bin_of_more_customers_counts_for_more() -> None:
    """Three at 0.15, of whom two left, and two at 0.85, of whom one did: (3 x 0.5167 + 2 x 0.35) / 5."""
    left, score = np.array([1.0, 1.0, 0.0, 1.0, 0.0]), np.array([0.15, 0.15, 0.15, 0.85, 0.85])
    assert calibration_error(left, score) == pytest.approx(0.45)


def test_a_score_of_one_is_in_the_last_bin_and_a_limit_begins_the_next() -> None:
    found = reliability(np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.5, 0.49]))
    assert [(each.customers, each.score, each.left) for each in found] == [(1, 0.49, 0.0), (1, 0.5, 0.0), (1, 1.0, 1.0)]


def test_lift_goes_from_the_highest_scores_down_over_the_share_of_all() -> None:
    assert lift(LEFT, SCORE) == pytest.approx([each / 0.3 for each in LEFT])
    assert lift(LEFT[::-1], SCORE[::-1]) == pytest.approx([each / 0.3 for each in LEFT])
    assert ranked(np.array([0.2, 0.9, 0.2, 0.5])).tolist() == [1, 3, 0, 2]


def test_money_of_those_who_stay_is_not_at_stake() -> None:
    money = np.array([5.0, 1, 1_000, 4, 7, 7, 7, 7, 7, 7])
    assert money_share(LEFT, SCORE, money)[:5] == pytest.approx([0.5, 0.6, 0.6, 1, 1])
    assert money_share(LEFT, SCORE, np.zeros(10)).tolist() == [0.0] * 10


def test_half_a_point_is_given_for_a_tie() -> None:
    """Of the six pairs of a leaver and a stayer four are right and one is a tie."""
    left, score = np.array([1.0, 1, 0, 0, 0]), np.array([0.9, 0.5, 0.5, 0.6, 0.1])
    assert quality(left, score, is_probability=False).auc == pytest.approx(4.5 / 6)


def test_a_certain_and_wrong_score_costs_no_more_than_a_millionth_would() -> None:
    found = quality(np.array([1.0, 0.0]), np.array([0.0, 1.0]), is_probability=True)
    assert found.log_loss == pytest.approx(-np.log(1e-6))
    assert found.auc == 0


def test_the_interval_holds_ninety_five_in_a_hundred_resamples_on_both_sides() -> None:
    """A mean of n figures varies by their deviation over the root of n: 1.96 of that to each side."""
    chance = np.random.default_rng(5)
    left = (chance.random(400) < 0.5).astype(np.float64)
    model, baseline = 0.2 + 0.6 * chance.random(400), np.full(400, 0.5)
    found = log_loss_difference(left, model, baseline)
    losses = -np.log(np.where(left > 0, model, 1 - model)) + np.log(0.5)
    assert found.value == pytest.approx(losses.mean())
    side = 1.96 * losses.std() / np.sqrt(400)
    assert found.high - found.value == pytest.approx(side, rel=0.12)
    assert found.value - found.low == pytest.approx(side, rel=0.12)


def test_the_better_model_is_the_one_of_more_auc_and_of_less_log_loss() -> None:
    chance = np.random.default_rng(6)
    left = (chance.random(300) < 0.5).astype(np.float64)
    good, bad = 0.5 + 0.3 * (left - 0.5) + 0.1 * chance.random(300), np.full(300, 0.5)
    assert auc_difference(left, good, bad).better == log_loss_difference(left, good, bad).better == 1.0
    assert auc_difference(left, bad, good).better == log_loss_difference(left, bad, good).better == 0.0
