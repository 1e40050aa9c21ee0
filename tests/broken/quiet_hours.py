"""Quiet hours: when they begin and end, and by which clock."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "quiet-fold",
        "Quiet hours that end in the hour that clocks repeat end when it comes for the second time.",
        "handlers/contact/quiet_hours.py",
        "second=0, fold=0)",
        "second=0)",
        "tests/unit/test_policy.py::test_quiet_hours_that_end_within_the_repeated_hour_end_when_it_comes_first",
    ),
    Mistake(
        "quiet-before",
        "In the repeated hour an offer may be acted on before it was decided.",
        "handlers/contact/quiet_hours.py",
        "return max(1_000 * int(day.timestamp()), at)",
        "return 1_000 * int(day.timestamp())",
        "tests/unit/test_policy.py::test_quiet_hours_that_end_within_the_repeated_hour_end_when_it_comes_first",
    ),
    Mistake(
        "quiet-end-inclusive",
        "The minute at which the night's quiet hours end still counts as quiet.",
        "handlers/contact/quiet_hours.py",
        "minutes >= start or minutes < end",
        "minutes >= start or minutes <= end",
        "tests/unit/test_policy.py::test_quiet_hours_end_by_the_customers_own_clock",
    ),
    Mistake(
        "quiet-start",
        "The minute at which the night's quiet hours begin does not count as quiet.",
        "handlers/contact/quiet_hours.py",
        "minutes >= start or minutes < end",
        "minutes > start or minutes < end",
        "tests/unit/test_policy.py::test_quiet_hours_end_by_the_customers_own_clock",
    ),
    Mistake(
        "quiet-in-day-end",
        "The minute at which quiet hours within a day end still counts as quiet.",
        "handlers/contact/quiet_hours.py",
        "start <= minutes < end if",
        "start <= minutes <= end if",
        "tests/unit/test_policy.py::test_quiet_hours_within_a_day",
    ),
    Mistake(
        "quiet-zone",
        "Quiet hours go by the bank's clock, not by the customer's.",
        "handlers/contact/quiet_hours.py",
        "zone(zone_name or policy.time_zone)",
        "zone(policy.time_zone)",
        "tests/unit/test_policy.py::test_quiet_hours_end_by_the_customers_own_clock",
    ),
    Mistake(
        "quiet-blocked-at",
        "Caps are asked for the moment of the decision, not for the end of the quiet hours.",
        "handlers/offers/decide.py",
        "offer_blocked(offer, history, when, finding.now, policy",
        "offer_blocked(offer, history, at, finding.now, policy",
        "tests/unit/test_small_print.py::"
        "test_what_holds_an_offer_back_is_asked_for_the_moment_at_which_it_reaches_the_customer",
    ),
    Mistake(
        "expires-quiet",
        "An offer made in quiet hours expires as if it had reached the customer at once.",
        "handlers/offers/alerts.py",
        "expires_at=rfc3339(when + offer.valid_days * DAY_MS)",
        "expires_at=rfc3339(at + offer.valid_days * DAY_MS)",
        "tests/unit/test_policy.py::test_an_offer_decided_in_quiet_hours_may_not_be_acted_on_before_they_end",
    ),
    Mistake(
        "not-before",
        "An offer outside quiet hours says a not_before as well.",
        "handlers/offers/alerts.py",
        "not_before=rfc3339(when) if when > at else None",
        "not_before=rfc3339(when)",
        "tests/unit/test_policy.py::test_an_offer_decided_in_quiet_hours_may_not_be_acted_on_before_they_end",
    ),
    Mistake(
        "expires-from-made",
        "An alert made in quiet hours stands for less than its days.",
        "handlers/contact/history.py",
        "return self.at + self.valid_days * DAY_MS",
        "return self.made_at + self.valid_days * DAY_MS",
        "tests/unit/test_small_print.py::test_an_alert_made_in_quiet_hours_stands_for_all_its_days_after_them",
    ),
)
