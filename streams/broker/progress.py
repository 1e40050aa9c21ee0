"""What the consumer group's offset of a partition says beside the offset: how far its alerts are published.

And, once the store has been found behind that (it failed over to an older copy, or lost its last moments), or nothing
is said there any more although the store is not new (the group's offsets were reset, or Kafka forgot an idle group),
from when on the outbound topics may hold what nobody knows to be published. That stands there until the loop has come
again to where it was, so that no crash in between makes anything be published twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from streams.store.port import Offsets


class Rewind(NamedTuple):
    """The store went back, or may have gone back."""

    since: int
    """What is not known was published after this moment by the clock of Kafka's records, epoch ms; 0: ever."""
    offsets: Offsets
    """Where the loop was at most, in each topic."""
    clock: int
    """No tick that was forgotten led to anything that was due later, epoch ms."""

    @classmethod
    def read(cls, numbers: Sequence[int]) -> "Rewind":
        """As `numbers` gives them. An earlier version of the program knew fewer topics, a later one may know more."""
        since, offset, clock, *beside = numbers
        return cls(since, Offsets(offset, *beside), clock)

    @property
    def numbers(self) -> list[int]:
        """As they stand in the metadata."""
        offset, *beside = self.offsets
        return [self.since, offset, self.clock, *beside]


@dataclass(frozen=True, slots=True)
class OutboxProgress:
    """The metadata of a committed offset."""

    published: int = 0
    """Sequence of the last outbox entry that is in Kafka."""
    rewind: Rewind | None = None

    @classmethod
    def read(cls, metadata: str | None) -> "OutboxProgress | None":
        """None if the text says nothing of the kind."""
        numbers = (metadata or "").split(" ")
        if 1 < len(numbers) < 4 or not all(number.isdecimal() for number in numbers):
            return None
        published, *rewind = map(int, numbers)
        return cls(published, Rewind.read(rewind) if rewind else None)

    def __str__(self) -> str:
        return " ".join(map(str, (self.published, *(self.rewind.numbers if self.rewind else ()))))

    def up_to(self, sequence: int) -> "OutboxProgress":
        """The same with more published."""
        return replace(self, published=max(sequence, self.published))

    def at(self, offsets: Offsets, clock: int) -> "OutboxProgress":
        """The same, when everything that the loop had to publish up to there is published."""
        if self.rewind is None or clock < self.rewind.clock:
            return self
        if any(at < was_at for at, was_at in zip_longest(offsets, self.rewind.offsets, fillvalue=0)):
            return self  # also where only another version of the program reads that far in a topic
        return replace(self, rewind=None)
