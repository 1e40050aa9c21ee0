"""What the consumer group's offset of a partition says beside the offset: how far its alerts are published.

And, once the store has been found behind that (it failed over to an older copy, or lost its last moments), or nothing
is said there any more although the store is not new (the group's offsets were reset, or Kafka forgot an idle group),
from when on the outbound topics may hold what nobody knows to be published. That stands there until the loop has come
again to where it was, so that no crash in between makes anything be published twice.
"""

from dataclasses import dataclass, replace
from operator import lt
from typing import NamedTuple

from streams.store.port import Offsets


class Back(NamedTuple):
    """The store went back, or may have gone back."""

    since: int
    """What is not known was published after this moment by the clock of Kafka's records, epoch ms; 0: ever."""
    offset: int
    """Where the loop was at most."""
    clock: int
    """No tick that was forgotten led to anything that was due later, epoch ms."""
    outcomes: int = 0
    customer_events: int = 0
    """Where it was in these topics."""

    @property
    def offsets(self) -> Offsets:
        """Where the loop was in each topic."""
        return Offsets(self.offset, self.outcomes, self.customer_events)


@dataclass(frozen=True, slots=True)
class Mark:
    """The metadata of a committed offset."""

    published: int = 0
    """Sequence of the last outbox entry that is in Kafka."""
    back: Back | None = None

    @classmethod
    def read(cls, metadata: str | None) -> "Mark | None":
        """None if the text says nothing of the kind."""
        numbers = (metadata or "").split(" ")
        if len(numbers) not in (1, 4, 6) or not all(number.isdecimal() for number in numbers):
            return None
        published, *back = map(int, numbers)
        return cls(published, Back(*back) if back else None)

    def __str__(self) -> str:
        return " ".join(str(number) for number in (self.published, *(self.back or ())))

    def up_to(self, sequence: int) -> "Mark":
        """The same with more published."""
        return replace(self, published=max(sequence, self.published))

    def at(self, offsets: Offsets, clock: int) -> "Mark":
        """The same, when everything that the loop had to publish up to there is published."""
        if self.back is None or clock < self.back.clock or any(map(lt, offsets, self.back.offsets)):
            return self
        return replace(self, back=None)
