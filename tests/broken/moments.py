"""Moments that are worth an offer, and when a customer is looked at."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "tier-window",
        "For a tier the money of 91 days counts.",
        "handlers/moments.py",
        "if s.day[k, TILE] <= day - 90:\n            break",
        "if s.day[k, TILE] < day - 90:\n            break",
        "tests/unit/test_moments.py::test_for_a_tier_the_money_of_ninety_days_counts_and_no_older",
    ),
    Mistake(
        "earliest",
        "A deposit is not looked at while a silence is due later.",
        "handlers/advance.py",
        "return int(min(s.life[DUE], s.life[LOOK]))",
        "return int(s.life[DUE])",
        "tests/unit/test_run_off.py::test_a_deposit_is_looked_at_before_a_silence_that_is_due_later",
    ),
)
