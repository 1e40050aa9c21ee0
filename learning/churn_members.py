"""The members of the churn model: fitted with scikit-learn and scipy, written down as plain numbers."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from handlers.churn.design_matrix import BG, COLUMN_NAMES, FIRST_DECLARED, MBG, N_CURVES, N_RATES
from handlers.churn.model import Linear, Trees, sigmoid
from handlers.kernel.jit import F8, I8

CLIP = 6.0
STAGES = (60, 100, 160)
"""Numbers of trees to choose among."""
SEEDS = (0, 1, 2)
"""Ensembles of trees that are averaged, for they draw columns by chance."""

_RISING = {"log_silence": 1, "silence_of_age": 1, "log_repeats": -1, "log_expected": -1}
_RISING |= {"logit_bg_nbd": 1, "logit_mbg_nbd": 1}
"""What the odds of leaving must rise (1) or fall (-1) with, all else the same."""


def fit_penalised(x: F8, offset: F8, y: F8, weight: F8, prior: F8, penalty: F8) -> F8:
    """Coefficients of a logistic, (k,), drawn to `prior` with strengths `penalty` (k,); log odds = offset + x b."""

    def loss(b: F8) -> tuple[float, F8]:
        z, away = offset + x @ b, b - prior
        value = weight @ (np.logaddexp(0.0, z) - y * z) + 0.5 * (penalty @ away**2)
        return float(value), x.T @ (weight * (sigmoid(z) - y)) + penalty * away

    coefficients: F8 = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 1_000}).x
    return coefficients


class Standard:
    """Mean and spread of the columns that vary, among `wanted` places."""

    def __init__(self, columns: F8, wanted: Sequence[int]) -> None:
        known = np.isfinite(columns).any(axis=0)
        spread = np.zeros(columns.shape[1])
        spread[known] = np.nanstd(columns[:, known], axis=0)
        self.places = np.array([c for c in wanted if spread[c] > 1e-9], np.int64)
        self.mean: F8 = np.nanmean(columns[:, self.places], axis=0) if len(self.places) else np.zeros(0)
        self.spread: F8 = spread[self.places]

    def __call__(self, columns: F8) -> F8:
        z: F8 = np.clip((columns[:, self.places] - self.mean) / self.spread, -CLIP, CLIP)
        return np.nan_to_num(z)

    def line(self, intercept: float, offset: float, weights: F8) -> Linear:
        """These weights on the standardised columns, in words and numbers."""
        names = [COLUMN_NAMES[c] for c in self.places.tolist()]
        return Linear(intercept, offset, names, self.mean.tolist(), self.spread.tolist(), weights.tolist())


def purchase_offset(columns: F8) -> F8:
    """Mean log odds of BG/NBD and MBG/NBD."""
    mean: F8 = 0.5 * (columns[:, BG] + columns[:, MBG])
    return mean


def corrected(columns: F8, y: F8, weight: F8) -> Linear:
    """The purchase models' log odds, corrected by what they don't see; no correction costs nothing."""
    standard = Standard(columns, range(N_RATES + N_CURVES))
    offset = purchase_offset(columns)
    x = np.concatenate([np.ones((len(y), 1)), offset[:, None] / 3.0, standard(columns)], axis=1)
    penalty = np.full(x.shape[1], 100.0)
    penalty[0] = 10.0
    coefficients = fit_penalised(x, offset, y, weight, np.zeros(x.shape[1]), penalty)
    return standard.line(float(coefficients[0]), 1.0 + float(coefficients[1]) / 3.0, coefficients[2:])


def logistic(columns: F8, y: F8, wanted: Sequence[int], strength: float) -> Linear:
    """A ridge logistic over the columns; `strength` is scikit-learn's C."""
    standard = Standard(columns, wanted)
    model = LogisticRegression(C=strength, max_iter=500).fit(standard(columns), y)
    return standard.line(float(model.intercept_[0]), 0.0, model.coef_[0])


