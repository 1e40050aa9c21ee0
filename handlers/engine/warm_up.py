"""All kernels of handlers/ compiled, into Numba's cache: that takes long where they are not in it,
and no batch should wait."""

import numpy as np

from handlers.churn.design_matrix import COLUMNS, design
from handlers.churn.inputs import NAMES, inputs_at
from handlers.churn.purchase_models import PurchaseModel
from handlers.churn.schedule import watch_of
from handlers.churn.scoring import moves, new_columns, score_rows, silence_rows
from handlers.engine.engine import Engine, Rules
from handlers.engine.step_input import part_of
from handlers.intake.dedup import SEGMENT, Seen
from handlers.intake.events import Record
from handlers.intake.transactions import Intake
from handlers.state.row_arena import HEAD, Arena
from schemas.policy import Policy


def compile_kernels() -> None:
    """Uses each kernel once."""
    seen = Seen(17 * SEGMENT, 0, {})
    batch = Intake("transactions", "EUR", {}).batch(0, [Record(0, 0, None, None, 0)], 0, seen)
    seen.sift(np.arange(1, SEGMENT + 1), np.zeros(SEGMENT, np.int64), 0)
    outcome = Engine("transactions").step(part_of(0, batch, {}), Rules())
    arena = Arena(HEAD)
    arena.put(0, outcome.rows)
    arena.held(0)
    arena.forget(arena.find(0, outcome.rows.ids))
    arena.drop(0)
    weights = watch_of(None, Policy()).weights._replace(horizon=30.0, learned=30.0, purchase=np.ones((2, 4)))
    inputs, room = inputs_at([], 0), new_columns()
    score_rows(inputs, weights, room, np.empty(0))
    silence_rows(inputs, np.empty(0), weights.purchase, weights.logistic, room, np.empty(0))
    moves(np.full(len(NAMES), np.nan), weights, room, np.empty(len(COLUMNS)))
    purchase = PurchaseModel(1.0, 1.0, 1.0, 1.0, False)
    design(inputs, 30.0, purchase, purchase)
