"""What commands say, and with what they end."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "replay-twice",
        "The last dead letter is sent back again by the next replay.",
        "commands/dead_letters.py",
        "reached[letter.partition] = letter.offset + 1",
        "reached[letter.partition] = letter.offset",
        "tests/river/test_broken_records.py::test_repaired_and_replayed_nothing_is_missing",
        servers=True,
    ),
)
