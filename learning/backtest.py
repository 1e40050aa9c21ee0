"""A model measured on what came after the split, beside simple baselines that knew as much as it did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression

from handlers.churn.inputs import AGE, DECLARED, FIRST_TO_LAST, NAMES, REPEATS
from handlers.churn.model import ChurnModel, Leaving, Measured, Scorer
from handlers.churn.purchase_models import alive, silent
from handlers.kernel.jit import F8, I8
from learning.churn_training import Trained, shortfall, train
from learning.detection import Detection, detect
from learning.history import History, HistoryError
from learning.label_plan import plan
from learning.leaving import SILENCE, Labels
from learning.metrics import Difference, Quality, auc_difference, log_loss_difference, quality
from learning.snapshots import Snapshot, snapshots
from schemas.units import DAY_MS, parse_rfc3339, rfc3339

_WINDOWED = tuple(
    name
    for name in NAMES
    if name.split("_")[0] in ("count", "in", "out") and name.endswith(("_30d", "_90d", "_180d", "_life"))
)
ROLLING = (*_WINDOWED, "recency_days", "age_days", "active_days_30d", "active_days_90d", "frequency")
"""Rolling and lifetime recency, frequency and money: what the logistic baseline sees."""


class LeakError(ValueError):
    """The model has seen what it is to be tested on."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to score, and how it did among all customers and among those active in the last horizon."""

    name: str
    score: F8
    is_probability: bool
    everybody: Quality
    active: Quality | None
    """None where too few are active, or all of them did the same."""
    auc_gain: Difference | None
    """The model's over this method's; None for the model itself."""
    log_loss_gain: Difference | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """All that was found; scores are (n,) in the order of `customers`."""

    model: ChurnModel
    split: int
    horizon_days: int
    customers: list[str]
    """Everybody seen before the split, by id."""
    score: F8
    left: F8
    active: F8
    money: F8
    """Moved by the customer before the split, minor units."""
    currency: str
    methods: list[Method]
    """The model first."""
    detection: Detection | None
    remarks: list[str]
    """What a reader must know to read the figures."""


def backtest(
    history: History,
    split: int,
    horizon_days: int,
    model: ChurnModel | None = None,
    leaving: Leaving = SILENCE,
    folded: Callable[[int], None] = lambda events: None,
    said: Callable[[str], None] = lambda text: None,
) -> Backtest:
    """Trains on what was known before `split` (epoch ms), or takes `model`, and measures on the horizon after it.

    Who has left is by `leaving`, or by the model's definition. Raises LeakError for a model that has seen the split, or
    is for another horizon or definition; HistoryError without a history.
    """
    remarks: list[str] = []
    known = history.until(split)
    if not len(known):
        raise HistoryError(f"there is no transaction before {rfc3339(split)}")
    if model is None:
        trained = train(known, split, horizon_days, leaving=leaving, folded=folded, said=said)
    else:
        if parse_rfc3339(model.training.until) > split:
            raise LeakError(f"the model has learned from days up to {model.training.until[:10]}, after the split")
        if model.horizon_days != horizon_days:
            raise LeakError(f"the model is for a horizon of {model.horizon_days} days, not {horizon_days}")
        if leaving not in (SILENCE, model.also):
            raise LeakError(f"the model is for another definition of leaving: {model.leaving}")
        trained = Trained(model, snapshots(known, [split], folded)[0])
    model, last = trained.model, trained.last
    if remark := shortfall(model):
        remarks.append(remark)
    scorer = Scorer(model)
    score = scorer.scores(last.inputs)
    left = Labels(history, model.also).left(last, horizon_days)
    recency = last.inputs[:, NAMES.index("recency_days")]
    active: F8 = (recency <= horizon_days).astype(np.float64)
    seen_days = (int(history.clock[-1]) - split) // DAY_MS + 1
    money = np.nan_to_num(last.inputs[:, NAMES.index("in_life")] + last.inputs[:, NAMES.index("out_life")])
    methods: list[Method] = []
    if seen_days < horizon_days:
        remarks.append(
            f"The history ends {max(seen_days, 0)} days after the split: who has left in {horizon_days} days is known"
            f" from {rfc3339(split + horizon_days * DAY_MS)[:10]} on, and nothing is measured before."
        )
    elif not 0 < left.sum() < len(left):
        remarks.append("All customers did the same after the split: there is nothing to measure.")
    else:
        said("comparing with baselines")
        longest = np.nan_to_num(recency, nan=1e6)
        x, t_x, age = (np.nan_to_num(last.inputs[:, len(DECLARED) + k]) for k in (REPEATS, FIRST_TO_LAST, AGE))
        scored = [
            ("model", score, True),
            ("calibrated logistic on rolling RFM", _rolling_logistic(known, last, split, model), True),
            ("MBG/NBD, P(no transaction)", silent(model.mbg_nbd, x, t_x, age, horizon_days), True),
            ("BG/NBD, P(no transaction)", silent(model.bg_nbd, x, t_x, age, horizon_days), True),
            ("MBG/NBD, 1 - P(alive)", 1.0 - alive(model.mbg_nbd, x, t_x, age), True),
            ("recency", longest, False),
        ]
        methods = [_method(*method, left=left, active=active, model=score) for method in scored]
    detection = None
    if methods:
        said("sweeping day by day for the time to detect")
        detection = detect(history, scorer, split, horizon_days, folded)
        if detection is None:
            remarks.append("Time to detect needs customers who left and who stayed both before and after the split.")
        everybody = methods[0].everybody
        measured = Measured(
            split=rfc3339(split),
            horizon_days=horizon_days,
            customers=len(left),
            left_share=float(left.mean()),
            auc=everybody.auc,
            average_precision=everybody.average_precision,
            brier=everybody.brier or 0.0,
            log_loss=everybody.log_loss or 0.0,
            calibration_error=everybody.calibration_error or 0.0,
            top_decile_lift=everybody.top_decile_lift,
        )
        model = _with(model, measured)
    order = np.argsort([history.customers[k] for k in last.customer.tolist()])
    names = [history.customers[k] for k in last.customer[order].tolist()]
    methods = [_reordered(method, order) for method in methods]
    return Backtest(
        model, split, horizon_days, names, score[order], left[order], active[order], money[order], history.currency,
        methods, detection, remarks,
    )  # fmt: skip


