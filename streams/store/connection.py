"""One connection to Redis: packed commands out, answers in their order, errors in words that hold no key, no value."""

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

import redis
from redis import exceptions
from redis.connection import ConnectionInterface, ConnectionPool

from streams.store.port import StoreUnavailable

ERRORS = (
    redis.RedisError,
    exceptions.RedisClusterException,
    exceptions.ChildDeadlockedError,
    exceptions.IncorrectPolicyType,
    OSError,
)
"""Everything that redis-py raises: not all of it is a RedisError."""

_REFUSALS = {
    "ASK": "the partition is on its way to another node of the Redis cluster",
    "BUSY": "Redis is busy with a script",
    "CLUSTERDOWN": "the Redis cluster is down",
    "LOADING": "Redis is still loading its data",
    "MASTERDOWN": "the Redis replica has lost its master",
    "MISCONF": "Redis cannot save to its disk and takes no writes",
    "MOVED": "the partition is on another node of the Redis cluster",
    "NOAUTH": "Redis asks for a password",
    "NOPERM": "the Redis user lacks a right that the tracker needs",
    "NOREPLICAS": "Redis has fewer replicas than min-replicas-to-write",
    "OOM": "Redis has reached maxmemory",
    "READONLY": "Redis is a read-only replica",
    "TRYAGAIN": "the partition is on its way to another node of the Redis cluster",
    "WRONGPASS": "Redis refuses the user name or password",
    "WRONGTYPE": "a key of the tracker holds another type in Redis",
}


_UNSENT_BYTES_MAX = 32_768
"""More than that does not wait for company."""


class Unreachable(StoreUnavailable):
    """Redis gives no answer."""


class FunctionMissing(StoreUnavailable):
    """Redis does not have the library."""


class LibraryThere(StoreUnavailable):
    """Redis has the library already."""


class RightMissing(StoreUnavailable):
    """The Redis user may not run a command, or not on these keys."""

    def __init__(self, right: str) -> None:
        """`right` as it stands in an ACL."""
        super().__init__(f"the Redis user lacks the right {right} (docs/security.md says which it needs)")


class KeyRefused(RightMissing):
    """Redis does not say which of the keys it is."""

    def __init__(self) -> None:
        super().__init__("to one of the keys {<partition>}:*")


class Connection:
    """A connection taken from a pool when first needed. Used by one thread.

    After any error it is dropped, so that no answer can be read for another question: whatever was still to be answered
    on it has that error for an answer. The next command makes a new one.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: ConnectionInterface | None = None
        self._unread: deque[deque[Any]] = deque()
        """Of each command that was not answered yet, where its answer belongs."""
        self._unsent: list[bytes] = []
        self._early: deque[Any] = deque()
        """Answers, or errors in their place, that were read before they were asked for."""
        self._aside: deque[Any] = deque()
        """The same of commands that were sent aside."""

    def ask(self, command: bytes) -> Any:
        """Sends one command and reads its answer. Raises StoreUnavailable."""
        return _or_raised(self.ask_all([command])[0])

    def ask_all(self, commands: Sequence[bytes]) -> list[Any]:
        """Sends commands in one go and reads their answers, or StoreUnavailable in the place of one."""
        while self._unread:  # an error of theirs is none of these commands'
            self._read()
        found: deque[Any] = deque()
        self._take(commands, found)
        while len(found) < len(commands):
            self._read()
        return list(found)

    def send(self, *commands: bytes) -> None:
        """Takes commands to be sent by `flush`, or sooner when they are many or an answer is read; `answer` will give
        the answer of each. Never raises."""
        self._take(commands, self._early)

    def send_aside(self, *commands: bytes) -> None:
        """As `send`, but the answers are those that `aside` gives, whatever `answer` has given by then."""
        self._take(commands, self._aside)

    def _take(self, commands: Sequence[bytes], answers: deque[Any]) -> None:
        self._unread.extend([answers] * len(commands))
        self._unsent += commands
        if sum(map(len, self._unsent)) >= _UNSENT_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Sends what was taken, in one go: that costs more than a small command itself. Never raises."""
        try:
            self._write()
        except ERRORS as error:
            self._drop(error)

    def _write(self) -> None:
        if self._unsent:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            told, self._unsent = b"".join(self._unsent), []
            self._connection.send_packed_command([told])  # type: ignore[no-untyped-call]

    def has_answer(self) -> bool:
        """Whether `answer` need not wait."""
        while not self._early and len(self._unread) > len(self._unsent) and self._has_come():
            self._read()
        return bool(self._early)

    def _has_come(self) -> bool:
        assert self._connection is not None
        try:
            return bool(self._connection.can_read(timeout=0))
        except ERRORS:
            return True  # reading will tell

    def answer(self) -> Any:
        """The oldest answer that was not asked for yet. Raises StoreUnavailable."""
        return _or_raised(self._next(self._early))

    def aside(self) -> Any:
        """The oldest answer to what was sent aside, or StoreUnavailable in its place."""
        return self._next(self._aside)

    def _next(self, answers: deque[Any]) -> Any:
        while not answers:
            self._read()
        return answers.popleft()

    def _read(self) -> None:
        """Brings the next answer to where it belongs."""
        try:
            self._write()
            assert self._connection is not None
            found = self._connection.read_response(disable_decoding=True)
        except ERRORS as error:
            self._drop(error)
        else:
            self._unread.popleft().append(found)

    def _drop(self, error: Exception) -> None:
        """Drops the connection; the error is the answer to every command on it."""
        if self._connection is not None:
            self._connection.disconnect()  # type: ignore[no-untyped-call]
            # The pool knows where to connect the next time: with Sentinel that may be another server.
            self._pool.release(self._connection)  # type: ignore[arg-type]
            self._connection = None
        found = unavailable(error)
        for answers in self._unread:
            answers.append(found)
        self._unread.clear()
        self._unsent = []


def _or_raised(answer: Any) -> Any:
    if isinstance(answer, StoreUnavailable):
        raise answer
    return answer


def unavailable(error: Exception) -> StoreUnavailable:
    """What went wrong, in words that hold no key and no value: of the server's own text only the code is used."""
    text = str(error)
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    if code == "NOPERM" or text.startswith(_REFUSED_INSIDE):
        return _right_missing(text)
    if isinstance(error, exceptions.RedisClusterException):
        return StoreUnavailable("the Redis cluster does not say which node has the partition")
    if "cluster support disabled" in text:
        return StoreUnavailable("TRACKER_REDIS_CLUSTER is set, but this Redis is no node of a cluster")
    if text.startswith("Function not found"):
        return FunctionMissing("Redis does not have the tracker's functions")
    if text.startswith("Library ") and text.endswith(" already exists"):
        return LibraryThere("Redis has the tracker's functions")
    if code in _REFUSALS:
        return StoreUnavailable(_REFUSALS[code])
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        return Unreachable(f"Redis cannot be reached: {text}")
    return StoreUnavailable(f"Redis refused the command ({code if code.isalpha() and code.isupper() else 'ERR'})")


_REFUSED_INSIDE = ("The user executing the script can't run", "ACL failure in script")
"""What a function is told that may not run a command, in Redis and in Valkey."""


def _right_missing(text: str) -> StoreUnavailable:
    if named := re.search(r"'([a-z0-9_.|-]+)' command( on \S+)?", text):
        return RightMissing(f"+{named[1]}{(named[2] or '').replace(' on ', ' on ~')}")
    return KeyRefused() if "key" in text else StoreUnavailable(_REFUSALS["NOPERM"])
