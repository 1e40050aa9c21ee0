"""Whether Redis keeps what is written to it over a restart: some versions don't under an ACL that looks harmless.

Before Valkey 9.1.2, and in Redis at least up to 7.0.15 (redis issue 14541), whatever a function or a transaction wrote
is run from the append-only file, at a restart, with the rights of the user `default`. What that user may not do is left
out without a word, and so is nearly everything of the tracker's.
"""

import logging
from collections.abc import Callable
from typing import Any

from streams.store.commands import command
from streams.store.connection import RightMissing, Unreachable
from streams.store.port import StoreUnavailable

Ask = Callable[[bytes], Any]

KEEPS = (b"valkey", (9, 1, 2))
"""The first version that was seen to keep everything."""

_log = logging.getLogger("tracker.redis")


class UnsafeRedis(StoreUnavailable):
    """Redis would lose what is written to it."""


def see_that_it_keeps_writes(partition: int, ask: Ask) -> None:
    """Raises UnsafeRedis if Redis would lose a commit at a restart. `ask` sends a command over the connection.

    Where the rights of `default` can't be asked for, the log says so: nothing is known then.
    """
    if _keeps_all(ask) or _default_may_write(partition, ask) or not _appends(ask):
        return
    raise UnsafeRedis(
        "at a restart Redis would leave out of its append-only file all that the tracker has written, because the user "
        "`default` lacks rights (redis issue 14541); write `user default off ~* &* +@all` in the ACL (docs/security.md)"
    )


def _keeps_all(ask: Ask) -> bool:
    found: list[bytes] = ask(command(b"HELLO"))  # no right is needed for it
    told = dict(zip(found[::2], found[1::2], strict=True))
    numbers = told[b"version"].partition(b"-")[0].split(b".")
    return told[b"server"] == KEEPS[0] and tuple(map(int, numbers)) >= KEEPS[1]


def _default_may_write(partition: int, ask: Ask) -> bool:
    key = b"{%d}:" % partition
    written: tuple[tuple[bytes, ...], ...] = (
        (b"HSET", key + b"pos", b"epoch", b"0"),
        (b"MSET", key + b"c:", b"0"),
        (b"ZADD", key + b"due", b"0", b"0"),
        (b"ZREM", key + b"due", b"0"),
        (b"XADD", key + b"outbox", b"*", b"m", b"0"),
        (b"XTRIM", key + b"outbox", b"MINID", b"0"),
        (b"SETRANGE", key + b"seen:0", b"0", b"0"),
        (b"DEL", key + b"seen:0"),
    )
    try:
        return all(ask(command(b"ACL", b"DRYRUN", b"default", *each)) == b"OK" for each in written)
    except Unreachable:
        raise
    except StoreUnavailable as error:  # no right to ask, or a Redis as a service that does not know the command
        _log.warning("it is not known whether Redis keeps what is written over a restart: %s", error)
        return True


def _appends(ask: Ask) -> bool:
    """Whether there is an append-only file; taken for granted where the user may not ask."""
    try:
        return b"aof_enabled:0" not in ask(command(b"INFO", b"persistence"))
    except RightMissing:
        return True
