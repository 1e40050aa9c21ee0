"""What one partition has waiting for Kafka, as the publisher holds it."""

from collections import deque
from collections.abc import Sequence

from streams.broker.ownership import Ownership
from streams.broker.progress import OutboxProgress
from streams.broker.published_scan import Said
from streams.store.port import Offsets, Outgoing

Entry = tuple[int, Outgoing]


class OutboxQueue:
    """Entries in the order of their sequence, each once, above what is published.

    Until it is settled nobody knows what is published: that is read from Kafka, and the entries from the store.
    """

    def __init__(self, ownership: Ownership) -> None:
        self.ownership = ownership
        self.settled = False
        self.progress = OutboxProgress()
        """What is published, as the consumer group knows it."""
        self.said: Said | None = None
        """What is on the outbound topics although the store may have forgotten it; None where nothing can be."""
        self.offsets = ownership.start
        """Where the loop stands."""
        self.clock = 0
        """Nobody is due any more up to this time, epoch ms."""
        self.acknowledged: Offsets | None = None
        """Where the consumer group has last been told that it stands."""
        self.bytes = 0
        self._entries: deque[Entry] = deque()
        self._last = 0

    def __len__(self) -> int:
        return len(self._entries)

    def settle(self, progress: OutboxProgress, stored: Sequence[Entry]) -> None:
        """`stored` is what the store's outbox holds above what is published; later ones may have been added."""
        added = [entry for entry in self._entries if not stored or entry[0] > stored[-1][0]]
        self.unsettle()
        self.settled, self.progress, self._last = True, progress, progress.published
        self._take([*stored, *added])

    def unsettle(self) -> None:
        """Forgets everything that the store also has."""
        self._entries.clear()
        self.settled, self.bytes, self._last = False, 0, 0

    def add(self, entries: Sequence[Entry], offsets: Offsets, clock: int) -> None:
        """Entries that a commit has written, and where the loop stands after it."""
        self.offsets, self.clock = offsets, clock
        self._take(entries)

    def _take(self, entries: Sequence[Entry]) -> None:
        for sequence, outgoing in entries:
            if sequence > self._last:
                self._entries.append((sequence, outgoing))
                self._last = sequence
                self.bytes += _size(outgoing)

    def head(self, entries_max: int, bytes_max: int) -> list[Entry]:
        """The first entries within both limits; the very first even when it alone is larger."""
        taken: list[Entry] = []
        for entry in self._entries:
            bytes_max -= _size(entry[1])
            if len(taken) == entries_max or (taken and bytes_max < 0):
                break
            taken.append(entry)
        return taken

    def mark_after(self, entries: Sequence[Entry]) -> OutboxProgress:
        """What the group is to know once these, the first entries, are published."""
        progress = self.progress.up_to(entries[-1][0]) if entries else self.progress
        return progress.at(self.offsets, self.clock) if len(entries) == len(self) else progress

    def published_up_to(self, progress: OutboxProgress, offsets: Offsets) -> None:
        """Kafka has what the progress says, and the group stands at `offsets`."""
        while self._entries and self._entries[0][0] <= progress.published:
            self.bytes -= _size(self._entries.popleft()[1])
        self.progress, self.acknowledged = progress, offsets
        if progress.rewind is None:
            self.said = None
        self.ownership.partition.published = progress.published


def _size(outgoing: Outgoing) -> int:
    return 200 + len(outgoing.key or b"") + len(outgoing.value or b"")
