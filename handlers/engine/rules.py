"""What the bank has decided: the offers, the policy, and what both need to be applied alike by every worker."""

from dataclasses import dataclass

from handlers.churn.model import ChurnModel
from schemas.offer import Offer
from schemas.policy import Policy

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
