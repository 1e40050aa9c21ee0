"""What is decided of offers: the best at a trigger, taken back when its reason has gone; customer records."""

from collections.abc import Mapping, Sequence

from handlers.belief.bits import CHURN_RISK, CUSTOMER_RECORD, RETURNED, REVERSED
from handlers.belief.finding import Decided, Decider, Finding
from handlers.contact.history import CONTROL, DRY, SENT, Contact, SuppressionReason, alert_bytes
from handlers.contact.open_histories import OpenHistories
from handlers.contact.quiet_hours import after_quiet
from handlers.offers import alerts as next_best_offer
from handlers.offers.arbitration import considered, in_time, judged, kept_back, ranked
from handlers.offers.counts import Ledger, share_of_budget
from handlers.offers.prefilter import Candidate
from handlers.offers.propensity import segment_of
from handlers.offers.responses import answered, customer_told, withdrawn
from handlers.offers.suppression import offer_blocked
from schemas.alert import Alert, alert_id
from schemas.customer_event import CustomerEvent
from schemas.offer import CONTACT_CHANNELS, Offer
from schemas.outcome import AlertOutcome


class OfferDecider(Decider):
    """Takes RETURNED, REVERSED, CUSTOMER_RECORD and triggers."""

    def __init__(
        self,
        histories: OpenHistories,
        candidates: Sequence[Candidate],
        offers: dict[str, Offer],
        partition_row: bytes,
        partition: int,
        partitions: int,
    ) -> None:
        """`candidates` are the catalogue's `offers`. Raises LayoutError for a `partition_row` of another version."""
        self.unfitting = 0
        """Triggers at which no offer fitted."""
        self.unmatched = 0
        """Outcomes of alerts that are not known, or no longer."""
        self._ledger = Ledger(partition_row)
        self._histories = histories
        self._candidates = candidates
        self._offers = offers
        self._partition, self._partitions = partition, partitions

    def decide(self, finding: Finding) -> Decided:
        """See Decider."""
        if finding.bits & CUSTOMER_RECORD:
            return Decided(self._recorded(finding))
        if finding.bits & RETURNED:
            return Decided(self._returned(finding))
        if finding.bits & REVERSED:
            return Decided(self._reversed(finding))
        return Decided(self._triggered(finding))

    def counted(self) -> Mapping[str, int]:
        """See Decider."""
        return {"unfitting": self.unfitting, "unmatched": self.unmatched}

    def partition_row(self) -> bytes | None:
        """See Decider."""
        return self._ledger.encoded() if self._ledger.changed else None

    def _returned(self, finding: Finding) -> list[Alert]:
        """What was offered to keep the customer is taken back."""
        customer, at = finding.customer, finding.at
        return [
            withdrawn(customer, contact, at, finding.cause, "returned")
            for contact in self._histories.of(customer).contacts
            if contact.churn_due == finding.raised and contact.mode == SENT and contact.offer_id and contact.stands(at)
        ]

    def _reversed(self, finding: Finding) -> list[Alert]:
        """The offer that the transaction brought is taken back."""
        customer, history = finding.customer, self._histories.of(finding.customer)
        if not history.contacts:
            return []
        key = alert_bytes(alert_id(customer, next_best_offer.RULE, finding.original_id))
        standing = [c for c in history.contacts if c.alert == key and c.offer_id and c.stands(finding.at)]
        return [withdrawn(customer, contact, finding.at, finding.cause, "reversed") for contact in standing]

    def _triggered(self, finding: Finding) -> list[Alert]:
        """One or several triggers have come at once: the best offer, if one fits and nothing keeps it back."""
        customer, bits, at, seen = finding.customer, finding.bits, finding.at, finding.seen
        assert seen is not None
        found = considered(self._candidates, bits, at, seen)
        if all(one.failed for one in found):
            self.unfitting += bool(found)
            return []
        histories, policy = self._histories, self._histories.policy
        history, modes = histories.needed(customer, at), histories.modes(customer)
        mode = modes["next_best_offer"]
        when = after_quiet(policy, history.zone, at)
        found = [one for one in found if in_time(one.offer, when)]
        if all(one.failed for one in found):
            return []

        def blocked(offer: Offer) -> SuppressionReason | None:
            budget = share_of_budget(offer, self._partitions, self._partition)
            return offer_blocked(offer, history, when, finding.now, policy, modes, self._ledger, budget)

        found = judged(found, blocked)
        if (kept := kept_back(found)) and kept.lost_by:
            histories.suppress(history, at, kept.lost_by, kept.offer.offer_id)
            return []
        segment = segment_of(seen, finding.tier)
        alert = alert_id(customer, next_best_offer.RULE, finding.name)
        key = alert_bytes(alert)
        order = ranked(found, bits, segment, key, policy, self._ledger)
        best = order[0].offer
        if rule := order[0].lost_by:
            histories.suppress(history, at, rule, best.offer_id)
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
            churn_due=finding.raised if bits & CHURN_RISK else 0,
            cooldown_days=best.cooldown_days,
        )
        history.contacts.append(contact)
        if mode == DRY:
            histories.suppress(history, at, "dry_run", best.offer_id)
            return []
        self._ledger.made(best.offer_id, segment, at, control=mode == CONTROL, catalogue=self._offers)
        if mode == CONTROL:
            histories.suppress(history, at, "control_group", best.offer_id)
            return []
        cause, answers = finding.cause, finding.in_answer_to
        return [next_best_offer.proposed(customer, alert, order, bits, at, when, cause, seen, answers)]

    def _recorded(self, finding: Finding) -> list[Alert]:
        """An outcome or a customer event has come: what it settles is taken back where it still stands."""
        assert finding.record is not None
        said, customer, at, cause = finding.record.said, finding.customer, finding.at, finding.cause
        history = self._histories.of(customer)
        if isinstance(said, CustomerEvent):
            return customer_told(customer, history, said, at, cause, self._ledger)
        if not isinstance(said, AlertOutcome):  # of a topic that another belief takes
            return []
        offer = self._offers.get(said.offer_id)
        code = said.offer_id if offer is None else offer.code
        known, alerts = answered(customer, history, said, code, at, cause, self._ledger)
        self.unmatched += not known
        return alerts
