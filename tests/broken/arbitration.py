"""Which offer wins, and what the alert says of it."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "cost",
        "An offer's cost is not taken off its value.",
        "handlers/arbitration.py",
        "return offer.value_minor - offer.cost_minor",
        "return offer.value_minor",
        "tests/unit/test_offers.py::test_priority_is_the_product_of_its_factors_and_the_highest_wins",
    ),
    Mistake(
        "context-policy",
        "The policy's own context of a moment is not used.",
        "handlers/arbitration.py",
        "given.get(name, MOMENTS[name].context)",
        "MOMENTS[name].context",
        "tests/unit/test_offers.py::test_priority_is_the_product_of_its_factors_and_the_highest_wins",
    ),
    Mistake(
        "valid-from",
        "An offer is made before its time beside others.",
        "handlers/arbitration.py",
        "one.since <= at < one.until",
        "at < one.until",
        "tests/unit/test_arbitration.py::"
        "test_an_offer_whose_time_has_not_come_or_is_over_gives_way_to_one_that_has_its_time",
    ),
    Mistake(
        "valid-to",
        "An offer is made after its time beside others.",
        "handlers/arbitration.py",
        "one.since <= at < one.until",
        "one.since <= at",
        "tests/unit/test_arbitration.py::"
        "test_an_offer_whose_time_has_not_come_or_is_over_gives_way_to_one_that_has_its_time",
    ),
    Mistake(
        "valid-to-inclusive",
        "An offer is still made at the very moment at which its time is over.",
        "handlers/arbitration.py",
        "one.since <= at < one.until",
        "one.since <= at <= one.until",
        "tests/unit/test_arbitration.py::"
        "test_an_offer_whose_time_has_not_come_or_is_over_gives_way_to_one_that_has_its_time",
    ),
    Mistake(
        "runners-up-3",
        "An alert tells four runners-up.",
        "handlers/arbitration.py",
        "RUNNERS_UP_MAX = 3",
        "RUNNERS_UP_MAX = 4",
        "tests/unit/test_arbitration.py::test_of_the_offers_that_lost_the_nearest_three_are_told",
    ),
    Mistake(
        "kept-back-worth",
        "Where all are kept back, the first by name is noted.",
        "handlers/arbitration.py",
        "key=lambda one: (-_worth(one.offer) * one.offer.weight, one.offer.offer_id)",
        "key=lambda one: one.offer.offer_id",
        "tests/unit/test_arbitration.py::"
        "test_where_everything_that_fits_is_kept_back_the_one_of_the_highest_value_is_noted",
    ),
    Mistake(
        "reasons-eligibility",
        "Who may have an offer is told as a reason for it.",
        "handlers/offers.py",
        ' if check.group != "eligibility"]',
        "]",
        "tests/unit/test_arbitration.py::test_who_may_have_an_offer_is_no_reason_for_it",
    ),
    Mistake(
        "above",
        "A condition 'above' holds at its limit.",
        "handlers/conditions.py",
        '"above": operator.gt',
        '"above": operator.ge',
        "tests/unit/test_arbitration.py::test_each_operator_holds_on_its_side_of_the_limit",
    ),
    Mistake(
        "at-most",
        "A condition 'at most' does not hold at its limit.",
        "handlers/conditions.py",
        '"at_most": operator.le',
        '"at_most": operator.lt',
        "tests/unit/test_arbitration.py::test_each_operator_holds_on_its_side_of_the_limit",
    ),
    Mistake(
        "groups-order",
        "An offer that fails eligibility is said to fail applicability.",
        "handlers/conditions.py",
        '    yield "eligibility", offer.eligibility\n    yield "applicability", offer.applicability\n',
        '    yield "applicability", offer.applicability\n    yield "eligibility", offer.eligibility\n',
        "tests/unit/test_arbitration.py::test_the_first_group_that_fails_is_told_eligibility_before_the_others",
    ),
    Mistake(
        "missing-holds",
        "A condition over a figure that is not known holds.",
        "handlers/conditions.py",
        "if value is None or limit is None or not check",
        "if value is not None and limit is not None and not check",
        "tests/unit/test_offers.py::test_a_condition_over_a_missing_figure_does_not_hold",
    ),
    Mistake(
        "tie",
        "Which of two offers of the same priority wins depends on the catalogue's order.",
        "handlers/arbitration.py",
        "        one.offer.offer_id,\n    )",
        '        "",\n    )',
        "tests/unit/test_arbitration.py::test_of_two_offers_of_the_same_priority_the_first_by_name_wins",
    ),
    Mistake(
        "weight",
        "An offer's weight does not count.",
        "handlers/arbitration.py",
        "likely * context * value * offer.weight)",
        "likely * context * value)",
        "tests/unit/test_offers.py::test_priority_is_the_product_of_its_factors_and_the_highest_wins",
    ),
)
