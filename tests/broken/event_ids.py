"""Event ids that were seen before."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "seen-million",
        "Less than the promised million of event ids is remembered.",
        "handlers/intake/dedup.py",
        "EVENTS_MIN = 16 * BLOCK",
        "EVENTS_MIN = 15 * BLOCK",
        "tests/laws/test_event_horizon.py::"
        "test_the_last_1048576_events_are_known_however_long_ago_and_all_of_the_last_24_hours",
    ),
    Mistake(
        "seen-horizon",
        "Event ids of the last 12 hours are remembered, not of the last 24.",
        "handlers/intake/dedup.py",
        "HORIZON_MS = DAY_MS",
        "HORIZON_MS = DAY_MS // 2",
        "tests/laws/test_event_horizon.py::"
        "test_the_last_1048576_events_are_known_however_long_ago_and_all_of_the_last_24_hours",
    ),
    Mistake(
        "seen-duplicate-clock",
        "A duplicate moves stream time.",
        "handlers/intake/dedup.py",
        "                repeated[at] = True\n                clocks[at] = time[CLOCK]\n",
        "                repeated[at] = True\n                follow(time, moments[at], ids[at])\n"
        "                clocks[at] = time[CLOCK]\n",
        "tests/laws/test_seen.py::test_duplicates_are_those_of_the_definition_and_a_new_owner_knows_the_same",
    ),
)
