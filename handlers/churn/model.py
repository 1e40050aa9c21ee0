"""The churn model as a small file, and what it says of a customer: P(leaves in the next H), and why.

Three members give log odds: a logistic that corrects BG/NBD and MBG/NBD, a logistic of its own, and boosted trees. A
few weights blend and calibrate them. Training (learning/churn_training.py) writes the file; scoring needs numpy only:
`Scorer.scores` over a matrix of inputs, `Scorer.explained` for one customer.
"""

import re
from hashlib import blake2b
from math import inf
from typing import NamedTuple

import msgspec
import numpy as np

from handlers.churn.design_matrix import COLUMN_NAMES, COLUMNS, parameters
from handlers.churn.forest import Forest, forest_of
from handlers.churn.purchase_models import PurchaseModel
from handlers.churn.scoring import LinearMember, Weights, contributions, new_columns, score_rows, silence_rows
from handlers.kernel.jit import F8

FORMAT = 2
"""Version of the file's form."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MEMBERS = ("corrected_purchase_model", "logistic", "trees")


class ModelError(ValueError):
    """The file is not a churn model that this program can use; the text says why."""


class Linear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log odds = intercept + offset x mean of the purchase models' log odds + sum of weight x standardised column.

    A standardised column is (value - mean) / spread, held within 6 of zero, and 0 where missing.
    """

    intercept: float
    offset: float
    columns: list[str]
    mean: list[float]
    spread: list[float]
    weight: list[float]


class Trees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log odds = intercept + sum over trees of the leaf's value. A node goes left where column <= threshold.

    `left` is -1 in a leaf; children are places in these lists; `value` of an inner node is the mean of its leaves.
    """

    intercept: float
    roots: list[int]
    columns: list[str]
    column: list[int]
    threshold: list[float]
    missing_left: list[bool]
    left: list[int]
    right: list[int]
    value: list[float]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an input or the score looked like in training: the edges between ten bins, and the share of each."""

    name: str
    edges: list[float]
    shares: list[float]
    """Of the bins in order, then of the missing."""


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model was made from, and how it did on customers and days that it had not seen: at the last cut-off, by
    members that knew nothing after it (where the history is too short for that, at all cut-offs)."""

    until: str
    events: int
    customers: int
    rows: int
    cutoffs: list[str]
    horizons_days: list[int]
    """Horizons of the labels; shorter than the model's where the history was too short for it."""
    carried: bool
    """Whether the history was too short to learn at the model's horizon alone: shorter ones were learned with it, and
    the longest of them is carried to the model's by the purchase models."""
    silent_share: float
    log_loss: float
    auc: float
    youngest_days: float = 0.0
    """Days since the first transaction from which on there were customers enough to learn from."""


class Leaving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bank counts as leaving besides silence: nothing, unless it says so."""

    balance_below_minor: int | None = None
    """Who held this much or more, over all accounts, and holds less at the end of the horizon."""
    closed_products: list[str] = []
    """Who closes one of these."""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model did in its latest backtest."""

    split: str
    horizon_days: int
    customers: int
    left_share: float
    auc: float
    average_precision: float
    brier: float
    log_loss: float
    calibration_error: float
    top_decile_lift: float


class ChurnModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    format: int
    name: str
    version: str
    """Digest of what decides the score: the same training gives the same version."""
    horizon_days: int
    leaving: str
    """The bank's definition of leaving, in words."""
    bg_nbd: PurchaseModel
    mbg_nbd: PurchaseModel
    corrected: Linear
    logistic: Linear
    trees: Trees
    blend: list[float]
    """Intercept, then the weight of each of MEMBERS."""
    silence: Linear
    """Log odds that the present gap between own transactions reaches the horizon; used at horizon - silence."""
    reference: list[Reference]
    training: Training
    also: Leaving = Leaving()
    """What counts as leaving besides silence."""
    carry: float = 1.0
    """How much of the way from the longest horizon learned to the model's the purchase models are followed, 0 to 1."""
    measured: Measured | None = None
    general: bool = False
    """Whether it was learned from many made-up banks, for those that have no model of their own."""
    repeats_min: int = 0
    """No alert for a silence of who has come back on fewer days than this after the first."""
    mean_gap_days_max: float | None = None
    """Nor of who came less often, where a number is given: for them a silence of the horizon is nothing unusual."""


class Explained(NamedTuple):
    """A score, and what moved it."""

    score: float
    """P(leaves in the next horizon)."""
    logit: float
    base: float
    """Log odds of a customer like the mean of those trained on."""
    moved_by: dict[str, float]
    """Log odds by input; `base` and these sum to `logit`. `purchase_model` is BG/NBD's and MBG/NBD's own reading of
    frequency, recency and age."""


