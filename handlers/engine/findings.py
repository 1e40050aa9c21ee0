"""What the kernel writes down for others: moments to be decided on, and looks of the churn model.

It has room for so many; when that is full, it is taken out and the kernel goes on. Going back and forth between kernel
and interpreter costs more than most decisions, so it is not done for each.
"""

from typing import NamedTuple

import numpy as np

from handlers.aggregates.features import FEATURES
from handlers.churn.challenger import CHECK_INPUTS
from handlers.churn.inputs import NAMES
from handlers.churn.run_off import FIGURES, GROUPS
from handlers.kernel.jit import F8, I8

FINDINGS_MAX = 128
CHECKS_MAX = 256

# heads: one finding each
FINDING_CUSTOMER = 0
FINDING_EVENT = 1  # at a due time: the customer's event before, -1 if none
FINDING_AT_EVENT = 2  # 1 if the event has brought it, 0 if a due time that passed
FINDING_AT = 3  # epoch ms
FINDING_BITS = 4  # belief/bits.py, offers/triggers.py
FINDING_RAISED = 5  # due time of the churn alert that stood before the event
FINDING_TIER = 6  # the customer's place among the tiers
FINDING_CLOCK = 7  # stream time by which it is decided: at a due time, when it was to be looked at
FINDING_FIELDS = 8


class Findings(NamedTuple):
    """Room for both."""

    heads: I8
    """Shape (FINDINGS_MAX, FINDING_FIELDS)."""
    values: I8
    """The features at each moment, (FINDINGS_MAX, features)."""
    inputs: F8
    """At SILENT with a model, and at RUN_OFF: see inputs.py, (FINDINGS_MAX, inputs)."""
    run_off: I8
    """At the same: see run_off.py, (FINDINGS_MAX, groups, figures)."""
    checks: F8
    """Of looks, where they are wanted, (CHECKS_MAX, NOTE_INPUTS + inputs)."""


def new_findings() -> Findings:
    """Empty room."""
    return Findings(
        np.zeros((FINDINGS_MAX, FINDING_FIELDS), np.int64),
        np.zeros((FINDINGS_MAX, len(FEATURES)), np.int64),
        np.zeros((FINDINGS_MAX, len(NAMES))),
        np.zeros((FINDINGS_MAX, GROUPS, FIGURES), np.int64),
        np.zeros((CHECKS_MAX, CHECK_INPUTS + len(NAMES))),
    )
