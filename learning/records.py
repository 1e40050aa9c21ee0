"""Lines of a file as the records that they were, by the topic that they say they are of (schemas/line.py)."""

from collections.abc import Sequence
from itertools import count, repeat

from handlers.intake.events import Record
from schemas.line import EVENTS, OUTCOMES, all_transactions, record_kind

_NO_TIMESTAMP = 1 << 60
"""A file's lines were not stamped by a broker: nothing in them is in the future."""


def record(number: int, line: bytes) -> Record:
    """The line of that number, from 0."""
    return Record(number, _NO_TIMESTAMP, None, line)


def by_topic(first: int, lines: Sequence[bytes]) -> dict[str, list[Record]]:
    """Outcomes, customer events and, under the empty name, transactions, each in their order; `first` is the number of
    the first line. An empty line is no record."""
    records: dict[str, list[Record]] = {"": [], OUTCOMES: [], EVENTS: []}
    if all_transactions(lines) and b"" not in lines:
        # as `record` does, but for the call of it
        records[""] = list(map(Record, count(first), repeat(_NO_TIMESTAMP), repeat(None), lines))
        return records
    for number, line in enumerate(lines, first):
        if line:
            records[record_kind(line)].append(record(number, line))
    return records
