"""`tracker` with one more input topic: `python -m tests.one_more_topic ARGUMENTS`.

What stands here is what a topic brings, part by part: whatever else the program does for it follows from its row.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from handlers.intake import inputs
from schemas.transaction import CUSTOMER_ID_LENGTH, Moment
from schemas.units import DAY_MS, parse_rfc3339, rfc3339


# schemas/branch_visit.py
class BranchVisit(msgspec.Struct, frozen=True):
    """A customer has been in a branch."""

    customer_id: Annotated[str, Meta(min_length=1, max_length=CUSTOMER_ID_LENGTH)]
    occurred_at: Moment
    about: Literal["advice", "complaint"]


EXAMPLE = BranchVisit("C-1001", parse_rfc3339("2026-01-02T10:00:00Z"), "advice")


# handlers/intake/inputs.py
BRANCH_VISITS = inputs.InputTopic(
    name="branch_visits",
    topic="branch-visits",
    schema=BranchVisit,
    effect=inputs.Effect.AFTER_EARLIER,
    read_for="who has been in a branch",
    documented=inputs.Documented("branchVisit", "A visit", "Who has been in a branch.", "Somebody has.", (EXAMPLE,)),
    counted="Visits to branches",
    label="about",
    label_says="what they were about",
)
inputs.INPUTS += (BRANCH_VISITS,)
inputs.SIDE_INPUTS = inputs.INPUTS[1:]

# from here on the program is imported, which loops over the rows
from commands.main import run  # noqa: E402
from handlers.belief.bits import CUSTOMER_RECORD  # noqa: E402
from handlers.belief.finding import Decided, Decider, Finding  # noqa: E402
from handlers.belief.section import Section  # noqa: E402
from handlers.churn import rhythm  # noqa: E402
from handlers.engine import beliefs, engine  # noqa: E402
from schemas.alert import Alert, Cause, Reason, alert_id  # noqa: E402


# handlers/visits/decide.py, or the decider of a belief that is there
class VisitDecider(Decider):
    """Whoever complains may be leaving."""

    def decide(self, finding: Finding) -> Decided:
        """See Decider."""
        assert finding.record is not None
        said = finding.record.said
        if not isinstance(said, BranchVisit) or said.about != "complaint":
            return Decided([])
        return Decided([_complained(finding.customer, finding.at, finding.cause)])


def _complained(customer: str, at: int, cause: Mapping[str, object]) -> Alert:
    return Alert(
        alert_id=alert_id(customer, "complaint", rfc3339(at)),
        kind="churn_risk",
        status="raised",
        customer_id=customer,
        raised_at=rfc3339(at),
        expires_at=rfc3339(at + DAY_MS),
        horizon_days=1,
        reasons=[Reason("complaint", "Has complained in a branch.")],
        cause=msgspec.convert(cause, Cause),
        model=rhythm.MODEL,
    )


# handlers/engine/beliefs.py
VISITS = beliefs.Belief("visits", Section(7, ()), (), CUSTOMER_RECORD, lambda _: VisitDecider())
engine.deciders = partial(beliefs.deciders, beliefs=(*beliefs.BELIEFS, VISITS))

if __name__ == "__main__":
    run(prog_name="tracker")
