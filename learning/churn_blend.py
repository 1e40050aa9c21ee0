"""The members of the churn model and their blend, chosen by what members say of customers whom they had not seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from handlers.churn.model import Linear, Trees
from handlers.churn.scoring import carried_rows
from handlers.kernel.jit import F8, I8
from learning.churn_members import (
    SEEDS,
    STAGES,
    boosted,
    columns_for,
    corrected,
    exported,
    fit_penalised,
    linear_logits,
    logistic,
    no_trees,
    purchase_offset,
    tree_places,
)
from learning.label_plan import CUTOFFS
from schemas.units import DAY_MS

STRENGTHS = (0.001, 0.005, 0.02, 0.1, 0.5)
_FOLDS = 4
_LABELS_MIN = 10
_CARRIES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Rows:
    """Customers at cut-offs with what came after. (n, columns), (n,) and so on."""

    columns: F8
    left: F8
    customer: I8
    horizon: I8
    cutoff: I8
    """Epoch ms."""
    age: F8
    """Days since the first transaction."""
    repeats: F8
    """Active days after the first."""


@dataclass(frozen=True, slots=True)
class Shorter:
    """The rows at the longest horizon learned as they are at a shorter one. What is learned there is carried to the
    longest, whose labels are known: that tells how far carrying can be trusted."""

    rows: Rows
    purchase: F8
    """The purchase models that carry, as the kernels read them."""
    days: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the model is learned from the rows."""

    corrected: Linear
    logistic: Linear
    trees: Trees
    blend: list[float]
    log_loss: float
    auc: float
    carry: float = 1.0


class _Unseen:
    """Log odds of rows by members that have not seen the rows' customers."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._fold = rows.customer % _FOLDS
        self._by_correction = np.zeros(len(rows.left))
        self._by_strength = np.zeros((len(STRENGTHS), len(rows.left)))
        self._by_stage = np.zeros((len(STAGES), len(rows.left)))

    def fill(
        self, fold: int, correction: Linear, lines: list[Linear], trees: HistGradientBoostingClassifier, places: I8
    ) -> None:
        """The rows of a fold, by what was fitted on the others."""
        out = self._fold == fold
        if not out.any():
            return
        columns = self._rows.columns[out]
        self._by_correction[out] = linear_logits(correction, columns)
        for index, line in enumerate(lines):
            self._by_strength[index, out] = linear_logits(line, columns)
        for stage, z in enumerate(trees.staged_decision_function(columns[:, places]), 1):
            if stage in STAGES:
                self._by_stage[STAGES.index(stage), out] = z.ravel()

    def best(self) -> tuple[int, int]:
        """Places of the strength and of the stage with the least log-loss."""
        y = self._rows.left
        strength, stage = (np.argmin([_loss(y, z) for z in tried]) for tried in (self._by_strength, self._by_stage))
        return int(strength), int(stage)

    def members(self, strength: int, stage: int) -> F8:
        """With these settings, (n, members)."""
        return np.stack([self._by_correction, self._by_strength[strength], self._by_stage[stage]], axis=1)


def members(rows: Rows, shorter: Shorter | None, carried: bool, said: Callable[[str], None]) -> Parts:
    """Members on all rows; their settings, the blend and how far to carry by predictions for customers whom they had
    not seen. `shorter` where the horizon asked for is longer than any learned; `carried` is the plan's."""
    columns, y = rows.columns, rows.left
    wanted = columns_for(carried=shorter is not None)
    places = tree_places(columns, wanted)
    leaves, leaf_share = (6, 1 / 40) if carried else (8, 1 / 200)
    weight = np.full(len(y), min(0.3, 5_000 / len(y)) if carried else 1.0 / CUTOFFS)
    fold = rows.customer % _FOLDS
    unseen = [_Unseen(rows)] + ([] if shorter is None else [_Unseen(shorter.rows)])
    for k in range(_FOLDS):
        said(f"members, fold {k + 1} of {_FOLDS}")
        rest = fold != k
        if len(np.unique(y[rest])) < 2:
            continue
        correction = corrected(columns[rest], y[rest], weight[rest])
        lines = [logistic(columns[rest], y[rest], wanted, strength) for strength in STRENGTHS]
        trees = boosted(columns[rest], y[rest], places, leaves, leaf_share, STAGES[-1], 0)
        for one in unseen:
            one.fill(k, correction, lines, trees, places)
    strength, stage = unseen[0].best()
    said("members on all customers")
    asked = rows.horizon == rows.horizon.max()
    by_member = unseen[0].members(strength, stage)[asked]
    blend = _blend(by_member, y[asked], weight[asked])
    blended = blend[0] + by_member @ blend[1:]
    carry = 1.0
    if shorter is not None:
        by_member = unseen[1].members(strength, stage)
        early = _blend(by_member, shorter.rows.left, weight[asked])
        carry = _carry(early[0] + by_member @ early[1:], shorter, y[asked])
    by_time = _by_time(rows, wanted, places, leaves, leaf_share, STRENGTHS[strength], STAGES[stage], blend)
    loss, auc = by_time or (_loss(y[asked], blended), _auc(y[asked], blended))
    forests = [boosted(columns, y, places, leaves, leaf_share, STAGES[stage], seed) for seed in SEEDS]
    return Parts(
        corrected(columns, y, weight),
        logistic(columns, y, wanted, STRENGTHS[strength]),
        exported(forests, places),
        blend.tolist(),
        loss,
        auc,
        carry,
    )


