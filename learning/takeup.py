"""Who takes which product next: a logistic on the churn model's columns, trained on what was taken before the split.

Measured against popularity, which ranks everybody alike: its hit rate is the share of all who take the product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from handlers.churn.design_matrix import design
from handlers.kernel.jit import F8, I8
from learning.churn_members import Standard, columns_for
from learning.churn_training import purchase_models
from learning.history import History
from learning.snapshots import snapshots
from schemas.units import DAY_MS, epoch_ms

CONTACTED = 0.1
_CUTOFFS = 4
_STRENGTH = 0.005
_TAKERS_MIN = 5
_RESAMPLES = 1_000
_SEED = 7


class Taken(msgspec.Struct, frozen=True):
    """A product that a customer has taken: a line of the file of products."""

    customer_id: str
    product: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Takeup:
    """One product at the split. Intervals are of the bootstrap over customers, 95 %."""

    product: str
    learned_from: int
    """Takers in the training rows."""
    customers: int
    """Without the product at the split."""
    takers: int
    """Customers without it who took it within the horizon."""
    hit_rate: float
    """Share of takers among the tenth ranked highest."""
    lift: float
    lift_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]


def takeups(
    history: History, taken: Sequence[Taken], split: int, horizon_days: int, folded: Callable[[int], None]
) -> list[Takeup]:
    """For each product with at least 5 takers both before the split and in the horizon after it, by name."""
    known = history.until(split)
    start = int(known.clock[0])
    label_days = int(min(horizon_days, (split - start) / DAY_MS / 3))
    room = (split - start) // DAY_MS - 2 * label_days
    backs = [label_days + k * max(room // (_CUTOFFS - 1), 1) for k in range(_CUTOFFS)]
    cutoffs = sorted({split - back * DAY_MS for back in backs})
    seen = snapshots(known, [*cutoffs, split], folded)
    columns = [design(snapshot.inputs, float(label_days), *purchase_models(snapshot)) for snapshot in seen]
    results = []
    for product in sorted({record.product for record in taken}):
        first = _first_taken(known.customers, taken, product)
        xs, ys = [], []
        for snapshot, x in zip(seen[:-1], columns[:-1], strict=True):
            free, takes = _outcome(first[snapshot.customer], snapshot.at, label_days)
            xs.append(x[free])
            ys.append(takes)
        x, y = np.concatenate(xs), np.concatenate(ys)
        last = seen[-1]
        free, takes = _outcome(first[last.customer], split, horizon_days)
        if min(y.sum(), takes.sum()) < _TAKERS_MIN or y.all() or takes.all():
            continue
        standard = Standard(x, columns_for(carried=False))
        model = LogisticRegression(C=_STRENGTH, max_iter=500).fit(standard(x), y)
        score = model.decision_function(standard(columns[-1][free]))
        results.append(_measured(product, int(y.sum()), takes, score))
    return results


def _first_taken(customers: Sequence[str], taken: Sequence[Taken], product: str) -> I8:
    """When each customer first took the product, epoch ms; the largest number where never."""
    index_of = {name: k for k, name in enumerate(customers)}
    first = np.full(len(customers), np.iinfo(np.int64).max)
    for record in taken:
        if record.product == product and record.customer_id in index_of:
            k = index_of[record.customer_id]
            first[k] = min(first[k], epoch_ms(record.taken_at))
    return first


def _outcome(first: I8, at: int, days: int) -> tuple[np.ndarray, F8]:
    """Who does not have the product at the moment, and for those 1 where they take it within the days."""
    free = first >= at
    return free, (first[free] < at + days * DAY_MS).astype(np.float64)


def _measured(product: str, learned_from: int, takes: F8, score: F8) -> Takeup:
    chance = np.random.default_rng(_SEED)
    drawn = (chance.integers(0, len(takes), len(takes)) for _ in range(_RESAMPLES))
    resamples = [(_lift(takes[k], score[k]), _auc(takes[k], score[k])) for k in drawn]
    low, high = np.nanquantile(np.array(resamples), [0.025, 0.975], axis=0).tolist()
    lift = _lift(takes, score)
    return Takeup(
        product, learned_from, len(takes), int(takes.sum()), lift * float(takes.mean()), lift, (low[0], high[0]),
        _auc(takes, score), (low[1], high[1]),
    )  # fmt: skip


def _lift(takes: F8, score: F8) -> float:
    top = np.argsort(-score, kind="stable")[: max(round(len(takes) * CONTACTED), 1)]
    return float(takes[top].mean() / takes.mean()) if takes.any() else float("nan")


def _auc(takes: F8, score: F8) -> float:
    return float(roc_auc_score(takes, score)) if 0 < takes.sum() < len(takes) else float("nan")