def loads(data: bytes) -> ChurnModel:
    """The model in a file's bytes. Raises ModelError."""
    try:
        model = msgspec.json.decode(data, type=ChurnModel)
    except msgspec.DecodeError as error:
        raise ModelError(f"is not a churn model: {error}") from error
    if model.format != FORMAT:
        raise ModelError(f"has format {model.format}; this program reads format {FORMAT}: train it again")
    unknown = {*model.corrected.columns, *model.logistic.columns, *model.trees.columns, *model.silence.columns}
    if unknown := unknown - set(COLUMN_NAMES):
        raise ModelError(f"uses figures that this program does not have: {', '.join(sorted(unknown))}")
    if _NAME.fullmatch(model.name) is None or _NAME.fullmatch(model.version) is None:
        raise ModelError("must have a name and a version of letters, digits, - and _")
    if len(model.blend) != 1 + len(MEMBERS):
        raise ModelError(f"must blend {len(MEMBERS)} members")
    try:
        _forest(model.trees)
    except (ValueError, IndexError) as error:
        raise ModelError(f"has trees that lead nowhere: {error}") from error
    return model


def version_of(model: ChurnModel) -> str:
    """A name for what has been learned: the same where that is the same, whoever learned it."""
    return blake2b(msgspec.json.encode(model), digest_size=6).hexdigest()


def dumps(model: ChurnModel) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"


class Scorer:
    """A model ready to score. Holds no state between calls but room to work in: not for two threads at once."""

    def __init__(self, model: ChurnModel) -> None:
        self.model = model
        self.weights = weights_of(model)
        self._silence = _lines(model.silence)
        self._room = new_columns()

    def logits(self, inputs: F8) -> F8:
        """Log odds of leaving, (n,), for inputs (n, inputs) as churn_inputs gives them."""
        out = np.empty(len(inputs))
        score_rows(inputs, self.weights, self._room, out)
        return out

    def scores(self, inputs: F8) -> F8:
        """P(leaves in the next horizon_days), (n,), for inputs (n, inputs)."""
        return sigmoid(self.logits(inputs))

    def silence(self, inputs: F8, silence_days: F8, gap_days: float) -> F8:
        """P(the present gap reaches gap_days), given that it has lasted silence_days (n,); 1 where it has."""
        out = np.empty(len(inputs))
        silence_rows(inputs, gap_days - silence_days, self.weights.purchase, self._silence, self._room, out)
        return sigmoid(out)

    def explained(self, inputs: F8) -> Explained:
        """The score of one customer's inputs, (inputs,), and what moved it."""
        moved = np.empty(len(COLUMNS))
        base = contributions(inputs, self.weights, self._room, moved)
        by_input: dict[str, float] = {}
        for (_, source), amount in zip(COLUMNS, moved.tolist(), strict=True):
            if amount:
                by_input[source] = by_input.get(source, 0.0) + amount
        z = base + sum(by_input.values())
        ordered = dict(sorted(by_input.items(), key=lambda entry: (-abs(entry[1]), entry[0])))
        return Explained(float(sigmoid(np.array([z]))[0]), z, base, ordered)


def sigmoid(z: F8) -> F8:
    """1 / (1 + exp(-z))."""
    p: F8 = 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
    return p


def weights_of(model: ChurnModel) -> Weights:
    """The model as the kernels read it."""
    return Weights(
        float(model.horizon_days),
        float(max(model.training.horizons_days, default=model.horizon_days)),
        model.training.youngest_days,
        parameters(model.bg_nbd, model.mbg_nbd),
        np.array(model.blend),
        _lines(model.corrected),
        _lines(model.logistic),
        _forest(model.trees),
        model.trees.intercept,
        model.carry,
        float(model.repeats_min),
        inf if model.mean_gap_days_max is None else model.mean_gap_days_max,
    )


def _lines(line: Linear) -> LinearMember:
    mean, scale, weight = np.zeros(len(COLUMNS)), np.zeros(len(COLUMNS)), np.zeros(len(COLUMNS))
    at = [COLUMN_NAMES.index(name) for name in line.columns]
    mean[at], scale[at], weight[at] = line.mean, 1.0 / np.array(line.spread), line.weight
    return LinearMember(line.intercept, line.offset, mean, scale, weight)


def _forest(trees: Trees) -> Forest:
    place = np.array([COLUMN_NAMES.index(name) for name in trees.columns], np.int64)
    return forest_of(
        len(COLUMNS),
        np.array(trees.roots, np.int64),
        place[np.array(trees.column, np.int64)],
        np.array(trees.threshold),
        np.array(trees.missing_left, np.int64),
        np.array(trees.left, np.int64),
        np.array(trees.right, np.int64),
        np.array(trees.value),
    )