def predictions(customers: Sequence[str], score: F8) -> str:
    """CSV: customer_id, score. An id with a comma or a quote is quoted, as RFC 4180 has it."""
    lines = ["customer_id,score"]
    for customer, value in zip(customers, score.tolist(), strict=True):
        quoted = '"' + customer.replace('"', '""') + '"' if set(customer) & set(',"') else customer
        lines.append(f"{quoted},{value:.9f}")
    return "\n".join(lines) + "\n"


def _method(name: str, score: F8, is_probability: bool, left: F8, active: F8, model: F8) -> Method:
    known = left[active > 0]
    among = quality(known, score[active > 0], is_probability) if 0 < known.sum() < len(known) else None
    baseline = score is not model
    return Method(
        name,
        score,
        is_probability,
        quality(left, score, is_probability),
        among,
        auc_difference(left, model, score) if baseline else None,
        log_loss_difference(left, model, score) if baseline and is_probability else None,
    )


def _rolling_logistic(known: History, last: Snapshot, split: int, model: ChurnModel) -> F8:
    """A ridge logistic on ROLLING, at the cut-offs with the longest horizon that the plan has."""
    pairs = plan(int(known.clock[0]), split, model.horizon_days).pairs
    base = np.full(len(last.customer), 0.5)
    if not pairs:
        return base
    longest = max(horizon for _, horizon in pairs)
    cutoffs = sorted(cutoff for cutoff, horizon in pairs if horizon == longest)
    taken = snapshots(known, [*cutoffs, split], lambda events: None)[:-1]
    labels = Labels(known, model.also)
    y = np.concatenate([labels.left(snapshot, longest) for snapshot in taken])
    if len(np.unique(y)) < 2:
        return base
    places = [NAMES.index(name) for name in ROLLING]
    x = np.log1p(np.maximum(np.nan_to_num(np.concatenate([s.inputs for s in taken])[:, places]), 0.0))
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    fitted = LogisticRegression(max_iter=500).fit((x - mean) / spread, y)
    now = np.log1p(np.maximum(np.nan_to_num(last.inputs[:, places]), 0.0))
    scores: F8 = fitted.predict_proba((now - mean) / spread)[:, 1]
    return scores


def _with(model: ChurnModel, measured: Measured) -> ChurnModel:
    return msgspec.structs.replace(model, measured=measured)


def _reordered(method: Method, order: I8) -> Method:
    return replace(method, score=method.score[order])
