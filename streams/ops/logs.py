"""What a worker logs, on standard error: nothing of what it has read.

The text of an exception may hold whatever was being worked on: a customer, an amount, a whole record. So it is logged
only of those whose words are known; of all others the kind and the place, by whichever library they are logged.
"""

import copy
import logging
import sys
from collections.abc import Iterator
from traceback import format_tb
from types import TracebackType

from handlers.state.codec import LayoutError

_OURS = {"streams", "commands"}
_OF_KAFKA = {"confluent_kafka", "cimpl", "aiokafka"}
"""Packages whose exceptions speak of topics, groups and brokers only."""

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def log_to_stderr() -> None:
    """From now on everything that is logged in this process goes there, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class DiscreetFormatter(logging.Formatter):
    """Leaves out the text of an exception, whether it is logged with its traceback or as part of a message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it."""
        shown = copy.copy(record)
        shown.exc_text = None  # that of another formatter
        if isinstance(shown.msg, BaseException):
            shown.msg, shown.args = "%s", (shown.msg,)
        if isinstance(shown.args, tuple):
            shown.args = tuple(map(_shown, shown.args))
        return super().format(shown)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - logging's name
        """Where it was raised and what it is, its causes first."""
        error = ei[1]
        told = [] if error is None else [part for one in _with_causes(error) for part in _raised(one)]
        return "".join(told).rstrip("\n")


def _is_known(error: BaseException) -> bool:
    """Whether its text can't hold what was read."""
    package = type(error).__module__.partition(".")[0]
    return package in _OURS | _OF_KAFKA or isinstance(error, LayoutError | OSError)


def _shown(arg: object) -> object:
    return type(arg).__name__ if isinstance(arg, BaseException) and not _is_known(arg) else arg


def _raised(error: BaseException) -> Iterator[str]:
    yield "Traceback (most recent call last):\n"
    yield from format_tb(error.__traceback__)
    yield f"{type(error).__name__}: {error}\n" if _is_known(error) else f"{type(error).__name__}\n"


def _with_causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and now not in found:
        found.insert(0, now)
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    return found
