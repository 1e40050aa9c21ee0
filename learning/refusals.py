"""What was refused of a history: how many records by kind, with the place of the first of each."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from schemas.dead_letter import DeadLetter


class Refused(NamedTuple):
    """One kind of refusal."""

    records: int
    field: str
    """Path of the field; empty for the whole record."""
    rule: str
    first: str
    """Where the first of them is: `line 3`."""


class Refusals:
    """Adds dead letters up by field and rule."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, letter: DeadLetter, where: str) -> None:
        """One more, from there."""
        kind = letter.field, letter.rule
        self._counts[kind] += 1
        self._first.setdefault(kind, where)

    @property
    def total(self) -> int:
        """Records refused."""
        return self._counts.total()

    def __iter__(self) -> Iterator[Refused]:
        """The most frequent first."""
        for (field, rule), records in self._counts.most_common():
            yield Refused(records, field, rule, self._first[field, rule])
