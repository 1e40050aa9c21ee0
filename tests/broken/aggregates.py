"""Folding a transaction: tiles, reversals, late events, balances, gaps."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "reversal-count",
        "A reversal counts as one more transaction.",
        "handlers/fold.py",
        "life[COUNT] += sign",
        "life[COUNT] += 1",
        "tests/unit/test_measures.py::test_a_reversal_takes_its_original_back_where_that_was",
    ),
    Mistake(
        "reversal-when",
        "A reversal is taken off where it was booked, not where its original was.",
        "handlers/fold.py",
        "when = undoes_at if reversal else at",
        "when = at",
        "tests/unit/test_measures.py::test_a_reversal_takes_its_original_back_where_that_was",
    ),
    Mistake(
        "reversal-own",
        "A day of which all was reversed stays an active day.",
        "handlers/fold.py",
        "day[DAY_OWN] += sign",
        "day[DAY_OWN] += 1",
        "tests/unit/test_measures.py::test_a_reversal_takes_its_original_back_where_that_was",
    ),
    Mistake(
        "late-bit",
        "An event of 180 days ago lands in a day that is no longer kept.",
        "handlers/fold.py",
        "when // DAY_MS <= newest // DAY_MS - DAY_KEPT:",
        "when // DAY_MS < newest // DAY_MS - DAY_KEPT:",
        "tests/unit/test_measures.py::test_a_late_event_lands_in_its_own_day_or_in_lifetime_only",
    ),
    Mistake(
        "accounts-16",
        "A customer's sixteenth account is forgotten.",
        "handlers/fold.py",
        "if n + 1 > ACCOUNTS_MAX:",
        "if n + 1 >= ACCOUNTS_MAX:",
        "tests/unit/test_measures.py::test_the_account_heard_of_longest_ago_is_dropped_from_seventeen",
    ),
    Mistake(
        "accounts-oldest",
        "Of seventeen accounts the newest is dropped.",
        "handlers/fold.py",
        "if s.accounts[k, ACCOUNT_AT] < s.accounts[oldest, ACCOUNT_AT]:",
        "if s.accounts[k, ACCOUNT_AT] > s.accounts[oldest, ACCOUNT_AT]:",
        "tests/unit/test_measures.py::test_the_account_heard_of_longest_ago_is_dropped_from_seventeen",
    ),
    Mistake(
        "balance-tie",
        "Of two balances at one moment the first counts.",
        "handlers/fold.py",
        "elif at >= s.accounts[place, ACCOUNT_AT]:",
        "elif at > s.accounts[place, ACCOUNT_AT]:",
        "tests/unit/test_measures.py::test_of_two_balances_at_one_moment_the_later_in_the_stream_counts",
    ),
)
