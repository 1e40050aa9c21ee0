"""The newest dead letters in memory, without what they hold: why, from where, and how many by rule."""

from collections import Counter, deque
from threading import Lock
from typing import NamedTuple

import msgspec

from schemas.dead_letter import dead_letter_of

LETTERS_MAX = 2_000


class Letter(NamedTuple):
    """A refused record; what it holds stays in the topic."""

    partition: int
    offset: int
    """Both in the topic of dead letters."""
    reason: str
    field: str
    """Empty for the whole record."""
    rule: str
    topic: str
    """Where it came from, with the next two."""
    from_partition: int
    from_offset: int
    at: int
    """Timestamp of the original record, epoch ms."""


class Rule(NamedTuple):
    """What letters have in common."""

    topic: str
    reason: str
    field: str
    rule: str


class LetterLog:
    """Written by one thread, read by any. Holds the last LETTERS_MAX."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._letters: deque[Letter] = deque(maxlen=LETTERS_MAX)

    def add(
        self, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> None:
        """Takes a record of the topic; one that the tracker did not write is left out."""
        try:
            letter = dead_letter_of(key, value, headers)
        except (msgspec.ValidationError, UnicodeDecodeError):
            return
        origin = (letter.topic, letter.partition, letter.offset, letter.timestamp_ms)
        with self._lock:
            self._letters.append(Letter(partition, offset, letter.reason, letter.field, letter.rule, *origin))

    def newest(self, replayed_to: dict[int, int]) -> list[Letter]:
        """Those that have not been replayed, by the first offset of each partition that hasn't; the last one first."""
        with self._lock:
            return [
                letter for letter in reversed(self._letters) if letter.offset >= replayed_to.get(letter.partition, 0)
            ]

    def by_rule(self, replayed_to: dict[int, int]) -> list[tuple[Rule, int]]:
        """The most frequent first."""
        counts = Counter(Rule(each.topic, each.reason, each.field, each.rule) for each in self.newest(replayed_to))
        return counts.most_common()
