"""The contact histories of one partition's customers in one step: opened when they are asked for, changed in place."""

from collections import Counter
from collections.abc import Callable, Mapping

from handlers.contact.history import ContactHistory, SuppressionReason, history_of
from handlers.contact.rules import Modes, modes_of
from schemas.offer import Offer
from schemas.policy import Policy


class OpenHistories:
    """What all beliefs of the step decide over."""

    def __init__(
        self, stored: Callable[[str], bytes], policy: Policy, control_key: bytes, offers: dict[str, Offer]
    ) -> None:
        """`stored` gives a customer's history as it is stored; `offers` are those of the catalogue, by id."""
        self.policy = policy
        self.suppressed: Counter[SuppressionReason] = Counter()
        """Alerts that were not sent, by rule."""
        self._stored = stored
        self._control_key = control_key
        self._offers = offers
        self._open: dict[str, ContactHistory] = {}

    def of(self, customer: str) -> ContactHistory:
        """As it is now, to be changed."""
        found = self._open.get(customer)
        if found is None:
            found = self._open[customer] = history_of(self._stored(customer))
        return found

    def needed(self, customer: str, at: int) -> ContactHistory:
        """As `of`, without what no rule can ask for at `at` (epoch ms) or later."""
        history = self.of(customer)
        history.forget(at, self.policy, self._offers)
        return history

    def modes(self, customer: str) -> Modes:
        """How an alert about the customer would be made."""
        return modes_of(customer, self.policy, self._control_key)

    def suppress(self, history: ContactHistory, at: int, rule: SuppressionReason, offer_id: str = "") -> None:
        """Remembers and counts what was not sent; a churn alert has no offer_id."""
        history.suppress(at, rule, offer_id)
        self.suppressed[rule] += 1

    def encoded(self) -> Mapping[str, bytes]:
        """Those that were opened, by customer."""
        return {customer: history.encoded() for customer, history in self._open.items()}
