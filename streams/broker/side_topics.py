"""The topics beside the transactions (SIDE_INPUTS): read as the store says, with no group.

Their partition p belongs to whoever owns partition p of the transactions; that is decided by the group of those alone.
So a consumer of their own is assigned them by hand while an ownership lasts. Used by the thread that polls.
"""

from collections.abc import Sequence
from itertools import starmap

from confluent_kafka import Consumer, Message, TopicPartition

from streams.broker.topics import Topics
from streams.store.port import Offsets

SIDE_FETCH = {"fetch.min.bytes": 1, "fetch.wait.max.ms": 100}
"""How its consumer fetches: these topics are at rest most of the time, and what comes is wanted at once."""


class SideTopics:
    """`consumer` never subscribes."""

    def __init__(self, topics: Topics, consumer: Consumer) -> None:
        self.consumer = consumer
        self._topics = topics

    def read(self, number: int, start: Offsets) -> None:
        """From now on `poll` brings the partition's records."""
        logs = list(starmap(TopicPartition, self._places(number, start)))
        self.consumer.incremental_assign(logs)
        self.consumer.resume(logs)  # one that was on hold when it was left would still be

    def leave(self, number: int) -> None:
        """No more of it comes, nor what was fetched of it already."""
        self.consumer.incremental_unassign(list(starmap(TopicPartition, self._places(number, Offsets()))))

    def hold(self, topic: str, number: int, wanted: bool) -> None:
        """Brings no records of that partition of the topic for now, or lets them come again."""
        log = TopicPartition(topic, number)
        (self.consumer.pause if wanted else self.consumer.resume)([log])

    def poll(self, records_max: int) -> Sequence[Message]:
        """What is there, without waiting."""
        return self.consumer.consume(records_max, 0)

    def _places(self, number: int, offsets: Offsets) -> list[tuple[str, int, int]]:
        places = zip(self._topics, offsets, strict=True)
        return [(topic, number, offset) for topic, offset in places if topic != self._topics.transactions]