def linear_logits(line: Linear, columns: F8) -> F8:
    """The log odds that handlers/churn/model.py computes from the same columns."""
    places = [COLUMN_NAMES.index(name) for name in line.columns]
    z = np.clip((columns[:, places] - np.array(line.mean)) / np.array(line.spread), -CLIP, CLIP)
    total: F8 = line.intercept + line.offset * purchase_offset(columns) + np.nan_to_num(z) @ np.array(line.weight)
    return total


def tree_places(columns: F8, wanted: Sequence[int]) -> I8:
    """The columns that trees look at: those of `wanted` that vary, but for the bends, which trees find themselves."""
    varied = Standard(columns, [c for c in wanted if not N_RATES <= c < N_RATES + N_CURVES])
    return varied.places


def boosted(
    columns: F8,
    y: F8,
    places: I8,
    leaves: int,
    leaf_share: float,
    trees: int,
    seed: int,
    weight: F8 | None = None,
) -> HistGradientBoostingClassifier:
    """Boosted trees over these columns; a leaf holds at least `leaf_share` of the rows."""
    names = [COLUMN_NAMES[c] for c in places.tolist()]
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=max(40, int(len(y) * leaf_share)),
        l2_regularization=10.0,
        max_features=0.5,
        monotonic_cst=[_RISING.get(name, 0) for name in names],
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):  # sums by several threads may differ in the last bit from run to run
        return model.fit(columns[:, places], y, weight)


def exported(models: Sequence[HistGradientBoostingClassifier], places: I8) -> Trees:
    """The mean of the models as lists of nodes. Reads scikit-learn's own node arrays, which have no public form."""
    share = 1.0 / len(models)
    parts: dict[str, list[float]] = {name: [] for name in ("column", "threshold", "missing", "left", "right", "value")}
    roots = []
    for model in models:
        for (predictor,) in model._predictors:
            nodes = predictor.nodes
            first = len(parts["value"])
            roots.append(first)
            leaf = nodes["is_leaf"].astype(bool)
            parts["column"] += np.where(leaf, 0, nodes["feature_idx"]).tolist()
            parts["threshold"] += np.where(leaf, 0.0, nodes["num_threshold"]).tolist()
            parts["missing"] += nodes["missing_go_to_left"].astype(bool).tolist()
            parts["left"] += np.where(leaf, -1, nodes["left"].astype(np.int64) + first).tolist()
            parts["right"] += np.where(leaf, -1, nodes["right"].astype(np.int64) + first).tolist()
            parts["value"] += (share * _means(nodes)).tolist()
    return Trees(
        intercept=share * sum(float(model._baseline_prediction.ravel()[0]) for model in models),
        roots=roots,
        columns=[COLUMN_NAMES[c] for c in places.tolist()],
        column=[int(value) for value in parts["column"]],
        threshold=[min(value, 1e300) for value in parts["threshold"]],
        missing_left=[bool(value) for value in parts["missing"]],
        left=[int(value) for value in parts["left"]],
        right=[int(value) for value in parts["right"]],
        value=parts["value"],
    )


def no_trees() -> Trees:
    """A member that says nothing."""
    return Trees(0.0, [], [], [], [], [], [], [], [])


def _means(nodes: np.ndarray) -> F8:
    """Leaf values, and for inner nodes the mean of their leaves by rows; children stand after their parent."""
    value = nodes["value"].astype(np.float64)
    count = nodes["count"].astype(np.float64)
    for k in range(len(nodes) - 1, -1, -1):
        if not nodes["is_leaf"][k]:
            left, right = int(nodes["left"][k]), int(nodes["right"][k])
            value[k] = (count[left] * value[left] + count[right] * value[right]) / (count[left] + count[right])
    return value


def columns_for(carried: bool) -> list[int]:
    """Columns that the logistic and the trees may use.

    Sums and counts over fixed windows mean something else at another horizon, so they are left out where what is
    learned is carried to one; shares, trends and balances are not.
    """
    wanted = list(range(FIRST_DECLARED))
    windowed = ("count_", "in_", "out_", "net_", "active_days_", "frequency", "recency", "gap_", "largest_")
    for c in range(FIRST_DECLARED, len(COLUMN_NAMES)):
        if not (carried and COLUMN_NAMES[c].startswith(windowed)):
            wanted.append(c)
    return wanted
