"""Churn's section of a customer's row. Times are epoch ms, 0 is none."""

from handlers.belief.section import Section

CHURN = 1
"""Its tag."""

DUE = 0  # when a silence is to be looked at
RAISED_DUE = 1  # due time of the churn alert that stands
QUIET_UNTIL = 2  # no churn alert before

SECTION = Section(CHURN, ("due", "raised_due", "quiet_until"))
