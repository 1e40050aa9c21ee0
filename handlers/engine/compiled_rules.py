"""The bank's rules as a step reads them: looked up and laid out once, until they change."""

from typing import NamedTuple

import numpy as np

from handlers.churn.model import ChurnModel, Scorer
from handlers.churn.schedule import Watch, watch_of
from handlers.engine.rules import Rules
from handlers.kernel.jit import I8
from handlers.offers.candidates import Waiting, waiting_of
from handlers.offers.prefilter import Screen, screen_of
from handlers.offers.triggers import RETURNED


class Prepared(NamedTuple):
    """For the kernel, and for the decisions after it."""

    waiting: list[Waiting]
    screen: Screen
    wanted: int
    """Bits of the moments that anything waits for."""
    tiers: I8
    scorer: Scorer | None
    challenger: Scorer | None
    watch: Watch


def prepared(rules: Rules, before: Prepared | None = None) -> Prepared:
    """Models that were prepared `before` are not laid out again: that takes as long as a few batches."""
    waiting = waiting_of(rules.offers)
    scorer = _scorer(rules.churn, None if before is None else before.scorer)
    challenger = _scorer(rules.challenger, None if before is None else before.challenger)
    wanted = RETURNED
    for one in waiting:
        wanted |= one.bits
    return Prepared(
        waiting,
        screen_of(waiting),
        wanted,
        np.array(rules.policy.tiers_minor, np.int64),
        scorer,
        challenger,
        watch_of(None if scorer is None else scorer.weights, rules.policy, noted=challenger is not None),
    )


def _scorer(model: ChurnModel | None, before: Scorer | None) -> Scorer | None:
    if model is None:
        return None
    return before if before is not None and before.model is model else Scorer(model)
