"""The churn model as arrays, and the kernels that score with them: one row at a time, also inside a step."""

from typing import NamedTuple

import numpy as np

from handlers.churn.design_matrix import BG, COLUMNS, LOGIT_MAX, MBG, SCALE, design_row, logit
from handlers.churn.forest import Forest, leaf_moves, leaf_sum
from handlers.churn.inputs import AGE, DECLARED, FIRST_TO_LAST, REPEATS
from handlers.churn.purchase_models import p_comes
from handlers.kernel.jit import F8, jit

_REPEATS, _AGE, _SPAN = len(DECLARED) + REPEATS, len(DECLARED) + AGE, len(DECLARED) + FIRST_TO_LAST
_COLUMNS = len(COLUMNS)
_ROUNDING = 1e-6
"""Sums of leaves in another order may be apart by far less."""


class LinearMember(NamedTuple):
    """A Linear as arrays over all the columns; weight 0 where a column isn't used."""

    intercept: float
    offset: float
    mean: F8
    scale: F8
    weight: F8


class Weights(NamedTuple):
    """A whole model."""

    horizon: float
    """Days."""
    learned: float
    """Days of the longest horizon that the members have learned, at which they are asked; at most `horizon`."""
    youngest: float
    """Age in days from which a silence is judged."""
    purchase: F8
    blend: F8
    corrected: LinearMember
    logistic: LinearMember
    forest: Forest
    trees_intercept: float
    carry: float
    """How much of the way from `learned` to `horizon` the purchase models are followed, 0 to 1."""
    repeats_min: float
    mean_gap_days_max: float
    """Whose silence is judged, see ChurnModel."""


@jit
def standard(value: float, mean: float, scale: float) -> float:
    """In spreads from the mean, held within 6; 0 where missing."""
    z = (value - mean) * scale
    return float(min(max(z, -6.0), 6.0) if z == z else 0.0)


@jit
def _linear(row: F8, line: LinearMember) -> float:
    total = line.intercept + line.offset * 0.5 * (row[BG] + row[MBG])
    for c in range(row.shape[0]):
        if line.weight[c] != 0.0:
            total += line.weight[c] * standard(row[c], line.mean[c], line.scale[c])
    return float(total)


@jit
def carried(z: float, repeats: float, age: float, purchase: F8, learned: float, horizon: float) -> float:
    """Log odds of no transaction in the horizon, from those of none in the part of it that was learned.

    P(comes) = P(alive) P(comes | alive), and P(alive) is no matter of the horizon: so P(comes) grows as P(comes |
    alive) does by the purchase models. Who comes more surely than that is alive, and P(silent) shrinks as theirs.
    """
    x = repeats if repeats == repeats else 0.0
    t = age if age == age else 0.0
    early = late = 0.0
    for m in range(2):
        r, alpha = purchase[m, 0], purchase[m, 1]
        early += 0.5 * p_comes(r, alpha, x, t, learned)
        late += 0.5 * p_comes(r, alpha, x, t, horizon)
    silent = 1.0 / (1.0 + np.exp(-z))
    if 1.0 - silent <= early:
        return logit(1.0 - (1.0 - silent) * late / early)
    return logit(silent * (1.0 - late) / (1.0 - early))


@jit
def _at_horizon(z: float, inputs: F8, weights: Weights) -> float:
    if weights.learned >= weights.horizon or weights.carry == 0.0:
        return z
    repeats, age = inputs[_REPEATS], inputs[_AGE]
    whole = carried(z, repeats, age, weights.purchase, weights.learned, weights.horizon)
    return float(z + weights.carry * (whole - z))


@jit
def carried_rows(z: F8, repeats: F8, age: F8, purchase: F8, learned: float, horizon: float, out: F8) -> None:
    """`carried` of each customer, all (n,)."""
    for k in range(z.shape[0]):
        out[k] = carried(z[k], repeats[k], age[k], purchase, learned, horizon)


def new_columns() -> F8:
    """Room for the columns of one customer, and for what the trees make of them."""
    return np.zeros(3 * _COLUMNS)


