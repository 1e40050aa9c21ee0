"""Stops a partition when too much of what comes is refused: no topic is to be drained into the dead letters."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from handlers.intake.events import Record
from schemas.dead_letter import DeadLetter

RECORDS = 1_000
"""The share is of the last so many records, or a few more."""

STRETCH = RECORDS // 2
"""So many are looked at together: in a large batch a flood could hide behind what is good."""

RECORDS_MIN = 100
"""Of fewer no share is taken."""


class PoisonFlood(Exception):
    """More of the last records of a partition were refused than is allowed. The last batch has not been committed."""


class PoisonBreaker:
    """Of one partition. `share_max` is from 0 to 1; 1 lets everything pass."""

    def __init__(self, share_max: float) -> None:
        self._share_max = share_max
        self._batches: deque[tuple[int, int]] = deque()
        self._records = self._refused = 0

    def watch(self, records: Sequence[Record], refused: Sequence[DeadLetter]) -> None:
        """Another batch, and what was refused of it, both in their order. Raises PoisonFlood."""
        offsets = [letter.offset for letter in refused]
        for start in range(0, len(records), STRETCH):
            stretch = records[start : start + STRETCH]
            before, until = bisect_left(offsets, stretch[0].offset), bisect_right(offsets, stretch[-1].offset)
            self.see(len(stretch), until - before)

    def see(self, records: int, refused: int) -> None:
        """So many more records in a row, and how many of them were refused. Raises PoisonFlood."""
        self._batches.append((records, refused))
        self._records += records
        self._refused += refused
        while self._records - self._batches[0][0] >= RECORDS:
            old_records, old_refused = self._batches.popleft()
            self._records -= old_records
            self._refused -= old_refused
        if self._records >= RECORDS_MIN and self._refused > self._share_max * self._records:
            raise PoisonFlood(
                f"{self._refused} of the last {self._records} records were refused, more than "
                f"TRACKER_POISON_SHARE_MAX={self._share_max:g} allows; what it refuses is named in the dead letters. "
                "Mend the publisher and set it to 1 until the flood has passed, and start the worker again"
            )
