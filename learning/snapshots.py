"""Every customer's inputs at several cut-offs, from one pass of the history through the engine, and what came after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from handlers.churn.inputs import inputs_at
from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.kernel.jit import F8, I8, NONE
from handlers.state.row_table import LEDGER
from learning.history import History
from schemas.units import DAY_MS

_STEP = 20_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known of the n customers seen before `at`."""

    at: int
    """Epoch ms."""
    customer: I8
    """Places in History.customers, ascending, (n,)."""
    inputs: F8
    """(n, inputs)."""


def snapshots(
    history: History, cutoffs: Sequence[int], progress: Callable[[int], None], taken: Callable[[I8], I8] | None = None
) -> list[Snapshot]:
    """One for each cut-off (epoch ms, ascending). Events from a cut-off on change nothing in its snapshot.

    `progress` is told the number of events folded so far. All but the last hold only the customers that
    `taken` keeps of those seen.
    """
    engine, rules = Engine("history"), Rules()
    rows: dict[str, bytes] = {}
    index_of = {name: number for number, name in enumerate(history.customers)}
    at_cutoffs, done = [], 0
    for cutoff in cutoffs:
        known = int(np.searchsorted(history.clock, cutoff))
        while done < known:
            stop = min(done + _STEP, known)
            rows.update(engine.step(partition_input(0, history.batch(done, stop), rows), rules).rows)
            done = stop
            progress(done)
        customers = np.sort(np.array([index_of[name] for name in rows if name != LEDGER], np.int64))
        if taken is not None and cutoff != cutoffs[-1]:
            customers = taken(customers)
        names = history.customers
        inputs = inputs_at([rows[names[k]] for k in customers.tolist()], cutoff)
        at_cutoffs.append(Snapshot(cutoff, customers, inputs))
    return at_cutoffs


def silent_within(history: History, snapshot: Snapshot, horizon_days: int) -> F8:
    """1 where the customer made no transaction in the horizon after the snapshot, else 0, (n,)."""
    after = history.own().next_after(snapshot.customer, snapshot.at)
    silent: F8 = ((after == NONE) | (after >= snapshot.at + horizon_days * DAY_MS)).astype(np.float64)
    return silent
