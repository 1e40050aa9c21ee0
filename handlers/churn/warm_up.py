"""The kernels of the churn model compiled, into Numba's cache."""

import numpy as np

from handlers.churn.design_matrix import COLUMNS, design
from handlers.churn.inputs import NAMES, inputs_at
from handlers.churn.purchase_models import PurchaseModel
from handlers.churn.schedule import schedule_of
from handlers.churn.scoring import contributions, new_columns, score_rows, silence_rows
from schemas.policy import Policy


def compile_churn_kernels() -> None:
    """Uses each kernel once that a step without a model does not."""
    weights = schedule_of(None, Policy()).weights._replace(horizon=30.0, learned=30.0, purchase=np.ones((2, 4)))
    inputs, room = inputs_at([], 0), new_columns()
    score_rows(inputs, weights, room, np.empty(0))
    silence_rows(inputs, np.empty(0), weights.purchase, weights.logistic, room, np.empty(0))
    contributions(np.full(len(NAMES), np.nan), weights, room, np.empty(len(COLUMNS)))
    purchase = PurchaseModel(1.0, 1.0, 1.0, 1.0, False)
    design(inputs, 30.0, purchase, purchase)
