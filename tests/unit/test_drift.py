"""Drift as a worker measures it: over the rows of its partitions, against what the model file says of training."""

from datetime import date

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from handlers.churn_inputs import NAMES, inputs_at
from handlers.churn_model import Scorer
from handlers.drift import reference
from handlers.ledger import LEDGER
from learning.simulator import START, simulate
from schemas.units import DAY_MS
from streams.drift import SAMPLE_MIN, Drift
from streams.memory_store import MemoryStore
from streams.metrics import Metrics
from streams.store import Changes
from tests.fast import Fast
from tests.models import by_hand

DAYS = 60
END = ((START - date(1970, 1, 1)).days + DAYS) * DAY_MS
FIGURES = ("recency_days", "count_90d", "score")


@pytest.fixture(scope="module")
def bank() -> Fast:
    """Two months of 900 customers."""
    return Fast(offers=()).feed(simulate(customers=900, days=DAYS, seed=8))


def measured(bank: Fast, days_later: int, customers: int = 900) -> dict[str, float | None]:
    """The gauges of a worker with two of these partitions, for a model trained on the whole bank at its end."""
    rows = {name: row for name, row in bank.rows.items() if name != LEDGER}
    inputs = inputs_at(list(rows.values()), END)
    model = by_hand(-3.0, 1.2)
    references = [reference(name, inputs[:, NAMES.index(name)]) for name in FIGURES[:-1]]
    references.append(reference("score", Scorer(model).scores(inputs)))
    model = msgspec.structs.replace(model, reference=references)
    store, registry = MemoryStore(), CollectorRegistry()
    names = sorted(rows)[:customers]
    for number in (0, 1):
        half = {name: rows[name] for name in names[number::2]}
        store.commit(number, store.claim(number), 1, END + days_later * DAY_MS, Changes(half))
    Drift(model, store, lambda: [0, 1], Metrics(registry)).measure()
    return {name: registry.get_sample_value("tracker_churn_drift", {"figure": name}) for name in FIGURES}


def test_customers_like_those_in_training_have_not_drifted(bank: Fast) -> None:
    assert all(value is not None and value < 0.01 for value in measured(bank, 0).values())


def test_a_bank_that_has_gone_silent_has_drifted(bank: Fast) -> None:
    found = measured(bank, 20)
    assert (found["recency_days"] or 0.0) > 1.0
    assert (found["score"] or 0.0) > 1.0


def test_of_few_customers_nothing_is_told(bank: Fast) -> None:
    assert set(measured(bank, 0, SAMPLE_MIN - 1).values()) == {None}
