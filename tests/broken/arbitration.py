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
)
