"""What the kernel writes down for others: moments to be decided on, and looks of the churn model.

It has room for so many; when that is full, it is taken out and the kernel goes on. Going back and forth between kernel
and interpreter costs more than most decisions, so it is not done for each.
"""

from typing import NamedTuple

import numpy as np

from handlers.aggregates.features import FEATURES
from handlers.churn.challenger import NOTE_INPUTS
from handlers.churn.inputs import NAMES
from handlers.churn.run_off import FIGURES, GROUPS
from handlers.kernel.jit import F8, I8

MOMENTS_MAX = 128
NOTES_MAX = 256

SILENT, AT_LOOK, AT_EVENT = range(3)
"""A due time that passed in silence, a time to look at a deposit, an event worth a decision."""

# heads: one moment each
MOMENT_WHAT = 0
MOMENT_CUSTOMER = 1
MOMENT_EVENT = 2  # at a due time: the customer's event before, -1 if none
MOMENT_AT = 3  # epoch ms
MOMENT_BITS = 4
MOMENT_RAISED = 5  # due time of the churn alert that stood before the event
MOMENT_TIER = 6  # the customer's place among the tiers
MOMENT_CLOCK = 7  # stream time by which it is decided: at a due time, when it was to be looked at
MOMENT_FIELDS = 8


class Found(NamedTuple):
    """Room for both."""

    heads: I8
    """Shape (MOMENTS_MAX, MOMENT_FIELDS)."""
    values: I8
    """The features at each moment, (MOMENTS_MAX, features)."""
    inputs: F8
    """At SILENT with a model, and at RUN_OFF: see churn_inputs.py, (MOMENTS_MAX, inputs)."""
    run_off: I8
    """At the same: see run_off.py, (MOMENTS_MAX, groups, figures)."""
    notes: F8
    """Of looks, where they are wanted, (NOTES_MAX, NOTE_INPUTS + inputs)."""


def new_found() -> Found:
    """Empty room."""
    return Found(
        np.zeros((MOMENTS_MAX, MOMENT_FIELDS), np.int64),
        np.zeros((MOMENTS_MAX, len(FEATURES)), np.int64),
        np.zeros((MOMENTS_MAX, len(NAMES))),
        np.zeros((MOMENTS_MAX, GROUPS, FIGURES), np.int64),
        np.zeros((NOTES_MAX, NOTE_INPUTS + len(NAMES))),
    )
