"""Commands as RedisStore sends them: RESP, packed by hand at a fraction of what redis-py's packing of a part costs."""

from collections.abc import Iterable, Sequence

import msgspec

from handlers.intake.inputs import SIDE_INPUTS
from handlers.kernel.customer_ids import names_of
from handlers.kernel.jit import NONE
from handlers.state.row_table import DueTable, RowTable
from streams.store.port import Changes, Position
from streams.store.resp import change

_HEADS = [b"\r\n$%d\r\n" % length for length in range(4_096)]
_BESIDE = (b"%d" % len(SIDE_INPUTS), *(topic.name.encode() for topic in SIDE_INPUTS))
"""How many topics are read beside the transactions, and the fields of a position that are theirs."""


def command(*parts: bytes) -> bytes:
    """Of these parts."""
    return b"*%d%s\r\n" % (len(parts), _bulks(parts))


def claim(partition: int) -> bytes:
    """The call of tracker_claim_3, see commit.lua."""
    return command(b"FCALL", b"tracker_claim_3", b"1", b"{%d}:pos" % partition, *_BESIDE)


def mget(partition: int, customers: Sequence[str]) -> bytes:
    """Asks for the rows of these customers."""
    prefix = b"{%d}:c:" % partition
    return command(b"MGET", *[prefix + customer.encode() for customer in customers])


def reads(partition: int) -> list[tuple[str, bytes]]:
    """Each command that only reads, of a partition that may be empty, and the pattern of the keys that it is for."""
    key = b"{%d}:" % partition
    return [
        ("~{*}:pos", command(b"HMGET", key + b"pos", b"epoch")),
        ("~{*}:c:*", mget(partition, [""])),
        ("~{*}:seen:*", command(b"GET", key + b"seen:0")),
        ("~{*}:due", command(b"ZRANGE", key + b"due", b"0", b"0")),
        ("~{*}:due", command(b"ZCARD", key + b"due")),
        ("~{*}:outbox", command(b"XRANGE", key + b"outbox", b"0", b"0")),
        ("~{*}:outbox", command(b"XLEN", key + b"outbox")),
        ("", command(b"SCAN", b"0", b"MATCH", key, b"COUNT", b"1")),
    ]


def commit(partition: int, at: Position, new: Position, changes: Changes) -> bytes:
    """The call of tracker_commit_3, see commit.lua."""
    prefix = b"{%d}:" % partition
    seen = prefix + b"seen:"
    rows, due = RowTable.of(changes.rows), DueTable.of(changes.due)
    leaving: list[bytes] = []
    if NONE in due.at.tolist():
        leaving = [customer.encode() for customer in names_of(due.ids[due.at == NONE])]
    pieces, forgotten = changes.seen.pieces, changes.seen.forgotten
    keys = [prefix + b"pos", prefix + b"due", prefix + b"outbox"]
    keys += [seen + b"%d" % piece.segment for piece in pieces]
    keys += [seen + b"%d" % segment for segment in forgotten]
    keep = changes.published + 1 if changes.published else 0
    counts = (len(changes.outbox), len(leaving), len(pieces), len(forgotten))
    numbers = [b"%d" % number for number in (*at.numbers, *new.numbers[1:], keep, *counts)]
    others = list(map(msgspec.msgpack.encode, changes.outbox)) + leaving
    for piece in pieces:
        others += (b"%d" % piece.start, piece.data)
    first = (b"FCALL", b"tracker_commit_3", b"%d" % (len(keys) + len(rows)), *keys)
    parts = len(first) + 2 * len(rows) + len(_BESIDE) + len(numbers) + len(others) + 2 * (len(due) - len(leaving))
    rest = change(prefix + b"c:", rows, _NAMED + _bulks(numbers), _bulks(others), due)
    return b"".join([b"*%d" % parts, _bulks(first), rest, b"\r\n"])


def _bulks(parts: Iterable[bytes]) -> bytes:
    """Each behind its length; the end of its line comes with the next."""
    pieces: list[bytes] = []
    for part in parts:
        length = len(part)
        pieces += (_HEADS[length] if length < len(_HEADS) else b"\r\n$%d\r\n" % length, part)
    return b"".join(pieces)


_NAMED = _bulks(_BESIDE)
