"""What became of the churn alerts that silences raised, by score: measured on the stream itself, with no truth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handlers.intake.events import EventBatch
from handlers.kernel.jit import I8, NONE
from learning.history import OwnTimes, made_by_customers
from schemas.alert import Alert
from schemas.units import DAY_MS, parse_rfc3339

TENTHS = 10


class Band(NamedTuple):
    """Alerts with a score from `tenth` / 10 to under the next tenth; the last holds 1 too."""

    tenth: int
    raised: int
    known: int
    """Raised alerts whose horizon is over by the end of the stream."""
    came_true: int
    """Known alerts after which the customer made no own transaction within the horizon."""


class CameTrue:
    """Collects own transactions and alerts of one pass; about 16 bytes an event."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._customer: list[I8] = []
        self._at: list[I8] = []
        self._alerts: list[tuple[str, int, int, float]] = []

    def folded(self, batch: EventBatch) -> None:
        """Takes note of what customers did themselves."""
        own = made_by_customers(batch.type, batch.undoes_at)
        places = np.array([self._places.setdefault(name, len(self._places)) for name in batch.customers], np.int64)
        self._customer.append(places[batch.customer[own]])
        self._at.append(batch.at[own])

    def raised(self, alert: Alert) -> None:
        """Takes note of the alert if a silence has raised it and it has a probability."""
        silence = (alert.kind, alert.status) == ("churn_risk", "raised") and alert.cause.due_at is not None
        if silence and alert.score is not None:
            at = parse_rfc3339(alert.raised_at)
            self._alerts.append((alert.customer_id, at, at + alert.horizon_days * DAY_MS, alert.score))

    def bands(self, clock: int) -> Sequence[Band]:
        """The tenths that have alerts, at the end of the stream (`clock`, epoch ms)."""
        if not self._alerts:
            return []
        own = OwnTimes(np.concatenate(self._customer), np.concatenate(self._at))
        counts = np.zeros((TENTHS, 3), np.int64)
        for customer, at, until, score in self._alerts:
            after = int(own.next_after(np.array([self._places[customer]]), at)[0])
            known = until <= clock
            counts[min(int(score * TENTHS), TENTHS - 1)] += 1, known, known and (after == NONE or after >= until)
        return [Band(tenth, *row) for tenth, row in enumerate(counts.tolist()) if row[0]]
