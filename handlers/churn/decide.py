"""What is decided of churn: alerts for customers on the way out, taken back when they are back."""

from handlers.belief.bits import CHURN_RISK, RETURNED, RUN_OFF
from handlers.belief.finding import Decided, Decider, Finding
from handlers.churn import alerts as by_model
from handlers.churn import rhythm
from handlers.churn.alerts import ScoredInputs
from handlers.churn.due import VALID_DAYS
from handlers.churn.model import ChurnModel, Scorer
from handlers.churn.run_off import run_off_mark
from handlers.contact.history import RETRACTED, SENT, sent_churn
from handlers.contact.open_histories import OpenHistories
from handlers.contact.rules import alert_blocked
from schemas.alert import Alert
from schemas.units import DAY_MS, rfc3339


class ChurnDecider(Decider):
    """Takes SILENT, RUN_OFF and RETURNED; a churn alert that was decided on is followed by CHURN_RISK."""

    def __init__(self, histories: OpenHistories, model: ChurnModel | None, scorer: Scorer | None) -> None:
        """Without a model own rhythm decides; `scorer` is the model's."""
        self._histories = histories
        self._model = model
        self._scorer = scorer

    def decide(self, finding: Finding) -> Decided:
        """See Decider."""
        if finding.bits & RETURNED:
            return Decided(self._returned(finding))
        if finding.bits & RUN_OFF:
            return self._at_risk(finding, run_off_mark(finding.at))
        return self._at_risk(finding, finding.at)

    def _returned(self, finding: Finding) -> list[Alert]:
        """The churn alert that was raised is taken back."""
        alerts = []
        for contact in self._histories.of(finding.customer).contacts:
            if contact.churn_due != finding.raised or contact.mode != SENT or contact.offer_id:
                continue
            since = max(finding.at, contact.made_at)  # a late event tells of a time before the alert
            contact.answer, contact.answered_at = RETRACTED, since
            alerts.append(by_model.retracted(finding.customer, finding.raised, since, finding.cause, self._model))
        return alerts

    def _at_risk(self, finding: Finding, due: int) -> Decided:
        """By the model where that has scored the customer, by own rhythm otherwise."""
        assert finding.seen is not None
        if self._scorer is not None and isinstance(finding.detail, ScoredInputs):
            alert = by_model.raised(finding.customer, due, finding.cause, finding.seen, finding.detail, self._scorer)
        else:
            alert = rhythm.raised(finding.customer, due, finding.cause, finding.seen)
        history, modes = self._histories.needed(finding.customer, due), self._histories.modes(finding.customer)
        alerts = []
        over, policy = due + VALID_DAYS * DAY_MS, self._histories.policy
        rule = alert_blocked("churn_risk", history, due, over, finding.now, policy, modes)
        if rule in ("expired", "history"):  # and with it whatever would keep the customer
            self._histories.suppress(history, due, rule)
            return Decided([])
        if rule is None:
            mode = modes["churn_risk"]
            history.contacts.append(sent_churn(due, mode, VALID_DAYS))
            if mode == SENT:
                alerts.append(alert)
            else:
                rule = "dry_run"
        if rule is not None:
            self._histories.suppress(history, due, rule)
        follow_up = finding._replace(
            bits=CHURN_RISK,
            at=due,
            name=rfc3339(due),
            raised=due,
            in_answer_to=alert.alert_id if alerts else None,
        )
        return Decided(alerts, follow_up)
