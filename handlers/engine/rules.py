"""What the bank has decided: the offers, the policy, and what both need to be applied alike by every worker; and how a
step reads it, looked up and laid out once until it changes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from handlers.belief.bits import RETURNED, REVERSED
from handlers.churn.model import ChurnModel, Scorer
from handlers.churn.schedule import SilenceSchedule, schedule_of
from handlers.kernel.jit import I8
from handlers.offers.prefilter import Candidate, Prefilter, candidates_of, prefilter_of
from schemas.offer import Offer
from schemas.policy import Policy
from schemas.units import HOUR_MS

_NO_POLICY = Policy()


@dataclass(slots=True, frozen=True)
class Rules:
    """Input of every step. The same rules and the same stream give the same decisions."""

    offers: tuple[Offer, ...] = ()
    policy: Policy = _NO_POLICY
    partitions: int = 1
    """Over which budgets are divided."""
    control_key: bytes = b""
    """At most 64 bytes. Who knows it can tell who is in the control group."""
    churn: ChurnModel | None = None
    """Says who is about to leave; without one own rhythm does."""
    challenger: ChurnModel | None = None
    """Is asked what `churn` is asked, and decides nothing."""
    currency: str = "EUR"
    """The base currency, that of every amount in the rows and in what alerts say."""


class CompiledRules(NamedTuple):
    """For the kernel, and for the decisions after it."""

    candidates: list[Candidate]
    offers: dict[str, Offer]
    """By offer_id."""
    screen: Prefilter
    wanted: int
    """Bits of the moments that anything waits for."""
    tiers: I8
    scorer: Scorer | None
    challenger: Scorer | None
    watch: SilenceSchedule
    wait: int
    """How long after a due time it is looked at, ms."""


def compiled(rules: Rules, before: CompiledRules | None = None) -> CompiledRules:
    """Models that were prepared `before` are not laid out again: that takes as long as a few batches."""
    candidates = candidates_of(rules.offers, rules.currency)
    scorer = _scorer(rules.churn, None if before is None else before.scorer)
    challenger = _scorer(rules.challenger, None if before is None else before.challenger)
    wanted = RETURNED | REVERSED
    for one in candidates:
        wanted |= one.bits
    return CompiledRules(
        candidates,
        {one.offer_id: one for one in rules.offers},
        prefilter_of(candidates),
        wanted,
        np.array(rules.policy.tiers_minor, np.int64),
        scorer,
        challenger,
        schedule_of(None if scorer is None else scorer.weights, rules.policy, noted=challenger is not None),
        rules.policy.settle_hours * HOUR_MS,
    )


def _scorer(model: ChurnModel | None, before: Scorer | None) -> Scorer | None:
    if model is None:
        return None
    return before if before is not None and before.model is model else Scorer(model)
