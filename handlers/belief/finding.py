"""What a belief is asked to decide on, and what it answers."""

from collections.abc import Mapping
from typing import NamedTuple

from handlers.aggregates.snapshot import FeatureValues
from handlers.intake.customer_records import CustomerRecord
from schemas.alert import Alert


class Finding(NamedTuple):
    """What has been found of one customer at one place of the stream."""

    customer: str
    bits: int
    """Of bits.py or offers/triggers.py: one of the first, or one or several triggers."""
    at: int
    """When it is of, epoch ms."""
    now: int
    """When it is decided on, epoch ms: an alert that is over by then is not sent."""
    cause: Mapping[str, object]
    """The fields of Cause."""
    name: str
    """Tells its cause from any other of the customer's."""
    seen: FeatureValues | None = None
    """The features then; None of a customer record."""
    tier: int = 0
    """The customer's place among the policy's tiers, from 1; 0 is not known."""
    raised: int = 0
    """Due time of the churn alert that stood before, epoch ms; 0 is none. At CHURN_RISK that of the alert."""
    detail: object = None
    """What the kernel of the belief that it is of has written down beside."""
    original_id: str = ""
    """event_id of the transaction that is REVERSED."""
    record: CustomerRecord | None = None
    in_answer_to: str | None = None
    """alert_id of the alert that was sent for what it follows from."""


class Decided(NamedTuple):
    """What has come of a finding."""

    alerts: list[Alert]
    """To be sent, in their order."""
    follow_up: Finding | None = None
    """What every belief is asked next."""


class Decider:
    """Decides for one belief in one step of one partition. What changes of contact histories is in them."""

    def decide(self, finding: Finding) -> Decided:
        """Asked in the order of the stream, of findings that the belief takes (Belief.takes)."""
        raise NotImplementedError

    def counted(self) -> Mapping[str, int]:
        """What it has counted: fields of StepResult."""
        return {}

    def partition_row(self) -> bytes | None:
        """The partition's own row, where this has changed it."""
        return None
