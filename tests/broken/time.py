"""Time: what moves it, what is late, silent, or of the past."""

from tests.broken.mistake import Mistake

_LAWS = "tests/laws/test_time_laws.py"

MISTAKES = (
    Mistake(
        "postdated-moves-time",
        "A record moves stream time beyond its Kafka timestamp.",
        "handlers/intake/transactions.py",
        "np.minimum(columns.events[:, AT], arrived)",
        "columns.events[:, AT].copy()",
        "tests/unit/test_of_the_past.py::test_a_postdated_booking_brings_its_offer_at_once_dated_by_when_it_came",
    ),
    Mistake(
        "one-record-leaps",
        "One record alone moves stream time by any leap.",
        "handlers/intake/stream_time.py",
        "    elif at > clock + LEAP_MS:\n",
        "    elif at > clock + 1_000 * LEAP_MS:\n",
        "tests/unit/test_stream_time.py::test_one_record_a_leap_ahead_does_not_move_it_and_a_second_does",
    ),
    Mistake(
        "no-wait",
        "A silence is judged at once, without waiting for what is a little late.",
        "handlers/engine/advance.py",
        "if due != 0 and due <= clock - wait:",
        "if due != 0 and due <= clock:",
        "tests/unit/test_of_the_past.py::test_a_silence_waits_for_what_is_a_little_late",
    ),
    Mistake(
        "late-brings-nothing",
        "A late event brings no offer.",
        "handlers/engine/advance.py",
        "if at > clock - TIMELY_MS:",
        "if at == clock:",
        f"{_LAWS}::test_whoever_is_late_by_less_than_a_day_gets_the_offers_of_whoever_is_not",
    ),
    Mistake(
        "outage-is-silence",
        "An outage of the feed counts in silences.",
        "handlers/intake/stream_time.py",
        "            lost += outages[k + 1] - max(outages[k], since)",
        "            lost += 0",
        f"{_LAWS}::test_a_gap_of_the_feed_says_nothing_of_whoever_would_have_come",
    ),
    Mistake(
        "ticks-in-an-outage",
        "While nothing comes at all, the clock on the wall makes everybody due.",
        "handlers/intake/stream_time.py",
        "return max(self.clock, now if until == 0 else min(now, until))",
        "return max(self.clock, now)",
        "tests/unit/test_stream_time.py::test_an_outage_is_remembered_and_the_wall_clock_moves_nothing_beyond_what_is_usual",
    ),
    Mistake(
        "over-is-sent",
        "An alert that has run out is sent all the same.",
        "handlers/contact/rules.py",
        'return "expired" if expires_at <= now else None',
        "return None",
        "tests/unit/test_of_the_past.py::test_an_offer_that_has_run_out_is_not_sent_and_keeps_no_later_one_back",
    ),
    Mistake(
        "history-flaps",
        "History that comes late is judged booking by booking.",
        "handlers/engine/advance.py",
        "            if 0 < s.sections[CHURN, DUE] <= clock - wait:",
        "            if s.sections[CHURN, DUE] < 0:",
        "tests/unit/test_of_the_past.py::test_a_branch_whose_history_comes_late_is_judged_by_where_its_customers_stand",
    ),
    Mistake(
        "retracted-before",
        "A retraction is dated by the late event that brings it.",
        "handlers/churn/decide.py",
        "since = max(finding.at, contact.made_at)",
        "since = finding.at",
        "tests/unit/test_rhythm.py::test_a_late_event_that_shows_there_was_no_silence_takes_the_alert_back",
    ),
    Mistake(
        "clock-jumps",
        "A clock that jumps ahead is believed at once.",
        "streams/broker/wall_clock.py",
        "if lead <= self._lead + STEP_SECONDS_MAX:",
        "if True:",
        "tests/unit/test_wall_clock.py::test_a_year_ahead_for_a_while_is_not_believed",
    ),
)
