"""The churn model that ships with the program: careful where nothing is known of it, and of use where it is meant for.

python -m tests.bench.alarms prints the same for more of them.
"""

import msgspec
import pytest

from handlers.churn.model import dumps, loads
from learning.general import COLUMNS, MEAN_GAP_DAYS_MAX, REPEATS_MIN, general_model
from learning.kinds import KINDS, Kind, population
from streams.worker.churn_models import general
from tests.bench.alarms import bank, measured

CUSTOMERS = 250
SEED = 7
"""Of banks that the model has not seen."""


def test_a_bank_without_a_model_notices_who_leaves_and_bothers_hardly_anybody_who_stays() -> None:
    found = measured(general(), bank(CUSTOMERS, 120, SEED)).noticed
    print(found)
    assert found.left > 20
    assert found.noticed >= 0.85 * found.left
    assert found.days is not None
    assert found.days <= 12
    assert found.bothered <= 0.03 * found.stayed
    assert found.right >= 0.9 * found.alerts


@pytest.mark.parametrize("kind", ["irregular", "seasonal", "dormant"])
def test_where_a_silence_says_little_it_is_silent_rather_than_wrong(kind: Kind) -> None:
    found = measured(general(), population(kind, CUSTOMERS, 240, SEED)).noticed
    assert found.bothered <= 0.05 * found.stayed


def test_it_says_that_it_is_general_and_for_whom() -> None:
    model = general()
    assert model.general
    assert (model.repeats_min, model.mean_gap_days_max) == (REPEATS_MIN, MEAN_GAP_DAYS_MAX)
    assert set(model.trees.columns) <= set(COLUMNS)


def test_the_same_seed_makes_the_same_model_and_another_seed_another() -> None:
    one, same, other = (dumps(general_model(seed, rounds=2, customers=4, days=70)) for seed in (1, 1, 2))
    assert one == same != other
    assert loads(one).general


@pytest.mark.parametrize("kind", KINDS)
def test_a_population_is_made_of_its_seed_alone(kind: Kind) -> None:
    one, same, other = (population(kind, 20, 100, seed) for seed in (1, 1, 2))
    assert msgspec.json.encode(one) == msgspec.json.encode(same) != msgspec.json.encode(other)
    moments = [str(row["occurred_at"]) for row in one.rows]
    assert kind == "salaried" or moments == sorted(moments)
    assert {fate.customer_id for fate in one.truth} >= {row["customer_id"] for row in one.rows}
