"""One owned partition, over the store in memory."""

from handlers.batch import Record
from handlers.engine import Rules
from handlers.intake import Intake
from streams.beside import note_intakes
from streams.cache import RowCache
from streams.memory_store import MemoryStore
from streams.partition import Partition
from streams.settings import Settings
from streams.store import Changes, Position

NOTES = note_intakes(Settings())
BROKEN = Record(0, 0, b"k", b"not JSON")


class Overtaken(MemoryStore):
    """A store whose commits take so long that what they write is published before they return."""

    partition: Partition

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        stands = super().commit(partition, at, offset, clock, changes)
        self.partition.published = stands.sequence
        return stands


def test_what_is_published_during_a_commit_is_removed_at_rest() -> None:
    store = Overtaken()
    intake = Intake("transactions", "EUR", {})
    store.partition = Partition(0, "transactions", store, intake, NOTES, Rules, "alerts", "letters", RowCache(1 << 20))
    store.partition.claim()
    store.partition.process([BROKEN], None)
    assert len(store.outbox(0, 0, 9)) == 1
    store.partition.process([], None)
    assert store.outbox(0, 0, 9) == []
