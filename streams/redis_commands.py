"""Commands as RedisStore sends them: RESP, packed by hand at a fraction of what redis-py's packing of a part costs."""

from collections.abc import Sequence

import msgspec

from handlers.batch import NONE
from handlers.ids import names_of
from handlers.resp import Bulk, keys, scores, values
from handlers.rows import DueTimes, Rows
from streams.store import Changes, Position

_HEADS = [b"\r\n$%d\r\n" % length for length in range(4_096)]


def command(*parts: bytes) -> bytes:
    """Of these parts alone."""
    return _joined([_bulk(parts)])


def claim(partition: int) -> bytes:
    """The call of tracker_claim_2, see commit.lua."""
    return command(b"FCALL", b"tracker_claim_2", b"1", b"{%d}:pos" % partition)


def mget(partition: int, customers: Sequence[str]) -> bytes:
    """Asks for the rows of these customers."""
    prefix = b"{%d}:c:" % partition
    return command(b"MGET", *[prefix + customer.encode() for customer in customers])


def commit(partition: int, at: Position, new: Position, changes: Changes) -> bytes:
    """The call of tracker_commit_2, see commit.lua."""
    prefix = b"{%d}:" % partition
    seen = prefix + b"seen:"
    rows, due = Rows.of(changes.rows), DueTimes.of(changes.due)
    leaving = [customer.encode() for customer in names_of(due.ids[due.at == NONE])]
    pieces, forgotten = changes.seen.pieces, changes.seen.forgotten
    its_keys = [prefix + b"pos", prefix + b"due", prefix + b"outbox"]
    its_keys += [seen + b"%d" % piece.segment for piece in pieces]
    its_keys += [seen + b"%d" % segment for segment in forgotten]
    keep = changes.published + 1 if changes.published else 0
    counts = (len(changes.outbox), len(leaving), len(pieces), len(forgotten))
    arguments = list(map(msgspec.msgpack.encode, changes.outbox)) + leaving
    for piece in pieces:
        arguments += (b"%d" % piece.start, piece.data)
    return _joined(
        [
            _bulk([b"FCALL", b"tracker_commit_2", b"%d" % (len(its_keys) + len(rows)), *its_keys]),
            keys(prefix + b"c:", rows.ids),
            _bulk([b"%d" % number for number in (*at, *new[1:], keep, *counts)]),
            values(rows),
            _bulk(arguments),
            scores(due),
        ]
    )


def _bulk(parts: Sequence[bytes]) -> Bulk:
    pieces: list[bytes] = []
    for part in parts:
        length = len(part)
        pieces += (_HEADS[length] if length < len(_HEADS) else b"\r\n$%d\r\n" % length, part)
    return Bulk(len(parts), memoryview(b"".join(pieces)))


def _joined(bulks: Sequence[Bulk]) -> bytes:
    count = sum(bulk.parts for bulk in bulks)
    return b"".join([b"*%d" % count, *[bulk.data for bulk in bulks], b"\r\n"])
