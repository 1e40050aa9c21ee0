"""Event ids that were seen before."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "seen-million",
        "Less than the promised million of event ids is remembered.",
        "handlers/seen.py",
        "EVENTS_MIN = 16 * SEGMENT",
        "EVENTS_MIN = 15 * SEGMENT",
        "tests/laws/test_event_horizon.py::"
        "test_the_last_1048576_events_are_known_however_long_ago_and_all_of_the_last_24_hours",
    ),
    Mistake(
        "seen-horizon",
        "Event ids of the last 12 hours are remembered, not of the last 24.",
        "handlers/seen.py",
        "HORIZON_MS = DAY_MS",
        "HORIZON_MS = DAY_MS // 2",
        "tests/laws/test_event_horizon.py::"
        "test_the_last_1048576_events_are_known_however_long_ago_and_all_of_the_last_24_hours",
    ),
)
