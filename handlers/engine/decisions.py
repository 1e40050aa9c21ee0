"""Deciding on what one step has found, in the order of the stream: over contact histories and the ledger."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from handlers.aggregates.snapshot import FeatureValues
from handlers.churn import alerts as churn
from handlers.churn import rhythm
from handlers.churn.alerts import ScoredInputs
from handlers.churn.due import VALID_DAYS
from handlers.churn.model import Scorer
from handlers.churn.run_off import run_off_mark
from handlers.contact.history import (
    CONTROL,
    DRY,
    RETRACTED,
    SENT,
    Contact,
    ContactHistory,
    SuppressionReason,
    alert_bytes,
    history_of,
    sent_churn,
)
from handlers.contact.quiet_hours import after_quiet
from handlers.contact.rules import churn_blocked, modes_of
from handlers.engine.rules import Rules
from handlers.intake.customer_records import CustomerRecord
from handlers.offers import alerts as next_best_offer
from handlers.offers.arbitration import considered, in_time, judged, kept_back, ranked
from handlers.offers.counts import Ledger, share_of_budget
from handlers.offers.prefilter import Candidate
from handlers.offers.propensity import segment_of
from handlers.offers.responses import answered, customer_told, withdrawn
from handlers.offers.suppression import offer_blocked
from handlers.offers.triggers import CHURN_RISK
from schemas.alert import Alert, alert_id
from schemas.customer_event import CustomerEvent
from schemas.offer import CONTACT_CHANNELS, Offer
from schemas.units import DAY_MS, rfc3339


class Decisions:
    """Of one step. Every method returns the alerts to send; what was changed is in `history` and `ledger`."""

    def __init__(
        self,
        topic: str,
        partition: int,
        rules: Rules,
        ledger: Ledger,
        tail: Callable[[str], bytes],
        candidates: Sequence[Candidate],
        scorer: Scorer | None = None,
    ) -> None:
        """`tail` gives a customer's contact history as it is stored; `candidates` are the rules' offers, `scorer` has
        their churn model."""
        self.history: dict[str, ContactHistory] = {}
        self.ledger = ledger
        self.suppressed: Counter[SuppressionReason] = Counter()
        """Alerts that were not sent, by rule."""
        self.now = 0
        """When what is decided now is decided, epoch ms: an alert that is over by then is not sent."""
        self.unfitting = 0
        """Moments at which no offer fitted."""
        self.unmatched = 0
        """Outcomes of alerts that are not known, or no longer."""
        self._where: dict[str, object] = {"topic": topic, "partition": partition}
        self._partition = partition
        self._rules = rules
        self._candidates = candidates
        self._offers = {one.offer.offer_id: one.offer for one in candidates}
        self._tail = tail
        self._scorer = scorer

    def silent(
        self, customer: str, due: int, seen: FeatureValues, tier: int, judged: ScoredInputs | None = None
    ) -> list[Alert]:
        """A customer's silence has become unusual: a churn alert, and an offer to keep them.

        It is by the model where that has judged, by own rhythm otherwise.
        """
        cause = {"due_at": rfc3339(due)}
        if judged is None or self._scorer is None:
            alert = rhythm.raised(customer, due, self._where, seen)
        else:
            alert = churn.raised(customer, due, {**self._where, **cause}, seen, judged, self._scorer)
        return self._at_risk(alert, due, cause, seen, tier)

    def runs_off(
        self, customer: str, at: int, cause: Mapping[str, object], seen: FeatureValues, tier: int, judged: ScoredInputs
    ) -> list[Alert]:
        """An event has shown that a customer who is active is on the way out: a churn alert, and an offer to keep them.

        `cause` as for `moment`.
        """
        assert self._scorer is not None
        due = run_off_mark(at)
        alert = churn.raised(customer, due, {**self._where, **cause}, seen, judged, self._scorer)
        return self._at_risk(alert, due, cause, seen, tier)

    def returned(self, customer: str, due: int, at: int, cause: Mapping[str, object]) -> list[Alert]:
        """The customer whose churn alert was raised at `due` is back: it is taken back, and what was offered for it.

        `cause` as for `moment`.
        """
        alerts = []
        cause = {**self._where, **cause}
        for contact in self._of(customer).contacts:
            if contact.churn_due != due or contact.mode != SENT:
                continue
            if not contact.offer_id:
                since = max(at, contact.made_at)  # a late event tells of a time before the alert
                contact.answer, contact.answered_at = RETRACTED, since
                alerts.append(churn.retracted(customer, due, since, cause, self._rules.churn))
            elif contact.stands(at):
                alerts.append(withdrawn(customer, contact, at, cause, "returned"))
        return alerts

    def reversed(self, customer: str, original_id: str, at: int, cause: Mapping[str, object]) -> list[Alert]:
        """The transaction of that event_id has been reversed: an offer that it brought is taken back.

        `cause` as for `moment`.
        """
        history = self._of(customer)
        key = alert_bytes(alert_id(customer, next_best_offer.RULE, original_id)) if history.contacts else b""
        standing = [c for c in history.contacts if c.alert == key and c.offer_id and c.stands(at)]
        return [withdrawn(customer, contact, at, {**self._where, **cause}, "reversed") for contact in standing]

    def moment(
        self,
        customer: str,
        bits: int,
        at: int,
        cause: Mapping[str, object],
        name: str,
        seen: FeatureValues,
        tier: int,
        churn_due: int = 0,
        in_answer_to: str | None = None,
    ) -> list[Alert]:
        """One or several moments have come at once: the best offer, if one fits and nothing keeps it back.

        `cause` has the fields of Cause that tell when; `name` tells it from any other cause.
        """
        rules, found = self._rules, considered(self._candidates, bits, at, seen)
        if all(one.failed for one in found):
            self.unfitting += bool(found)
            return []
        history, modes = self._of(customer), modes_of(customer, rules.policy, rules.control_key)
        history.forget(at, rules.policy, self._offers)
        mode = modes["next_best_offer"]
        when = after_quiet(rules.policy, history.zone, at)
        found = [one for one in found if in_time(one.offer, when)]
        if all(one.failed for one in found):
            return []

        def blocked(offer: Offer) -> SuppressionReason | None:
            budget = share_of_budget(offer, rules.partitions, self._partition)
            return offer_blocked(offer, history, when, self.now, rules.policy, modes, self.ledger, budget)

        found = judged(found, blocked)
        if kept := kept_back(found):
            self._suppress(history, at, kept.lost_by, kept.offer.offer_id)
            return []
        segment = segment_of(seen, tier)
        alert = alert_id(customer, next_best_offer.RULE, name)
        key = alert_bytes(alert)
        order = ranked(found, bits, segment, key, rules.policy, self.ledger)
        best = order[0].offer
        if rule := order[0].lost_by:
            self._suppress(history, at, rule, best.offer_id)
            return []
        channel = CONTACT_CHANNELS.index(best.channel)
        contact = Contact(
            key,
            best.offer_id,
            best.code,
            at,
            when - at,
            best.valid_days,
            channel,
            mode,
            segment,
            churn_due=churn_due,
            cooldown_days=best.cooldown_days,
        )
        history.contacts.append(contact)
        if mode == DRY:
            self._suppress(history, at, "dry_run", best.offer_id)
            return []
        self.ledger.made(best.offer_id, segment, at, control=mode == CONTROL, catalogue=self._offers)
        if mode == CONTROL:
            self._suppress(history, at, "control_group", best.offer_id)
            return []
        cause = {**self._where, **cause}
        return [next_best_offer.proposed(customer, alert, order, bits, at, when, cause, seen, in_answer_to)]

    def note(self, note: CustomerRecord) -> list[Alert]:
        """An outcome or a customer event has arrived: what it settles is taken back where it still stands."""
        customer = note.said.customer_id
        cause: dict[str, object] = {**self._where, "topic": note.topic, "offset": note.offset}
        if isinstance(note.said, CustomerEvent):
            cause["event_id"] = note.said.event_id
            return customer_told(customer, self._of(customer), note.said, note.at, cause, self.ledger)
        offer = self._offers.get(note.said.offer_id)
        code = note.said.offer_id if offer is None else offer.code
        known, alerts = answered(customer, self._of(customer), note.said, code, note.at, cause, self.ledger)
        self.unmatched += not known
        return alerts

    def _at_risk(
        self, alert: Alert, due: int, cause: Mapping[str, object], seen: FeatureValues, tier: int
    ) -> list[Alert]:
        customer = alert.customer_id
        history, modes = self._of(customer), modes_of(customer, self._rules.policy, self._rules.control_key)
        history.forget(due, self._rules.policy, self._offers)
        alerts = []
        rule = churn_blocked(history, due, due + VALID_DAYS * DAY_MS, self.now, self._rules.policy, modes)
        if rule in ("expired", "history"):  # and with it whatever would keep the customer
            self._suppress(history, due, rule, "")
            return []
        if rule is None:
            mode = modes["churn_risk"]
            history.contacts.append(sent_churn(due, mode, VALID_DAYS))
            if mode == SENT:
                alerts.append(alert)
            else:
                rule = "dry_run"
        if rule is not None:
            self._suppress(history, due, rule, "")
        return alerts + self.moment(
            customer, CHURN_RISK, due, cause, rfc3339(due), seen, tier, due, alert.alert_id if alerts else None
        )

    def _of(self, customer: str) -> ContactHistory:
        found = self.history.get(customer)
        if found is None:
            found = self.history[customer] = history_of(self._tail(customer))
        return found

    def _suppress(self, history: ContactHistory, at: int, rule: SuppressionReason | None, offer_id: str) -> None:
        assert rule is not None
        history.suppress(at, rule, offer_id)
        self.suppressed[rule] += 1
