"""Budgets over partitions, and what the ledger learns."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "budget-more",
        "A budget is exceeded by one in each partition.",
        "handlers/offers/suppression.py",
        "ledger.of(offer.offer_id).spent >= budget",
        "ledger.of(offer.offer_id).spent > budget",
        "tests/unit/test_policy.py::test_a_budget_is_spent_to_the_last_and_no_further",
    ),
    Mistake(
        "budget-share",
        "The parts of a budget add up to more than the whole.",
        "handlers/offers/counts.py",
        "< left else 0)",
        "<= left else 0)",
        "tests/unit/test_policy.py::test_the_parts_of_a_budget_add_up_to_the_whole",
    ),
    Mistake(
        "budget-first",
        "What is left of every small budget goes to the first partitions.",
        "handlers/offers/counts.py",
        "(partition - first) % partitions",
        "partition",
        "tests/unit/test_offer_counts.py::"
        "test_what_is_left_of_a_budget_goes_to_the_partitions_that_follow_the_one_of_the_offers_id",
    ),
    Mistake(
        "ledger-256",
        "Of too many offers the one used last is forgotten.",
        "handlers/offers/counts.py",
        "min(gone, key=lambda name: (self._offers[name].touched_at, name))",
        "max(gone, key=lambda name: (self._offers[name].touched_at, name))",
        "tests/unit/test_offer_counts.py::"
        "test_of_more_than_256_offers_the_one_longest_untouched_that_the_catalogue_no_longer_has_is_forgotten",
    ),
    Mistake(
        "ledger-catalogue",
        "An offer of the catalogue is forgotten, and its budget begins anew.",
        "handlers/offers/counts.py",
        "[name for name in self._offers if name not in catalogue]",
        "list(self._offers)",
        "tests/unit/test_offer_counts.py::"
        "test_of_more_than_256_offers_the_one_longest_untouched_that_the_catalogue_no_longer_has_is_forgotten",
    ),
    Mistake(
        "ledger-segment-taken",
        "What is taken counts in another segment than what was offered.",
        "handlers/offers/counts.py",
        "counts.cells[segment] = (made, taken + times)",
        "counts.cells[0] = (made, taken + times)",
        "tests/unit/test_offer_counts.py::test_what_is_taken_counts_in_the_segment_in_which_it_was_offered",
    ),
    Mistake(
        "uplift",
        "What the control group does unasked is not subtracted.",
        "handlers/offers/propensity.py",
        "return max(drawn - unasked(counts), 0.0)",
        "return drawn",
        "tests/unit/test_propensity.py::"
        "test_what_the_control_group_does_unasked_is_subtracted_once_enough_of_it_is_known",
    ),
    Mistake(
        "ledger-version",
        "A ledger of an unknown version is read.",
        "handlers/offers/counts.py",
        "if row and row[:1] != _VERSION:",
        "if False:",
        "tests/unit/test_small_print.py::test_a_ledger_of_another_version_is_refused",
    ),
    Mistake(
        "prior",
        "The catalogue's belief weighs more than twenty trials.",
        "handlers/offers/propensity.py",
        "PRIOR_TRIALS = 20",
        "PRIOR_TRIALS = 21",
        "tests/unit/test_small_print.py::test_what_the_catalogue_believes_weighs_as_much_as_twenty_trials",
    ),
    Mistake(
        "segment-prior",
        "What other segments did is not believed of a new one.",
        "handlers/offers/propensity.py",
        "beta(PRIOR_TRIALS * overall + taken,",
        "beta(PRIOR_TRIALS * believed + taken,",
        "tests/unit/test_small_print.py::test_what_the_catalogue_believes_weighs_as_much_as_twenty_trials",
    ),
)
