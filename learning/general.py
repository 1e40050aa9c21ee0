"""The churn model that ships with the program: learned from made-up banks and shops of many kinds (kinds.py), for banks
that have none of their own yet.

What it may look at means the same anywhere: a customer's own gaps, their number and spread, the present silence, and
which kinds of transactions there are; no sums of money, and no counts but of days. It learns from silences as they are
asked about in life, up to one horizon, and its settings are chosen by populations that it has not seen.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import orjson
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from handlers.churn.design_matrix import COLUMN_NAMES, design
from handlers.churn.inputs import AGE, DECLARED, FIRST_TO_LAST, NAMES, REPEATS
from handlers.churn.model import FORMAT, ChurnModel, Linear, Training, version_of
from handlers.intake.transactions import TransactionIntake
from handlers.kernel.jit import F8, I8
from learning import purchase_fit
from learning.churn_blend import offset_only
from learning.churn_members import boosted, exported
from learning.history import History, read
from learning.kinds import KINDS, Kind, population
from learning.leaving import SILENCE, described
from learning.snapshots import silent_within, snapshots
from schemas.units import DAY_MS, rfc3339

HORIZON_DAYS = 30
SEED = 9_000
MADE: tuple[Kind, ...] = ("salaried", "salaried", "salaried", *KINDS)
"""The populations of a round: banks are what it is for."""
ROUNDS = 8
CUSTOMERS = 150
DAYS = 300

REPEATS_MIN = 5
MEAN_GAP_DAYS_MAX = HORIZON_DAYS / 2
"""It alarms for nobody whose habits are not known, or who comes so seldom that a silence of the horizon is usual."""
CAUTION = 2.0
"""What who came back weighs in learning, against who did not: the odds that it says are so many times lower."""

_FIRST_DAY, _STEP_DAYS = 20, 5
_SHORT_DAYS, _SHORT_KEPT = 3, 4
"""Silences shorter than so many days are hardly asked about: one in so many of them is learned from."""
_TREES, _LEAVES, _LEAF_SHARE = 160, 16, 1 / 1_000
_FOLDS = 4

COLUMNS: tuple[str, ...] = (
    "log_repeats",
    "came_once",
    "log_silence",
    "log_age",
    "silence_of_age",
    "log_expected",
    "recent_gaps",
    "silence_to_gaps",
    "shorter_gaps",
    "gap_spread",
    "log_last_gap",
    "logit_bg_nbd",
    "logit_mbg_nbd",
    "gap_mean_days",
    "gap_sd_days",
    "gap_q90_days",
    "active_days_30d",
    "active_days_90d",
    "last_turnover",
    *(name for name in COLUMN_NAMES if name.startswith("trend_")),
    *(name for name in COLUMN_NAMES if name.startswith(("share_type_", "share_channel_"))),
)
"""What it looks at."""

_NOTHING = Linear(0.0, 0.0, [], [], [], [])
_RECENCY = NAMES.index("recency_days")


class _Asked(NamedTuple):
    """Silences of one population, with what came after."""

    inputs: F8
    left: F8
    events: int
    customers: int


def general_model(
    seed: int = SEED,
    rounds: int = ROUNDS,
    customers: int = CUSTOMERS,
    days: int = DAYS,
    said: Callable[[str], None] = lambda text: None,
) -> ChurnModel:
    """The same arguments give the same model, on one machine to the byte."""
    made = list(_populations(seed, rounds, customers, days, said))
    said("learning")
    inputs, left = np.concatenate([one.inputs for one in made]), np.concatenate([one.left for one in made])
    fold = np.repeat(np.arange(len(made)) // len(MADE) % _FOLDS, [len(one.left) for one in made])
    x, t_x, t = (inputs[:, len(DECLARED) + column] for column in (REPEATS, FIRST_TO_LAST, AGE))
    some = np.flatnonzero(np.isfinite(x) & (t > 0))[::7]
    bg, mbg = (purchase_fit.fit(x[some], t_x[some], t[some], modified) for modified in (False, True))
    columns = design(inputs, float(HORIZON_DAYS), bg, mbg)
    places = np.array([COLUMN_NAMES.index(name) for name in COLUMNS], np.int64)
    unseen = np.zeros(len(left))
    for k in range(_FOLDS):
        rest = fold != k
        if not rest.all():
            unseen[~rest] = _trees(columns[rest], left[rest], places).decision_function(columns[~rest][:, places])
    losses = np.logaddexp(0.0, unseen) - left * unseen
    model = ChurnModel(
        format=FORMAT,
        name="general",
        version="",
        horizon_days=HORIZON_DAYS,
        leaving=described(SILENCE, HORIZON_DAYS),
        bg_nbd=bg,
        mbg_nbd=mbg,
        corrected=_NOTHING,
        logistic=_NOTHING,
        trees=exported([_trees(columns, left, places)], places),
        blend=[0.0, 0.0, 0.0, 1.0],
        silence=offset_only(),
        reference=[],
        training=Training(
            until=rfc3339(0),
            events=sum(one.events for one in made),
            customers=sum(one.customers for one in made),
            rows=len(left),
            cutoffs=[],
            horizons_days=[HORIZON_DAYS],
            carried=False,
            silent_share=float(left.mean()),
            log_loss=float(losses.mean()),
            auc=float(roc_auc_score(left, unseen)),
        ),
        general=True,
        repeats_min=REPEATS_MIN,
        mean_gap_days_max=MEAN_GAP_DAYS_MAX,
    )
    return msgspec.structs.replace(model, version=version_of(model))


def _trees(columns: F8, left: F8, places: I8) -> HistGradientBoostingClassifier:
    return boosted(columns, left, places, _LEAVES, _LEAF_SHARE, _TREES, 0, np.where(left > 0, 1.0, CAUTION))


def _populations(seed: int, rounds: int, customers: int, days: int, said: Callable[[str], None]) -> Iterator[_Asked]:
    for turn in range(rounds):
        said(f"making up banks and shops, {turn + 1} of {rounds}")
        for index, kind in enumerate(MADE):
            yield _asked(kind, customers, days, seed + turn * len(MADE) + index)


def _asked(kind: Kind, customers: int, days: int, seed: int) -> _Asked:
    history = made_up(kind, customers, days, seed)
    start = int(history.clock[0]) // DAY_MS * DAY_MS
    cutoffs = [start + day * DAY_MS for day in range(_FIRST_DAY + seed % _STEP_DAYS, days - HORIZON_DAYS, _STEP_DAYS)]
    inputs, left = [], []
    for snapshot in snapshots(history, cutoffs, lambda events: None):
        silence = snapshot.inputs[:, _RECENCY]
        some = (silence >= _SHORT_DAYS) | (np.arange(len(silence)) % _SHORT_KEPT == 0)
        kept = some & (silence <= HORIZON_DAYS)
        inputs.append(snapshot.inputs[kept])
        left.append(silent_within(history, snapshot, HORIZON_DAYS)[kept])
    return _Asked(np.concatenate(inputs), np.concatenate(left), len(history), len(history.customers))


def made_up(kind: Kind, customers: int, days: int, seed: int) -> History:
    """The history of a population."""
    lines = [orjson.dumps(row) for row in population(kind, customers, days, seed).rows]
    return read([lines], TransactionIntake("transactions", "EUR", {}, keyed=False), lambda events: None)
