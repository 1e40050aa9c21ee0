"""One owned partition: order and keys of what leaves, who is due, what is held in memory."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "outbox-order",
        "The alerts of a batch leave in reverse order.",
        "streams/partition.py",
        "[self._letter(letter) for letter in batch.dead_letters] + [self._alert(a) for a in outcome.alerts]",
        "[self._letter(letter) for letter in batch.dead_letters] + [self._alert(a) for a in outcome.alerts][::-1]",
        "tests/unit/test_outbox_records.py::"
        "test_the_entries_of_a_batch_are_its_letters_in_their_order_then_its_alerts_in_theirs",
    ),
    Mistake(
        "crowd-entries",
        "The alerts of a crowd beyond one commit are never handed to the publisher.",
        "streams/partition.py",
        "entries, outcomes = self._crowd_entries + sent_with_it,",
        "entries, outcomes = sent_with_it,",
        "tests/unit/test_crowd.py::test_of_a_crowd_beyond_one_commit_each_is_told_of_once_in_the_order_of_due_times",
    ),
    Mistake(
        "crowd-alerts",
        "The alerts of a crowd beyond one commit are not counted.",
        "streams/partition.py",
        "[alert for one in outcomes for alert in one.alerts]",
        "list(outcome.alerts)",
        "tests/unit/test_crowd.py::test_of_a_crowd_beyond_one_commit_each_is_told_of_once_in_the_order_of_due_times",
    ),
    Mistake(
        "crowd-again",
        "Of a crowd beyond two commits some are left out.",
        "streams/partition.py",
        "            due = self._store.due(self.number, until, DUE_MAX + len(present))\n        return due",
        "            break\n        return due",
        "tests/unit/test_crowd.py::test_of_a_crowd_beyond_one_commit_each_is_told_of_once_in_the_order_of_due_times",
    ),
    Mistake(
        "crowd-present",
        "Of a crowd, whoever makes a transaction in the same batch is judged before it.",
        "streams/partition.py",
        "absent = [(customer, at) for customer, at in due if customer not in present]",
        "absent = list(due)",
        "tests/unit/test_crowd.py::test_of_a_crowd_beyond_one_commit_each_is_told_of_once_in_the_order_of_due_times",
    ),
    Mistake(
        "crowd-suppressed",
        "What is kept back of a crowd is not counted.",
        "streams/partition.py",
        "        for one in outcomes:\n            suppressed.update(one.suppressed)",
        "        suppressed.update(outcome.suppressed)",
        "tests/unit/test_crowd.py::test_what_is_kept_back_of_a_crowd_is_counted_for_each",
    ),
    Mistake(
        "crowd-clock",
        "The first commit of a crowd moves stream time beyond those who are still to be looked at.",
        "streams/partition.py",
        "            batch.clock_end = max(batch.clock_end, absent[-1][1])\n",
        "            batch.clock_end = until\n",
        "tests/unit/test_crowd.py::test_a_crowd_moves_stream_time_no_further_than_those_who_have_been_looked_at",
    ),
)
