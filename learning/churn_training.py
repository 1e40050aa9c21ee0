"""Training the churn model: cut-offs inside the history, three members, a blend fitted out of fold, one small file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from handlers.churn.design_matrix import FIRST_DECLARED, design, parameters
from handlers.churn.drift import reference, stationary
from handlers.churn.inputs import AGE, DECLARED, FIRST_TO_LAST, NAMES, REPEATS, asked_about
from handlers.churn.model import FORMAT, ChurnModel, Leaving, Linear, Scorer, Training, version_of
from handlers.churn.purchase_models import PurchaseModel
from learning import purchase_fit
from learning.churn_blend import STRENGTHS, Rows, Shorter, at_level, members, offset_only, purchase_models_at
from learning.churn_members import logistic
from learning.history import History, HistoryError
from learning.label_plan import Plan, plan
from learning.leaving import SILENCE, Labels, check, described
from learning.snapshots import Snapshot, snapshots
from schemas.units import rfc3339

ROWS_MAX = 200_000
_FITTED_MAX = 50_000
_SILENCE_DAYS_MIN = 3
_YOUNG_ROWS = 50
_SEVERAL = 10
"""Fewer of those who left or who stayed in the labels: nothing but the level of the purchase models is learned."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and every customer at the end of the history that it was trained on."""

    model: ChurnModel
    last: Snapshot


