"""Commands as RedisStore sends them, part by part."""

from collections.abc import Sequence

import msgspec

from streams.store import Changes, Position


def claim(partition: int) -> list[bytes]:
    """The call of tracker_claim_2, see commit.lua."""
    return [b"FCALL", b"tracker_claim_2", b"1", b"{%d}:pos" % partition]


def mget(partition: int, customers: Sequence[str]) -> list[bytes]:
    """Asks for the rows of these customers."""
    prefix = b"{%d}:c:" % partition
    return [b"MGET", *[prefix + customer.encode() for customer in customers]]


def commit(partition: int, at: Position, new: Position, changes: Changes) -> list[bytes]:
    """The call of tracker_commit_2, see commit.lua."""
    prefix = b"{%d}:" % partition
    row, seen = prefix + b"c:", prefix + b"seen:"
    due = [(customer.encode(), when) for customer, when in changes.due.items()]
    leaving = [customer for customer, when in due if when is None]
    pieces, forgotten = changes.seen.pieces, changes.seen.forgotten
    keys = [prefix + b"pos", prefix + b"due", prefix + b"outbox"]
    keys += [seen + b"%d" % piece.segment for piece in pieces]
    keys += [seen + b"%d" % segment for segment in forgotten]
    keys += [row + customer.encode() for customer in changes.rows]
    keep = changes.published + 1 if changes.published else 0
    counts = (len(changes.outbox), len(leaving), len(pieces), len(forgotten))
    arguments = [b"%d" % number for number in (*at, *new[1:], keep, *counts)]
    arguments += changes.rows.values()
    arguments += map(msgspec.msgpack.encode, changes.outbox)
    arguments += leaving
    for piece in pieces:
        arguments += (b"%d" % piece.start, piece.data)
    for customer, when in due:
        if when is not None:
            arguments += (b"%d" % when, customer)
    return [b"FCALL", b"tracker_commit_2", b"%d" % len(keys), *keys, *arguments]