def _by_time(
    rows: Rows, wanted: list[int], places: I8, leaves: int, leaf_share: float, strength: float, stage: int, blend: F8
) -> tuple[float, float] | None:
    """Log-loss and AUC at the last cut-off, by members that have seen neither its customers nor any day after it; None
    where too little had been settled by then."""
    asked = rows.horizon == rows.horizon.max()
    last = rows.cutoff[asked].max()
    later = asked & (rows.cutoff == last)
    settled = rows.cutoff + rows.horizon * DAY_MS <= last
    z = np.zeros(len(rows.left))
    for half in range(2):
        mine = rows.customer // _FOLDS % 2 == half
        learned, tested = settled & ~mine, later & mine
        if min(rows.left[learned].sum(), (1 - rows.left[learned]).sum()) < _LABELS_MIN:
            return None
        columns, y, weight = rows.columns[learned], rows.left[learned], np.full(int(learned.sum()), 1.0 / CUTOFFS)
        trees = boosted(columns, y, places, leaves, leaf_share, stage, 0)
        unseen = rows.columns[tested]
        by_member = (
            linear_logits(corrected(columns, y, weight), unseen),
            linear_logits(logistic(columns, y, wanted, strength), unseen),
            trees.decision_function(unseen[:, places]),
        )
        z[tested] = blend[0] + np.stack(by_member, axis=1) @ blend[1:]
    return _loss(rows.left[later], z[later]), _auc(rows.left[later], z[later])


def _auc(y: F8, z: F8) -> float:
    return float(roc_auc_score(y, z)) if len(np.unique(y)) == 2 else 0.5


def at_level(rows: Rows) -> Parts:
    """Nearly all did the same, which the purchase models need not expect: they rank, and the labels say how many."""
    asked = rows.horizon == rows.horizon.max()
    y, offset = rows.left[asked], purchase_offset(rows.columns[asked])
    one, weight = np.ones((len(y), 1)), np.full(len(y), 1.0 / CUTOFFS)
    level = float(fit_penalised(one, offset, y, weight, np.zeros(1), np.ones(1))[0])
    return purchase_models_at(level, _loss(y, offset + level))


def purchase_models_at(level: float, log_loss: float = 0.0) -> Parts:
    """The purchase models alone, with that much added to their log odds."""
    return Parts(offset_only(), offset_only(), no_trees(), [level, 1.0, 0.0, 0.0], log_loss, 0.5)


def offset_only() -> Linear:
    """The purchase models' own log odds."""
    return Linear(0.0, 1.0, [], [], [], [])


def _blend(by_member: F8, y: F8, weight: F8) -> F8:
    """Intercept and weights at the horizon that is asked, drawn to the equal blend."""
    x = np.concatenate([np.ones((len(y), 1)), by_member], axis=1)
    equal = np.array([0.0, *[1 / by_member.shape[1]] * by_member.shape[1]])
    penalty = np.array([1.0, *[50.0] * 3])
    return fit_penalised(x, np.zeros(len(y)), y, weight, equal, penalty)


def _carry(z: F8, shorter: Shorter, left: F8) -> float:
    """The share of the way that is the most better than all of it, a standard error taken off, by what came of the same
    customers at the longest horizon, `left` (n,)."""
    rows, whole = shorter.rows, np.empty(len(z))
    carried_rows(z, rows.repeats, rows.age, shorter.purchase, float(rows.horizon[0]), float(shorter.days), whole)
    in_full = _losses(left, whole)

    def surely_better(share: float) -> float:
        gain = in_full - _losses(left, z + share * (whole - z))
        return float(gain.mean() - gain.std() / np.sqrt(len(gain)))

    return max(reversed(_CARRIES), key=surely_better)


def _losses(y: F8, z: F8) -> F8:
    """Log-loss of each, (n,)."""
    losses: F8 = np.logaddexp(0.0, z) - y * z
    return losses


def _loss(y: F8, z: F8) -> float:
    return float(_losses(y, z).mean())
