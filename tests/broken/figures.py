"""Figures of a report on a model."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "calibration-unweighted",
        "A bin of few customers counts as much as one of many.",
        "learning/metrics.py",
        "sum(b.customers * abs(b.left - b.score) for b in reliability(left, score)) / len(left)",
        "float(np.mean([abs(b.left - b.score) for b in reliability(left, score)]))",
        "tests/learning/test_figures_by_hand.py::test_a_bin_of_more_customers_counts_for_more",
    ),
    Mistake(
        "calibration-one-sided",
        "Only scores that are too low count as badly calibrated.",
        "learning/metrics.py",
        "b.customers * abs(b.left - b.score)",
        "b.customers * max(b.left - b.score, 0.0)",
        "tests/learning/test_figures_by_hand.py::test_a_bin_of_more_customers_counts_for_more",
    ),
    Mistake(
        "reliability-last",
        "A score of one is in no bin.",
        "learning/metrics.py",
        "np.minimum((score * DECILES).astype(np.int64), DECILES - 1)",
        "(score * DECILES).astype(np.int64)",
        "tests/learning/test_figures_by_hand.py::test_a_score_of_one_is_in_the_last_bin_and_a_limit_begins_the_next",
    ),
    Mistake(
        "lift-order",
        "Lift begins with the lowest scores.",
        "learning/metrics.py",
        'return np.argsort(-score, kind="stable")',
        'return np.argsort(score, kind="stable")',
        "tests/learning/test_figures_by_hand.py::test_lift_goes_from_the_highest_scores_down_over_the_share_of_all",
    ),
    Mistake(
        "money-of-stayers",
        "Money of customers who stay counts as found.",
        "learning/metrics.py",
        "(left * money)[ranked(score)]",
        "money[ranked(score)]",
        "tests/learning/test_figures_by_hand.py::test_money_of_those_who_stay_is_not_at_stake",
    ),
    Mistake(
        "interval-90",
        "The interval of 95 % is one of 90 %.",
        "learning/metrics.py",
        "[0.025, 0.975]",
        "[0.05, 0.95]",
        "tests/learning/test_figures_by_hand.py::"
        "test_the_interval_holds_ninety_five_in_a_hundred_resamples_on_both_sides",
    ),
    Mistake(
        "log-loss-sign",
        "The model of more log loss is called the better.",
        "learning/metrics.py",
        "float(gap @ times / times.sum()), -1.0)",
        "float(gap @ times / times.sum()), 1.0)",
        "tests/learning/test_figures_by_hand.py::test_the_better_model_is_the_one_of_more_auc_and_of_less_log_loss",
    ),
    Mistake(
        "auc-ties",
        "A tie counts as right in the AUC of a resample.",
        "learning/metrics.py",
        "below = np.cumsum(stayers) - 0.5 * stayers",
        "below = np.cumsum(stayers)",
        "tests/learning/test_figures.py::test_auc_of_a_resample_is_that_of_the_customers_drawn",
    ),
    Mistake(
        "auc-other-way",
        "AUC is that of who stays.",
        "learning/metrics.py",
        "auc=float(roc_auc_score(left, score)),",
        "auc=float(roc_auc_score(1 - left, score)),",
        "tests/learning/test_figures_by_hand.py::test_half_a_point_is_given_for_a_tie",
    ),
)
