"""What is decided of milestones."""

from handlers.belief.finding import Decided, Decider, Finding
from handlers.contact.history import SENT
from handlers.contact.open_histories import OpenHistories
from handlers.contact.rules import alert_blocked
from handlers.milestones.section import REACHED
from schemas.alert import Alert, Cause, Model, Reason, alert_id
from schemas.units import DAY_MS, rfc3339


class MilestoneDecider(Decider):
    """Takes REACHED and STAYS_AWAY."""

    def __init__(self, histories: OpenHistories) -> None:
        self._histories = histories

    def decide(self, finding: Finding) -> Decided:
        """See Decider."""
        customer, at, over = finding.customer, finding.at, finding.at + 7 * DAY_MS
        history, modes = self._histories.needed(customer, at), self._histories.modes(customer)
        rule = alert_blocked("milestone", history, at, over, finding.now, self._histories.policy, modes)
        if rule is None and modes["milestone"] != SENT:
            rule = "dry_run"
        if rule is not None:
            self._histories.suppress(history, at, rule)
            return Decided([])
        code = "visits_reached" if finding.bits & REACHED else "a_week_without"
        alert = Alert(
            alert_id=alert_id(customer, f"milestone.{code}", finding.name),
            kind="milestone",
            status="raised",
            customer_id=customer,
            raised_at=rfc3339(at),
            expires_at=rfc3339(over),
            horizon_days=7,
            reasons=[Reason(code, "Worth a word.")],
            cause=Cause(**finding.cause),  # type: ignore[arg-type]
            model=Model(name="milestones", version="1"),
        )
        return Decided([alert])
