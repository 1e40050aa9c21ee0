"""What milestones keep of a customer."""

from handlers.belief.section import Section

MILESTONES = 5
"""The tag."""

WEEK_DUE = 0  # a week after the latest visit, epoch ms; 0 for never
VISITS = 1
ASKED = 2  # the latest due time that has passed: a visit of then that comes late brings it no second time

SECTION = Section(MILESTONES, ("week_due", "visits", "asked"))

REACHED = 1 << 20
STAYS_AWAY = 1 << 21
"""Bits of findings."""
