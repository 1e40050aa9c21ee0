"""The input topics, a row each. Settings, offsets, commits, metrics and documents loop over these rows: a new topic is
its schema, a row here, and the belief that takes its records (CUSTOMER_RECORD in handlers/belief/bits.py)."""

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, Protocol, get_args, get_type_hints

from handlers.intake.record_rules import violation_of_event, violation_of_outcome
from handlers.intake.validation import Violation
from schemas import customer_event, outcome
from schemas.customer_event import CustomerEvent
from schemas.outcome import AlertOutcome
from schemas.transaction import Moment, Transaction


class Effect(Enum):
    """When a record takes effect among the transactions of its batch."""

    IN_STREAM_ORDER = "in stream order"
    """They are the stream: the transactions alone."""
    AFTER_EARLIER = "after the transactions written before it"
    """By Kafka's timestamps. It waits until those have been read."""
    AFTER_ALL = "after all of them"


class OfCustomer(Protocol):
    """What the record of every topic beside the transactions has, whatever else its schema says."""

    @property
    def customer_id(self) -> str:
        """The same as the record's key."""

    @property
    def occurred_at(self) -> Moment:
        """Does not move stream time."""


class Documented(NamedTuple):
    """How the AsyncAPI document tells of a topic."""

    message: str
    """The key of its message there."""
    title: str
    about: str
    received: str
    """What it means that a record has come."""
    examples: tuple[Any, ...] = ()
    """Records; those of transactions stand beside the alerts that they lead to (commands/examples.py)."""


class InputTopic(NamedTuple):
    """One input topic. Its partition p belongs to whoever owns partition p of the transactions."""

    name: str
    """Of its setting (topic_<name>), of its offset in Redis and of its metric (tracker_<name>_total): never changed."""
    topic: str
    """What the setting is by default. Lines of files say it in their field `record`, whatever the setting is."""
    schema: type[Any]
    """A msgspec.Struct; of topics beside the transactions an OfCustomer."""
    effect: Effect
    read_for: str
    """What is read there, in the words of the setting."""
    documented: Documented
    violation: Callable[[Any], Violation | None] = lambda record: None
    """The first rule beyond its schema that a record breaks."""
    counted: str = ""
    """What its records are, where metric and dashboard count them; empty for transactions, counted in many ways."""
    label: str = ""
    """The field of Literal words by which its metric counts; empty where it only counts."""
    label_says: str = ""
    large: bool = False
    """Whether its records may be as large as the program takes any."""

    @property
    def setting(self) -> str:
        return f"topic_{self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """What `label` may say; an empty word where there is none."""
        return get_args(get_type_hints(self.schema)[self.label]) if self.label else ("",)


TRANSACTIONS = InputTopic(
    name="transactions",
    topic="transactions",
    schema=Transaction,
    effect=Effect.IN_STREAM_ORDER,
    read_for="what core banking publishes",
    documented=Documented(
        "transaction",
        "A booking on an account",
        "What core banking publishes: a record for each booking, in the order in which they happened as far as it can."
        " A record that cannot be used goes to the dead letters, and nothing else is held up.",
        "Every booking is folded into its customer's figures.",
    ),
    large=True,
)
OUTCOMES = InputTopic(
    name="outcomes",
    topic="alert-outcomes",
    schema=AlertOutcome,
    effect=Effect.AFTER_EARLIER,
    read_for="what became of the alerts",
    documented=Documented(
        "outcome",
        "What became of an offer",
        "What marketing tools report of the offers that they were sent. It decides what is offered next, and to whom no"
        " more. With as many partitions as transactions, by the same partitioner. An outcome takes effect where the"
        " worker comes upon it between the transactions.",
        "A customer has answered an offer, or taken the product unasked.",
        (outcome.EXAMPLE,),
    ),
    violation=violation_of_outcome,
    counted="Answers to offers",
    label="outcome",
    label_says="what became of them",
)
CUSTOMER_EVENTS = InputTopic(
    name="customer_events",
    topic="customer-events",
    schema=CustomerEvent,
    effect=Effect.AFTER_ALL,
    read_for="consents, time zones, products of a customer",
    documented=Documented(
        "customerEvent",
        "A change of consents, time zone or products",
        "What the bank knows of a customer beside transactions: consents, time zone, products. With as many partitions"
        " as transactions.",
        "A customer's consents or products have changed.",
        (customer_event.EXAMPLE,),
    ),
    violation=violation_of_event,
    counted="Changes of consents, time zones and products",
)

INPUTS: tuple[InputTopic, ...] = (TRANSACTIONS, OUTCOMES, CUSTOMER_EVENTS)
"""In the order of Offsets, which the consumer group's metadata follow: transactions come first, add at the end."""

SIDE_INPUTS = INPUTS[1:]
"""Those beside the transactions."""
