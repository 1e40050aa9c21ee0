"""Whether the bank's customers are still like those that the churn model was trained on: drift of inputs and score.

Compared are, as in training, the customers whose silence may be judged, those active within the horizon: by a sample of
the rows as they stand now, beside the loop and without a part in any decision.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import numpy as np

from handlers.churn.drift import psi
from handlers.churn.inputs import NAMES, asked_about, inputs_at
from handlers.churn.model import ChurnModel, Scorer
from handlers.profile.upgrade import current
from handlers.state.codec import LayoutError
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.store.port import Store, StoreUnavailable

_log = logging.getLogger("tracker.drift")

EVERY_SECONDS = 600
SAMPLE = 4_000
"""Customers of one worker who are looked at."""
SAMPLE_MIN = 500
"""With fewer nothing is told: the index of n customers who have not changed is about 10 / n."""


class DriftMonitor:
    """Of one worker's customers. `store` is used by nobody else; `owned` gives the partitions of the moment."""

    def __init__(
        self, model: ChurnModel, store: Store, owned: Callable[[], Sequence[int]], health: Health, metrics: Metrics
    ) -> None:
        self._scorer = Scorer(model)
        self._store = store
        self._owned = owned
        self._health = health
        self._metrics = metrics

    async def watch(self, every_seconds: float = EVERY_SECONDS) -> None:
        """Measures again and again, in a thread beside the event loop. Where Redis is away, or a row is of a newer
        program, it is done the next time: nothing that is decided waits for it."""
        while True:
            await asyncio.sleep(every_seconds)
            self._health.beat("drift watcher")
            try:
                await asyncio.to_thread(self.measure)
            except (StoreUnavailable, LayoutError) as error:
                _log.warning("drift is measured later: %s", error)
            self._health.rest("drift watcher")

    def measure(self) -> None:
        """Sets the gauge of every figure that the model file knows; takes it away where there are too few customers.

        Raises StoreUnavailable, LayoutError for a row that a newer program wrote.
        """
        numbers, found = self._owned(), []
        for number in numbers:
            position = self._store.read(number)
            if position is not None:
                rows = [current(row) for row in self._store.sample(number, SAMPLE // len(numbers))]
                found.append(inputs_at(rows, position.clock))
        inputs = np.concatenate(found) if found else np.zeros((0, len(NAMES)))
        inputs = inputs[asked_about(inputs, self._scorer.model.horizon_days)]
        for reference in self._scorer.model.reference:
            if len(inputs) < SAMPLE_MIN:
                self._metrics.forget_drift(reference.name)
                continue
            values = (
                self._scorer.scores(inputs) if reference.name == "score" else inputs[:, NAMES.index(reference.name)]
            )
            self._metrics.churn_drift(reference.name).set(psi(reference, values))
