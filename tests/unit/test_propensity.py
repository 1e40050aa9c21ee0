"""Propensity: what is believed, how it is drawn, and that it learns what is true."""

from statistics import fmean, pvariance

import numpy as np
import pytest

from handlers.aggregates.features import FEATURES, INDEX
from handlers.aggregates.snapshot import FeatureValues
from handlers.offers.counts import Counts, Ledger
from handlers.offers.propensity import CONTROL_MIN, beta, propensity, segment_of, unasked
from handlers.state.row_table import LEDGER
from schemas.policy import Policy
from tests.bank import offer, offered, outcome, salary
from tests.fast import Fast


@pytest.mark.parametrize(("a", "b"), [(1, 19), (0.3, 0.4), (5, 5), (0.05, 1.95), (200, 800)])
def test_draws_have_the_mean_and_the_variance_of_the_beta_distribution(a: float, b: float) -> None:
    draws = [beta(a, b, number.to_bytes(4)) for number in range(10_000)]
    mean, variance = a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
    assert fmean(draws) == pytest.approx(mean, abs=5 * (variance / len(draws)) ** 0.5)
    assert pvariance(draws) == pytest.approx(variance, rel=0.2)
    assert all(0 <= draw <= 1 for draw in draws)


def test_draws_of_a_uniform_distribution_are_uniform() -> None:
    draws = sorted(beta(1, 1, number.to_bytes(4)) for number in range(10_000))
    # Kolmogorov and Smirnov: beyond 1.95/sqrt(n) once in a thousand
    assert max(abs(draw - (place + 0.5) / len(draws)) for place, draw in enumerate(draws)) < 1.95 / 100


def test_a_draw_is_a_function_of_its_seed() -> None:
    assert beta(1, 19, b"a") == beta(1, 19, b"a") != beta(1, 19, b"b")


def mean_draw(counts: Counts, believed: float, segment: int) -> float:
    """Over many seeds."""
    return fmean(propensity(counts, believed, segment, number.to_bytes(4)) for number in range(4_000))


def test_what_is_believed_moves_from_the_catalogue_over_all_customers_to_those_alike() -> None:
    assert mean_draw(Counts(), 0.05, 1) == pytest.approx(0.05, abs=0.004)
    counts = Counts(cells={1: (1_000, 100), 2: (1_000, 300)})
    # over all: (20 * .05 + 400) / 2020 = .1985; segment 1: (20 * .1985 + 100) / 1020
    assert mean_draw(counts, 0.05, 1) == pytest.approx(0.1019, abs=0.002)
    assert mean_draw(counts, 0.05, 2) == pytest.approx(0.2980, abs=0.002)
    assert mean_draw(counts, 0.05, 3) == pytest.approx(0.1985, abs=0.006)


def test_what_the_control_group_does_unasked_is_subtracted_once_enough_of_it_is_known() -> None:
    few, many = Counts(control=(CONTROL_MIN - 1, 10)), Counts(control=(CONTROL_MIN, 15))
    assert (unasked(few), unasked(many)) == (0.0, 0.5)
    treated = {1: (1_000, 700)}  # (20 * .696 + 700) / 1020 = .6999
    assert mean_draw(Counts(cells=treated, control=(100, 50)), 0.5, 1) == pytest.approx(0.1999, abs=0.002)
    assert mean_draw(Counts(cells=treated, control=(100, 100)), 0.5, 1) == 0.0


def test_segments_are_bands_of_tenure_and_tiers() -> None:
    assert [segment_of(known_for(days), tier) for days, tier in ((0, 0), (364, 2), (365, 2), (1_095, 0))] == [
        0, 2, 12, 20,
    ]  # fmt: skip


def known_for(days: float) -> FeatureValues:
    """A customer of whom nothing else is known."""
    values = np.zeros(len(FEATURES), np.int64)
    values.view("f8")[INDEX["tenure_days"]] = days
    return FeatureValues(values)


def test_the_offer_that_customers_take_is_soon_made_most_and_the_other_is_still_tried() -> None:
    """A new offer that half of the customers take against an old one that one in twenty takes."""
    run = Fast(offers=(offer("old"), offer("new")), policy=Policy())
    made = []
    for number in range(600):
        run.feed([salary(0, f"c{number}")])
        made += offered(run.alerts[-1:])
        takes = number % 2 == 0 if made[-1] == "new" else number % 20 == 0
        if takes:
            run.feed([outcome("accepted", 0.1, made[-1], run.alerts[-1], f"c{number}")])
    assert made[:60].count("old") > 5
    assert made[300:].count("new") > 270


def test_an_offer_that_helps_nobody_is_held_back() -> None:
    run = Fast(offers=(offer("a"),))
    ledger = Ledger(None)
    for _ in range(2):
        ledger.made("a", 0, 0, control=False, catalogue={})
    for _ in range(40):
        ledger.made("a", 0, 0, control=True, catalogue={})
        ledger.taken("a", 0, 0, control=True)
    run.rows[LEDGER] = ledger.encoded()
    assert run.feed([salary(0)]).alerts == []
    assert run.suppressed == {"no_uplift": 1}