@jit
def _without_trees(inputs: F8, weights: Weights, row: F8) -> float:
    """What the linear members say; writes the columns into `row`."""
    design_row(inputs, weights.learned, weights.purchase, SCALE, row)
    blend = weights.blend
    return float(blend[0] + blend[1] * _linear(row, weights.corrected) + blend[2] * _linear(row, weights.logistic))


@jit
def _with_trees(z: float, inputs: F8, weights: Weights, room: F8) -> float:
    leaves = leaf_sum(room[:_COLUMNS], weights.forest, room[_COLUMNS:])
    return _at_horizon(z + weights.blend[3] * (weights.trees_intercept + leaves), inputs, weights)


@jit
def log_odds(inputs: F8, weights: Weights, room: F8) -> float:
    """Log odds of leaving of one customer's inputs, (inputs,). `room` is of new_columns."""
    return _with_trees(_without_trees(inputs, weights, room[:_COLUMNS]), inputs, weights, room)


@jit
def reach(inputs: F8, weights: Weights, room: F8, level: float) -> bool:
    """Whether log_odds are at or above `level`: mostly no, and known without walking a tree, as no sum of leaves would
    take them there. What is carried to the horizon rises with what was said before."""
    z = _without_trees(inputs, weights, room[:_COLUMNS])
    forest, share = weights.forest, weights.blend[3]
    most = z + share * (weights.trees_intercept + (forest.most if share >= 0.0 else forest.least))
    if _at_horizon(most, inputs, weights) < level - _ROUNDING:
        return False
    return _with_trees(z, inputs, weights, room) >= level


@jit
def judged(inputs: F8, weights: Weights) -> bool:
    """Whether the customer comes often enough for a silence to be judged."""
    repeats = inputs[_REPEATS]
    return bool(repeats >= weights.repeats_min and inputs[_SPAN] <= weights.mean_gap_days_max * max(repeats, 1.0))


@jit
def contributions(inputs: F8, weights: Weights, room: F8, moved: F8) -> float:
    """Writes what each column moves the log odds into `moved`, (columns,); returns those that nothing has moved."""
    row, sides = room[:_COLUMNS], room[_COLUMNS:]
    design_row(inputs, weights.learned, weights.purchase, SCALE, row)
    blend = weights.blend
    moved[:] = 0.0
    base = blend[0] + blend[3] * (weights.trees_intercept + leaf_moves(row, weights.forest, sides, moved))
    moved *= blend[3]
    base += _line_moves(row, weights.corrected, blend[1], moved)
    base += _line_moves(row, weights.logistic, blend[2], moved)
    z = base + moved.sum()
    moved[BG] += _at_horizon(z, inputs, weights) - z
    return float(base)


@jit
def _line_moves(row: F8, line: LinearMember, share: float, moved: F8) -> float:
    for c in range(row.shape[0]):
        if line.weight[c] != 0.0:
            moved[c] += share * line.weight[c] * standard(row[c], line.mean[c], line.scale[c])
    moved[BG] += share * line.offset * 0.5 * row[BG]
    moved[MBG] += share * line.offset * 0.5 * row[MBG]
    return float(share * line.intercept)


@jit
def score_rows(inputs: F8, weights: Weights, room: F8, out: F8) -> None:
    """Log odds of each customer, (n,), for inputs (n, inputs)."""
    for k in range(inputs.shape[0]):
        out[k] = log_odds(inputs[k], weights, room)


@jit
def silence_rows(inputs: F8, horizon: F8, purchase: F8, line: LinearMember, room: F8, out: F8) -> None:
    """Log odds that a gap lasts another horizon[k] days, (n,)."""
    row = room[:_COLUMNS]
    for k in range(inputs.shape[0]):
        if horizon[k] <= 0.0:
            out[k] = LOGIT_MAX
        else:
            design_row(inputs[k], horizon[k], purchase, SCALE, row)
            out[k] = _linear(row, line)
