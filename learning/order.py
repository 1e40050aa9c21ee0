"""Whether a file is in the order of a stream, and its lines in the order of time where it is not.

A stream has few events that are late. A file in some other order (by customer, say; of whole months put together) was
never a stream: what it holds is known only once it has been sorted.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec
import numpy as np

from handlers.intake.events import EventBatch
from handlers.intake.stream_time import LEAP_MS
from handlers.kernel.jit import I8
from schemas.transaction import Moment
from schemas.units import DAY_MS, moment_ms

LATE_SHARES_MAX = ((DAY_MS, 0.1), (7 * DAY_MS, 0.01))
"""A stream has at most such a share of events that are later than so long: whole months behind were put together."""


class Far(NamedTuple):
    """An event that lay so far ahead of those before it that it did not move stream time by itself."""

    offset: int
    at: int
    """Epoch ms."""


class Order:
    """How far the events of one file are out of order, batch by batch."""

    def __init__(self) -> None:
        self._events = 0
        self._late = [0] * len(LATE_SHARES_MAX)
        self._far: list[Far] = []

    def add(self, batch: EventBatch) -> None:
        """The next events."""
        behind = batch.clock - batch.at
        self._events += len(batch)
        for index, (late, _) in enumerate(LATE_SHARES_MAX):
            self._late[index] += int(np.count_nonzero(behind > late))
        if len(batch) and int(behind.min()) < -LEAP_MS:
            for index in np.flatnonzero(behind < -LEAP_MS).tolist():
                self._far.append(Far(int(batch.offset[index]), int(batch.at[index])))

    @property
    def is_stream(self) -> bool:
        """Whether the file is in the order of a stream."""
        shares = zip(self._late, LATE_SHARES_MAX, strict=True)
        return all(late <= share * self._events for late, (_, share) in shares)

    def far(self, clock: int) -> list[Far]:
        """The events that lie far ahead even of the end of the file, which is at stream time `clock`."""
        return [one for one in self._far if one.at > clock + LEAP_MS]


class _Occurred(msgspec.Struct):
    occurred_at: Moment


_occurred = msgspec.json.Decoder(_Occurred)


def by_time(lines: Iterable[bytes]) -> tuple[list[bytes], I8]:
    """The lines in the order of their occurred_at, those of one moment in their own order, and where each of them
    stood, (n,). One that tells no time stays behind the one before it."""
    kept, times, last = [], [], 0
    for line in lines:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            last = moment_ms(_occurred.decode(line).occurred_at)
        kept.append(line)
        times.append(last)
    places = np.argsort(np.array(times, np.int64), kind="stable")
    return [kept[position] for position in places.tolist()], places
