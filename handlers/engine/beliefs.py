"""The registry: what the bank believes of a customer, one entry a belief, in the order in which they are asked.

A belief's package brings its kernel hooks, which advance.py calls by name, and its decider. To add one, add its entry
here and the lines of its hooks there.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from handlers.belief.bits import CHURN_RISK, CUSTOMER_RECORD, RETURNED, REVERSED, RUN_OFF, SILENT
from handlers.belief.finding import Decider
from handlers.belief.section import Section
from handlers.churn import section as churn
from handlers.churn.decide import ChurnDecider
from handlers.contact.open_histories import OpenHistories
from handlers.engine.rules import CompiledRules, Rules
from handlers.offers import section as offers
from handlers.offers.decide import OfferDecider
from handlers.offers.triggers import TRIGGERS
from schemas.alert import Kind


class Deciding(NamedTuple):
    """What deciders of one step of one partition are made of."""

    partition: int
    rules: Rules
    ready: CompiledRules
    histories: OpenHistories
    partition_row: bytes
    """The partition's own, empty where there is none."""


class Belief(NamedTuple):
    """One entry."""

    name: str
    """Of its package."""
    section: Section
    """What it keeps in a customer's row."""
    kinds: tuple[Kind, ...]
    """Of its alerts: what metrics, caps, kill switch and dry run tell apart."""
    takes: int
    """Bits of the findings that it decides on."""
    decider: Callable[[Deciding], Decider]


def _churn(step: Deciding) -> Decider:
    return ChurnDecider(step.histories, step.rules.churn, step.ready.scorer)


def _offers(step: Deciding) -> Decider:
    ready = step.ready
    return OfferDecider(
        step.histories, ready.candidates, ready.offers, step.partition_row, step.partition, step.rules.partitions
    )


BELIEFS: tuple[Belief, ...] = (
    Belief("churn", churn.SECTION, ("churn_risk",), SILENT | RUN_OFF | RETURNED, _churn),
    Belief(
        "offers",
        offers.SECTION,
        ("next_best_offer",),
        reduce(or_, (trigger.bit for trigger in TRIGGERS.values()), RETURNED | REVERSED | CHURN_RISK | CUSTOMER_RECORD),
        _offers,
    ),
)

KNOWN = sum(1 << belief.section.tag for belief in BELIEFS)
"""Bits of the tags whose sections the kernel opens."""


def deciders(step: Deciding, beliefs: Sequence[Belief] = BELIEFS) -> list[tuple[int, Decider]]:
    """Of each belief what it takes, and its decider."""
    return [(belief.takes, belief.decider(step)) for belief in beliefs]
