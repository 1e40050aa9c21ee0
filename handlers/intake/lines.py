"""Lines of a file of history: a transaction in each, or a record of the topic that its field `record` names."""

from collections.abc import Iterable

import msgspec

from handlers.intake.inputs import SIDE_INPUTS, TRANSACTIONS, InputTopic


class _Kind(msgspec.Struct):
    record: str | None = None


_kind = msgspec.json.Decoder(_Kind)
_FIELD = b'"record"'
_TOPICS = {topic.topic: topic for topic in SIDE_INPUTS}


def all_transactions(lines: Iterable[bytes]) -> bool:
    """Whether none of the lines can be anything else, by a look that costs little."""
    return _FIELD not in b"\n".join(lines)


def topic_of(line: bytes) -> InputTopic:
    """Which topic's record the line is; TRANSACTIONS also for what can't be read."""
    if _FIELD not in line:
        return TRANSACTIONS
    try:
        record = _kind.decode(line).record
    except (msgspec.DecodeError, UnicodeDecodeError):
        return TRANSACTIONS
    return TRANSACTIONS if record is None else _TOPICS.get(record, TRANSACTIONS)
