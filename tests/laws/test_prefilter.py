"""What the kernel says before any offer is looked at is what the conditions say: no offer is lost to it.

The slow way is conditions.failing over one offer after the other.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.aggregates.features import FEATURES, INDEX
from handlers.aggregates.snapshot import FeatureValues
from handlers.kernel.jit import NONE
from handlers.offers.conditions import failing
from handlers.offers.prefilter import MAY_FIT, NOT_ASKED, UNFITTING, candidates_of, prefilter, prefilter_of
from handlers.offers.triggers import LARGE_CREDIT, SALARY
from schemas.offer import Condition
from tests.bank import START, offer

NAMES = ("count_30d", "balance", "in_90d", "recency_days", "share_type_salary_90d", "trend_in")
HOLDS = ("at_least", "at_most", "above", "below")

exact = st.one_of(st.integers(-4, 4), st.integers(-(2**53) + 1, 2**53 - 1), st.none())
doubles = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e9, 1e9), st.none())
figures = st.fixed_dictionaries({name: exact if FEATURES[INDEX[name]].exact else doubles for name in NAMES})
names, operators = st.sampled_from(NAMES), st.sampled_from(HOLDS)
conditions = st.one_of(
    st.builds(Condition, names, operators, st.one_of(st.integers(-4, 4).map(float), st.floats(-1e9, 1e9))),
    st.builds(lambda name, how, times, of: Condition(name, how, times=times, of=of), names, operators,
              st.sampled_from((-1.0, 0.5, 1.0, 2.0)), names),
)  # fmt: skip
catalogues = st.lists(
    st.builds(
        lambda when, conditions: {"when": when, "conditions": conditions},
        st.lists(st.sampled_from(("salary", "large_credit")), unique=True),
        st.lists(conditions, max_size=3),
    ),
    max_size=4,
)


def values_of(known: dict[str, float | None]) -> np.ndarray:
    """As evaluate writes them; what is not named is missing."""
    values = np.full(len(FEATURES), NONE)
    for feature in FEATURES:
        value = known.get(feature.name)
        if not feature.exact:
            values.view(np.float64)[INDEX[feature.name]] = np.nan if value is None else value
        elif value is not None:
            values[INDEX[feature.name]] = value
    return values


@given(catalogues, figures, st.sampled_from((SALARY, LARGE_CREDIT, SALARY | LARGE_CREDIT)))
def test_the_screen_says_what_the_conditions_say(
    catalogue: list[dict[str, Any]], known: dict[str, float | None], bits: int
) -> None:
    waiting, values = candidates_of((offer(str(n), **one) for n, one in enumerate(catalogue)), "EUR"), values_of(known)
    asked = [one for one in waiting if one.bits & bits]
    fits = any(failing(one.checks, FeatureValues(values)) is None for one in asked)
    expected = MAY_FIT if fits else UNFITTING if asked else NOT_ASKED
    found = prefilter(prefilter_of(waiting), values, bits, START)
    # a product beyond 2^53 is left to the conditions
    assert found == expected or (found == MAY_FIT and expected == UNFITTING and _beyond_doubles(known))


def _beyond_doubles(known: dict[str, float | None]) -> bool:
    return any(value is not None and abs(value) >= 2**52 for value in known.values())


@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize(("value", "limit"), [(2, 3), (3, 3), (4, 3)])
def test_a_condition_at_its_bound(how: str, value: int, limit: int) -> None:
    waiting = candidates_of([offer(conditions=[Condition("count_30d", how, float(limit))])], "EUR")
    holds = {"at_least": value >= limit, "at_most": value <= limit, "above": value > limit, "below": value < limit}
    found = prefilter(prefilter_of(waiting), values_of({"count_30d": value}), SALARY, START)
    assert found == (MAY_FIT if holds[how] else UNFITTING)


@pytest.mark.parametrize(("value", "found"), [(2**53 - 1, UNFITTING), (2**53, MAY_FIT), (-(2**53), MAY_FIT)])
def test_a_figure_too_large_for_a_double_is_left_to_the_conditions(value: int, found: int) -> None:
    how = "below" if value > 0 else "above"
    waiting = candidates_of([offer(conditions=[Condition("balance", how, 0.0)])], "EUR")
    assert prefilter(prefilter_of(waiting), values_of({"balance": value}), SALARY, START) == found


@pytest.mark.parametrize(("value", "found"), [(2**52 - 1, UNFITTING), (2**52, MAY_FIT)])
def test_a_limit_too_large_for_a_double_is_left_to_the_conditions(value: int, found: int) -> None:
    waiting = candidates_of([offer(conditions=[Condition("count_30d", "above", times=2.0, of="balance")])], "EUR")
    assert prefilter(prefilter_of(waiting), values_of({"count_30d": 1, "balance": value}), SALARY, START) == found


def test_an_offer_is_asked_from_its_first_moment_to_before_its_last() -> None:
    (waiting,) = candidates_of([offer()], "EUR")
    screen = prefilter_of([waiting._replace(since=1_000, until=2_000)])
    asked = [prefilter(screen, values_of({}), SALARY, at) for at in (999, 1_000, 1_999, 2_000)]
    assert asked == [NOT_ASKED, MAY_FIT, MAY_FIT, NOT_ASKED]
