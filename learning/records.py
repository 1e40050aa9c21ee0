"""Lines of a file as the records that they were, by the topic that they say they are of."""

from collections.abc import Sequence
from itertools import count, repeat

from handlers.intake.events import Record
from handlers.intake.inputs import INPUTS, TRANSACTIONS
from handlers.intake.lines import all_transactions, topic_of

_NO_TIMESTAMP = 1 << 60
"""A file's lines were not stamped by a broker: nothing in them is in the future."""


def record(number: int, line: bytes) -> Record:
    """The line of that number, from 0."""
    return Record(number, _NO_TIMESTAMP, None, line)


def by_topic(first: int, lines: Sequence[bytes]) -> dict[str, list[Record]]:
    """The records of each of INPUTS, by its name, in their order; `first` is the number of the first line. An empty
    line is no record."""
    records: dict[str, list[Record]] = {topic.name: [] for topic in INPUTS}
    if all_transactions(lines) and b"" not in lines:
        # as `record` does, but for the call of it
        records[TRANSACTIONS.name] = list(map(Record, count(first), repeat(_NO_TIMESTAMP), repeat(None), lines))
        return records
    for number, line in enumerate(lines, first):
        if line:
            records[topic_of(line).name].append(record(number, line))
    return records