def train(
    history: History,
    until: int,
    horizon_days: int,
    name: str = "churn",
    leaving: Leaving = SILENCE,
    folded: Callable[[int], None] = lambda events: None,
    said: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Learns from what was known before `until` (epoch ms): no label, figure or parameter looks past it.

    `folded` is told the events folded so far; `said` what is being done. Raises HistoryError where nothing happened
    before `until`, or where the definition of leaving can't be learned from it.
    """
    known = history.until(until)
    if not len(known):
        raise HistoryError(f"there is no transaction before {rfc3339(until)}")
    labels = plan(int(known.clock[0]), until, horizon_days)
    check(known, labels, leaving, until, horizon_days)
    cutoffs = sorted({cutoff for cutoff, _ in labels.pairs})
    most = ROWS_MAX // max(len(labels.pairs), 1)
    taken = snapshots(known, [*cutoffs, until], folded, lambda seen: seen[:: -(-len(seen) // most) or 1])
    at = {snapshot.at: snapshot for snapshot in taken}
    said("fitting BG/NBD and MBG/NBD")
    fits = {snapshot.at: purchase_models(snapshot) for snapshot in taken}
    rows, learned = _rows(Labels(known, leaving), at, fits, labels.pairs, horizon_days), labels.pairs
    bg, mbg = fits[until]
    if rows is None:
        said("too few labels: the purchase models stand alone")
        parts, learned = purchase_models_at(0.0), ()
    elif min(rows.left.sum(), (1 - rows.left).sum()) < _SEVERAL:
        said("too few labels: the purchase models at the level of the labels")
        parts = at_level(rows)
    else:
        half = _half(Labels(known, leaving), at, fits, labels.pairs, horizon_days)
        parts = members(rows, half, labels.carried, said)
    silence = _silence(_rows(Labels(known, SILENCE), at, fits, _shorter(labels), horizon_days))
    summary = Training(
        until=rfc3339(until),
        events=len(known),
        customers=len(taken[-1].customer),
        rows=0 if rows is None else len(rows.left),
        cutoffs=[rfc3339(cutoff) for cutoff in sorted({cutoff for cutoff, _ in learned})],
        horizons_days=sorted({horizon for _, horizon in learned}),
        carried=labels.carried,
        silent_share=0.0 if rows is None else float(rows.left.mean()),
        log_loss=parts.log_loss,
        auc=parts.auc,
        youngest_days=0.0 if rows is None else _youngest(rows),
    )
    model = ChurnModel(
        format=FORMAT,
        name=name,
        version="",
        horizon_days=horizon_days,
        leaving=described(leaving, horizon_days),
        also=leaving,
        bg_nbd=bg,
        mbg_nbd=mbg,
        corrected=parts.corrected,
        logistic=parts.logistic,
        trees=parts.trees,
        blend=parts.blend,
        silence=silence,
        carry=parts.carry,
        reference=[],
        training=summary,
    )
    last = taken[-1]
    seen = last.inputs[asked_about(last.inputs, horizon_days)]
    references = [reference("score", Scorer(model).scores(seen))]
    references += [reference(NAMES[c], seen[:, c]) for c in _used(model)]
    return Trained(msgspec.structs.replace(model, version=version_of(model), reference=references), last)


def _youngest(rows: Rows) -> float:
    """The age below which there are fewer than _YOUNG_ROWS rows; 0 where nobody's is known."""
    ages = np.sort(rows.age[np.isfinite(rows.age)])
    return float(ages[min(_YOUNG_ROWS, len(ages)) - 1]) if len(ages) else 0.0


def _half(
    labels: Labels,
    at: dict[int, Snapshot],
    fits: dict[int, tuple[PurchaseModel, PurchaseModel]],
    pairs: Sequence[tuple[int, int]],
    horizon_days: int,
) -> Shorter | None:
    """The rows at the longest horizon, at half of it; None where nothing is carried."""
    cutoff, longest = max(pairs, key=lambda pair: pair[1])
    if longest >= horizon_days:
        return None
    rows = _rows(labels, at, fits, [(cutoff, longest // 2)], horizon_days)
    return None if rows is None else Shorter(rows, parameters(*fits[cutoff]), longest)


def _silence(rows: Rows | None) -> Linear:
    """Will the present gap last another h days: over all horizons of the plan at once."""
    if rows is None or min(rows.left.sum(), (1 - rows.left).sum()) < _SEVERAL:
        return offset_only()
    return logistic(rows.columns, rows.left, range(FIRST_DECLARED), STRENGTHS[1])


def _shorter(labels: Plan) -> list[tuple[int, int]]:
    """For the silence score: each cut-off with a half and a quarter of its horizon too."""
    parts = {(cutoff, horizon // part) for cutoff, horizon in labels.pairs for part in (1, 2, 4)}
    return sorted((cutoff, horizon) for cutoff, horizon in parts if horizon >= _SILENCE_DAYS_MIN)


def shortfall(model: ChurnModel) -> str | None:
    """What the history was too short or too calm to teach, None where nothing was."""
    training, asked = model.training, model.horizon_days
    if not training.rows:
        return "The history has too few labels: BG/NBD and MBG/NBD stand alone."
    if not model.logistic.columns:
        return f"Fewer than {_SEVERAL} left or stayed: BG/NBD and MBG/NBD rank alone, at the level of the labels."
    if not training.carried:
        return None
    horizons = ", ".join(map(str, training.horizons_days))
    carried = "" if asked in training.horizons_days else f", and is carried to {asked} days by BG/NBD and MBG/NBD"
    return f"The history is short for {asked} days: the model learned at horizons of {horizons} days{carried}."


def purchase_models(snapshot: Snapshot) -> tuple[PurchaseModel, PurchaseModel]:
    """BG/NBD and MBG/NBD of everybody in the snapshot who ever did something."""
    every = -(-len(snapshot.customer) // _FITTED_MAX) or 1
    x, t_x, t = (snapshot.inputs[::every, len(DECLARED) + column] for column in (REPEATS, FIRST_TO_LAST, AGE))
    seen = np.isfinite(x) & (t > 0)
    if not seen.any():
        return PurchaseModel(1.0, 30.0, 1.0, 1.0, False), PurchaseModel(1.0, 30.0, 1.0, 1.0, True)
    x, t_x, t = x[seen], t_x[seen], t[seen]
    return purchase_fit.fit(x, t_x, t, False), purchase_fit.fit(x, t_x, t, True)


def _rows(
    labels: Labels,
    at: dict[int, Snapshot],
    fits: dict[int, tuple[PurchaseModel, PurchaseModel]],
    pairs: Sequence[tuple[int, int]],
    asked_days: int,
) -> Rows | None:
    """Each cut-off with the purchase models of what was known at it, and of its customers those asked about in life:
    the dormant, who may be many, would teach nothing but that they are dormant."""
    if not pairs:
        return None
    columns, left, customers, horizons, cutoffs, ages, repeats = [], [], [], [], [], [], []
    for cutoff, horizon in pairs:
        snapshot = at[cutoff]
        asked = asked_about(snapshot.inputs, asked_days)
        inputs = snapshot.inputs[asked]
        columns.append(design(inputs, float(horizon), *fits[cutoff]))
        left.append(labels.left(snapshot, horizon)[asked])
        customers.append(snapshot.customer[asked])
        horizons.append(np.full(len(inputs), horizon))
        cutoffs.append(np.full(len(inputs), cutoff))
        ages.append(inputs[:, len(DECLARED) + AGE])
        repeats.append(inputs[:, len(DECLARED) + REPEATS])
    return Rows(
        np.concatenate(columns),
        np.concatenate(left),
        np.concatenate(customers),
        np.concatenate(horizons),
        np.concatenate(cutoffs),
        np.concatenate(ages),
        np.concatenate(repeats),
    )


def _used(model: ChurnModel) -> list[int]:
    """Places in NAMES of the inputs whose drift is watched: the declared features used, and the rhythm figures, but for
    those that grow by themselves."""
    named = {*model.logistic.columns, *model.trees.columns}
    return [c for c, name in enumerate(NAMES) if stationary(name) and (name in named or c >= len(DECLARED))]
