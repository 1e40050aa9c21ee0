"""All kernels of handlers/ compiled, into Numba's cache: that takes long where they are not in it,
and no batch should wait."""

import numpy as np

from handlers.churn.warm_up import compile_churn_kernels
from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.intake.dedup import BLOCK, Arrivals, DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.state.row_arena import HEAD, RowArena


def compile_kernels() -> None:
    """Uses each kernel once."""
    seen = DuplicateFilter(17 * BLOCK, 0, {})
    batch = TransactionIntake("transactions", "EUR", {}).batch(0, [Record(0, 0, None, None, 0)], StreamTime(), seen)
    seen.sift(Arrivals.simple(np.arange(1, BLOCK + 1), np.ones(BLOCK, np.int64)), StreamTime())
    StreamTime().held(0)
    StreamTime().heartbeat(1)
    outcome = Engine("transactions").step(partition_input(0, batch, {}), Rules())
    arena = RowArena(HEAD)
    arena.put(0, outcome.rows)
    arena.held(0)
    arena.forget(arena.find(0, outcome.rows.ids))
    arena.drop(0)
    compile_churn_kernels()
