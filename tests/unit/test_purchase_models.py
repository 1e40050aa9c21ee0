"""BG/NBD and MBG/NBD: published parameters, laws of the probabilities, fits that always end."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.churn.purchase_models import PurchaseModel, alive, silent
from learning import cdnow
from learning.purchase_fit import fit, log_likelihood
from schemas.units import DAY_MS, parse_rfc3339

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"
BG = PurchaseModel(0.243, 4.414, 0.793, 2.426, modified=False)
"""Fader, Hardie, Lee (2005), table 2: the CDNOW sample, time in weeks."""


def summary() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeats, time of the last and age of each customer of the CDNOW sample at the end of week 39, in weeks."""
    days: dict[str, set[int]] = {}
    for row in cdnow.transactions(DATA):
        day = parse_rfc3339(str(row["occurred_at"])) // DAY_MS
        if day < parse_rfc3339("1997-10-01T00:00:00Z") // DAY_MS:
            days.setdefault(str(row["customer_id"]), set()).add(day)
    end = parse_rfc3339("1997-09-30T00:00:00Z") // DAY_MS
    rows = [(len(d) - 1, (max(d) - min(d)) / 7, (end - min(d)) / 7) for d in days.values()]
    x, t_x, t = np.array(rows, np.float64).T
    return x, t_x, t


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return summary()


@pytest.mark.skipif(not DATA.is_file(), reason="the CDNOW sample is not at ../shared/data/cdnow")
def test_bg_nbd_on_cdnow_finds_the_published_parameters_and_likelihood(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = fit(*sample, modified=False)
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx([0.243, 4.414, 0.793, 2.426], rel=0.01)
    assert log_likelihood(BG, *sample) == pytest.approx(-9582.4, abs=0.1)  # the paper's, time in weeks


def test_p_alive_is_the_papers_example() -> None:
    """Fader, Hardie (2008), 'Computing P(alive) using the BG/NBD model': x = 2, t_x = 30.43, T = 38.86."""
    p = alive(BG, np.array([2.0, 0.0]), np.array([30.43, 0.0]), np.array([38.86, 38.86]))
    by_hand = 1 / (1 + 0.793 / (2.426 + 2 - 1) * ((4.414 + 38.86) / (4.414 + 30.43)) ** (0.243 + 2))
    assert p[0] == pytest.approx(by_hand, rel=1e-12)
    assert p[0] == pytest.approx(0.7266, abs=2e-3)
    assert p[1] == 1.0  # who came once is alive for ever in BG/NBD


def test_p_silent_is_the_share_of_simulated_customers_who_stay_silent() -> None:
    """Draws the model's own story forward from x = 0 at T = 0 and compares with the closed form."""
    chance = np.random.default_rng(5)
    model = PurchaseModel(0.8, 20.0, 0.9, 2.0, modified=True)
    n, horizon = 400_000, 30.0
    rate = chance.gamma(model.r, 1 / model.alpha, n)
    left_at_once = chance.random(n) < chance.beta(model.a, model.b, n)
    came = ~left_at_once & (chance.exponential(1.0, n) < rate * horizon)
    expected = silent(model, np.zeros(1), np.zeros(1), np.zeros(1), horizon)[0]
    assert 1 - came.mean() == pytest.approx(expected, abs=4e-3)


positive = st.floats(0.01, 50)


@settings(max_examples=60)
@given(positive, positive, positive, positive, st.booleans(), st.integers(0, 400), st.floats(0, 1), st.floats(1, 3000))
def test_p_silent_is_a_probability_that_falls_with_the_horizon(
    r: float, alpha: float, a: float, b: float, modified: bool, x: int, part: float, age: float
) -> None:
    model = PurchaseModel(r, alpha, a, b, modified)
    who = np.array([float(x)]), np.array([age * part if x else 0.0]), np.array([age])
    over = [silent(model, *who, horizon)[0] for horizon in (1.0, 30.0, 300.0)]
    assert 1 >= over[0] >= over[1] >= over[2] >= 0
    assert over[2] >= 1 - alive(model, *who)[0] - 1e-12  # who has left stays silent


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("x", [[0, 0, 0], [500, 500, 500], [0], [1, 0, 3000]])
def test_a_fit_ends_with_finite_parameters_whatever_the_customers(x: list[int], modified: bool) -> None:
    t = np.full(len(x), 700.0)
    t_x = np.where(np.array(x) > 0, 699.0, 0.0)
    model = fit(np.array(x, np.float64), t_x, t, modified)
    assert np.isfinite([model.r, model.alpha, model.a, model.b]).all()
    p = silent(model, np.array(x, np.float64), t_x, t, 30.0)
    assert ((p >= 0) & (p <= 1)).all()


def test_nobody_to_fit_on_is_said() -> None:
    with pytest.raises(ValueError, match="at least one customer"):
        fit(np.zeros(0), np.zeros(0), np.zeros(0), modified=False)
