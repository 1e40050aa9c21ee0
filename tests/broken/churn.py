"""When a churn alert is raised, held and taken back."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "returned-late",
        "A late transaction of before the silence takes the churn alert back.",
        "handlers/fold.py",
        "if own and at > life[LAST_OWN]:",
        "if own:",
        "tests/unit/test_run_off.py::test_a_late_transaction_of_before_the_silence_takes_no_alert_back",
    ),
    Mistake(
        "income-stop",
        "A salary of 35 days ago still counts as come lately.",
        "handlers/run_off.py",
        "LATELY_DAYS, KNOWN_DAYS = 35, 90",
        "LATELY_DAYS, KNOWN_DAYS = 36, 90",
        "tests/unit/test_run_off.py::test_lately_is_the_last_35_days_and_before_that_the_55_up_to_90",
    ),
    Mistake(
        "runoff-balance",
        "A balance halved exactly is no run-off.",
        "handlers/run_off.py",
        "2 * balance <= balance - net",
        "2 * balance < balance - net",
        "tests/unit/test_run_off.py::test_a_balance_of_exactly_half_of_what_it_was_30_days_ago_makes_it_run_off",
    ),
    Mistake(
        "runoff-quiet",
        "A second run-off alert does not wait for the cooldown of the first.",
        "handlers/advance.py",
        "s.life[RAISED_DUE] != 0 or last < s.life[QUIET_UNTIL]",
        "s.life[RAISED_DUE] != 0",
        "tests/unit/test_run_off.py::test_after_a_run_off_alert_another_waits_for_the_end_of_its_cooldown",
    ),
)
