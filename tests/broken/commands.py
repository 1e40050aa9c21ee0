"""What commands say, and with what they end."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "verify-served-only",
        "`tracker verify` does not look at customers whom Redis has lost.",
        "commands/verify.py",
        "customers = sorted({*served, *again.customers(number)})",
        "customers = sorted(served)",
        "tests/commands/test_on_servers.py::test_a_customer_missing_in_redis_is_a_difference",
        servers=True,
    ),
    Mistake(
        "verify-ends-with-0",
        "`tracker verify` ends with 0 though figures differ.",
        "commands/verify.py",
        "    if found:\n        raise typer.Exit(1)",
        "    if found < 0:\n        raise typer.Exit(1)",
        "tests/commands/test_on_servers.py::test_verify_prints_each_difference_and_fails",
        servers=True,
    ),
    Mistake(
        "verify-none",
        "`tracker verify` finds missing figures only.",
        "commands/verify.py",
        "            if theirs.get(name) != mine.get(name)",
        "            if theirs.get(name) is None and mine.get(name) is not None",
        "tests/commands/test_on_servers.py::test_verify_prints_each_difference_and_fails",
        servers=True,
    ),
    Mistake(
        "replay-twice",
        "The last dead letter is sent back again by the next replay.",
        "commands/dead_letters.py",
        "reached[letter.partition] = letter.offset + 1",
        "reached[letter.partition] = letter.offset",
        "tests/river/test_broken_records.py::test_repaired_and_replayed_nothing_is_missing",
        servers=True,
    ),
    Mistake(
        "topics-differ-unsaid",
        "A topic with another number of partitions is said to be right.",
        "commands/topics.py",
        "    if partitions != topic.partitions:",
        "    if False:",
        "tests/commands/test_on_servers.py::test_topics_that_differ_are_told_and_left",
        servers=True,
    ),
    Mistake(
        "topics-status",
        "`tracker topics create` ends with 0 though a topic differs.",
        "commands/topics.py",
        "    if any(found.values()):",
        "    if False:",
        "tests/commands/test_on_servers.py::test_topics_that_differ_are_told_and_left",
        servers=True,
    ),
)
