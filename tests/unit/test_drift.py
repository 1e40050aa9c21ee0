"""Drift as a worker measures it: over the rows of its partitions, against what the model file says of training."""

import asyncio
from datetime import date

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from handlers.churn.drift import psi, reference
from handlers.churn.inputs import NAMES, inputs_at
from handlers.churn.model import Reference, Scorer
from handlers.state.codec import VERSION
from handlers.state.row_table import LEDGER
from learning.simulator import START, simulate
from schemas.units import DAY_MS
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Position, StoreUnavailable
from streams.worker.drift_monitor import SAMPLE_MIN, DriftMonitor
from tests.fast import Fast
from tests.models import by_hand

DAYS = 60
END = ((START - date(1970, 1, 1)).days + DAYS) * DAY_MS
FIGURES = ("recency_days", "count_90d", "score")


@pytest.fixture(scope="module")
def bank() -> Fast:
    """Two months of 900 customers."""
    return Fast(offers=()).feed(simulate(customers=900, days=DAYS, seed=8))


def watched(
    bank: Fast, store: MemoryStore, days_later: int, customers: int = 900
) -> tuple[DriftMonitor, CollectorRegistry]:
    """A worker with two of these partitions, for a model trained on the whole bank at its end."""
    rows = {name: row for name, row in bank.rows.items() if name != LEDGER}
    inputs = inputs_at(list(rows.values()), END)
    model = by_hand(-3.0, 1.2)
    references = [reference(name, inputs[:, NAMES.index(name)]) for name in FIGURES[:-1]]
    references.append(reference("score", Scorer(model).scores(inputs)))
    model = msgspec.structs.replace(model, reference=references)
    registry = CollectorRegistry()
    names = sorted(rows)[:customers]
    for number in (0, 1):
        half = {name: rows[name] for name in names[number::2]}
        store.commit(number, store.claim(number), 1, END + days_later * DAY_MS, Changes(half))
    return DriftMonitor(model, store, lambda: [0, 1], Health(), Metrics(registry)), registry


def gauges(registry: CollectorRegistry) -> dict[str, float | None]:
    return {name: registry.get_sample_value("tracker_churn_drift", {"figure": name}) for name in FIGURES}


def measured(bank: Fast, days_later: int, customers: int = 900) -> dict[str, float | None]:
    """The gauges once they are set."""
    drift, registry = watched(bank, MemoryStore(), days_later, customers)
    drift.measure()
    return gauges(registry)


def test_customers_like_those_in_training_have_not_drifted(bank: Fast) -> None:
    assert all(value is not None and value < 0.01 for value in measured(bank, 0).values())


def test_a_bank_that_has_gone_silent_has_drifted(bank: Fast) -> None:
    found = measured(bank, 20)
    assert (found["recency_days"] or 0.0) > 1.0
    assert (found["score"] or 0.0) > 1.0


def test_of_few_customers_nothing_is_told(bank: Fast) -> None:
    assert set(measured(bank, 0, SAMPLE_MIN - 1).values()) == {None}


class Away(MemoryStore):
    """Not to be reached at first."""

    asked = 0

    def read(self, partition: int) -> Position | None:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("Redis cannot be reached")
        return super().read(partition)


def test_a_store_that_is_away_and_a_row_of_a_newer_program_put_it_off(bank: Fast) -> None:
    store = Away()
    drift, registry = watched(bank, store, 0)
    newer = bytes([VERSION + 1])
    at = store.commit(0, store.claim(0), 2, END, Changes({"newer": newer}))

    async def watch() -> None:
        watching = asyncio.ensure_future(drift.watch(0.0))
        async with asyncio.timeout(60):
            while store.asked < 4:  # once away, then a row that can't be read, more than once
                await asyncio.sleep(0)
            assert set(gauges(registry).values()) == {None}
            store.commit(0, at, 3, END, Changes({"newer": next(iter(bank.rows.values()))}))
            while None in gauges(registry).values():
                await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(watch())


def test_the_index_of_nobody_is_nothing_and_of_some_it_is_worked_by_hand() -> None:
    """Half below and half above the edge in training, all above it now: (1e-4 - .5) ln(1e-4 / .5) + .5 ln 2."""
    then = Reference("recency_days", [1.0], [0.5, 0.5, 0.0])
    assert psi(then, np.empty(0)) == 0.0
    expected = (1e-4 - 0.5) * np.log(1e-4 / 0.5) + 0.5 * np.log(2)
    assert psi(then, np.array([2.0, 3.0])) == pytest.approx(expected)
