"""Which partitions are ours, and since when: claimed when Kafka gives them, ended when it takes them away.

Where a partition is read from is the store's word alone. A partition that could not be claimed, or whose ownership was
refused later, stays assigned but paused, and is claimed again, with growing pauses. All methods but `reclaim` are for
the thread that polls.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from queue import SimpleQueue
from threading import Lock

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streams.broker.membership import Membership, OutOfGroup
from streams.broker.ownership import STANDING_STILL, Ownership, PartitionsChanged, take
from streams.broker.published_scan import PublishedScan
from streams.broker.publisher import Publisher
from streams.broker.side_topics import SideTopics
from streams.broker.topics import Topics
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.retry import Retry
from streams.partition.partition import Partition
from streams.store.port import Fenced, StoreUnavailable

_ANSWER_SECONDS_MAX = 5.0
_FENCED_SECONDS = 1.0

_log = logging.getLogger("tracker.claims")


class Assignment:
    """`open_partition` makes the state of a partition, `release` forgets it in memory; both are called under `lock`,
    which is held whenever an ownership begins or ends."""

    def __init__(
        self,
        topics: Topics,
        retry_seconds_max: float,
        membership: Membership,
        side_topics: SideTopics,
        lock: Lock,
        open_partition: Callable[[int], Partition],
        release: Callable[[int], None],
        publisher: Publisher,
        published_scan: PublishedScan,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._topics = topics
        self._topic = topics.transactions
        self._retry_seconds_max = retry_seconds_max
        self._membership = membership
        self._side_topics = side_topics
        self._lock = lock
        self._open_partition = open_partition
        self._release = release
        self._publisher = publisher
        self._published_scan = published_scan
        self._health = health
        self._metrics = metrics
        self._refused: SimpleQueue[tuple[Ownership, Exception]] = SimpleQueue()
        self._given: set[int] = set()
        """Assigned by Kafka, whether they could be claimed or not."""
        self._held: dict[int, Ownership] = {}
        self._ended: dict[int, Ownership] = {}
        """The last ownership of each partition that is ours, and can't be worked on now."""
        self._attempts: dict[int, Retry] = {}
        self._again_at: dict[int, float] = {}
        self._paused = self._caught_up = False

    def __iter__(self) -> Iterator[Ownership]:
        return iter(tuple(self._held.values()))

    def get(self, number: int) -> Ownership | None:
        """The ownership of a partition, None while there is none."""
        return self._held.get(number)

    @property
    def ended(self) -> list[Ownership]:
        """The last ownership of each partition that Kafka has given, not to be worked on now. From any thread."""
        return list(self._ended.values())

    @property
    def unread(self) -> list[Ownership]:
        """Of partitions that are ours, and of which nothing is fetched now."""
        return [*self.ended, *(self if self._paused else ())]

    def subscribe(self) -> None:
        """Joins the consumer group."""
        self._consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke)

    def join_anew(self, error: KafkaError | OutOfGroup, wait: Callable[[float], object]) -> None:
        """Joins the consumer group with another consumer: this one is out of it for good. Raises LastWord, GaveUp."""
        seconds = self._membership.end(error)
        self._take_away(tuple(self._given))
        wait(seconds)
        self._membership.renew()
        self._paused = False
        self.subscribe()

    def reclaim(self, ownership: Ownership, error: Exception) -> None:
        """The store has refused work under this ownership. From any thread."""
        self._refused.put((ownership, error))

    def turn(self) -> None:
        """Does what is due: ends what was refused, tries again what had not worked, and looks whether this worker is in
        its group. Raises GaveUp, OutOfGroup."""
        self._membership.turn(bool(self._given))
        self._see_whether_caught_up()
        self._publisher.serve(self._consumer)
        while not self._refused.empty():
            ownership, error = self._refused.get()
            if self._held.get(ownership.number) is ownership and isinstance(error, STANDING_STILL):
                self.lose(ownership.number, error)
            elif self._held.get(ownership.number) is ownership:
                if ownership.working.proved:
                    self._attempts[ownership.number].worked()
                self._end(ownership.number)
                self._pause([ownership.number])
                self._postpone(ownership.number, error)
        for number in [number for number, at in self._again_at.items() if at <= time.monotonic()]:
            self._claim_again(number)

    def lose(self, number: int, error: Exception) -> None:
        """Never a silent jump: the partition stays where it is until somebody has decided."""
        self._end(number)
        self._again_at.pop(number, None)
        self._pause([number])
        self._health.trouble(f"partition {number}", str(error))
        _log.error("partition %d stands still: %s", number, error)

    def pause(self, wanted: bool) -> None:
        """Pauses all that is read, or lets it go on."""
        if wanted != self._paused:
            self._paused = wanted
            logs = [TopicPartition(self._topic, number) for number in self._held]
            (self._consumer.pause if wanted else self._consumer.resume)(logs)

    @property
    def _consumer(self) -> Consumer:
        return self._membership.consumer

    def _see_whether_caught_up(self) -> None:
        """Tells the health once everything that was assigned then has been read to its end, and worked off."""
        if self._caught_up or not self._membership.is_in:
            return
        ownerships = [self._held.get(number) for number in self._given]
        if all(ownership is not None and ownership.read_all for ownership in ownerships):
            self._caught_up = True
            self._health.met("caught up")

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # one that was left
            return
        _log.info("given partitions %s", sorted(log.partition for log in given))
        self._metrics.rebalances.inc()
        self._publisher.rebalanced()
        self._given |= {log.partition for log in given}
        for log in given:
            ownership = self._claim(log.partition)
            log.offset = OFFSET_BEGINNING if ownership is None else ownership.start.transactions
        consumer.incremental_assign(given)
        # One that was paused when it was taken away would still be paused, which nothing says.
        consumer.resume(given)
        waiting = [log for log in given if self._paused or log.partition not in self._held]
        if waiting:
            consumer.pause(waiting)

    def _on_revoke(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        """Revoked or lost, it's the same: finish the batch in work, then let go."""
        if consumer is self._consumer:  # else it is one that was left
            self._take_away([log.partition for log in taken])

    def _take_away(self, numbers: Collection[int]) -> None:
        _log.info("partitions %s taken away", sorted(numbers))
        self._metrics.rebalances.inc()
        self._given.difference_update(numbers)
        for number in numbers:
            self._end(number)
            self._ended.pop(number, None)
            self._again_at.pop(number, None)
            self._attempts.pop(number, None)
            self._health.fine(f"partition {number}")
            self._metrics.forget(number)
            with self._lock:
                self._release(number)
        self._tell_store()

    def _end(self, number: int) -> None:
        ownership = self._held.pop(number, None)
        if ownership is not None:
            self._ended[number] = ownership
            with self._lock:
                ownership.alive = False
            self._side_topics.leave(number)
            self._publisher.drop([ownership])

    def _claim(self, number: int) -> Ownership | None:
        """A new ownership, or None when it can't be had now; then when to try again is noted."""
        self._attempts.setdefault(number, Retry(f"claiming partition {number}", self._retry_seconds_max))
        if self._again_at and number not in self._again_at:  # the store has just failed for another partition
            self._again_at[number] = time.monotonic()
            return None
        try:
            with self._lock:
                partition = self._open_partition(number)
                ownership = take(self._consumer, self._topics, partition, self._published_scan, _ANSWER_SECONDS_MAX)
        except (StoreUnavailable, KafkaException) as error:
            self._postpone(number, error)
            return None
        except PartitionsChanged as error:
            for held in [number, *self._held]:  # whose customers may be others' now
                self.lose(held, error)
            return None
        except STANDING_STILL as error:
            self.lose(number, error)
            return None
        self._again_at.pop(number, None)
        self._ended.pop(number, None)
        self._held[number] = ownership
        self._side_topics.read(number, ownership.start)
        self._publisher.own(ownership)
        self._tell_store()
        return ownership

    def _claim_again(self, number: int) -> None:
        if not self._assigned(number):
            self._again_at.pop(number)
            return
        ownership = self._claim(number)
        if ownership is not None:
            self._consumer.seek(TopicPartition(self._topic, number, ownership.start.transactions))
            self._metrics.recoveries.inc()
            _log.info("partition %d: claimed again, reads on from offset %d", number, ownership.start.transactions)
            if not self._paused:
                self._consumer.resume([TopicPartition(self._topic, number)])

    def _postpone(self, number: int, error: Exception) -> None:
        wait = self._attempts[number].failed(error)
        if isinstance(error, Fenced):  # time to hear that the partition is another worker's now
            wait = max(wait, _FENCED_SECONDS)
        self._again_at[number] = time.monotonic() + wait
        if isinstance(error, StoreUnavailable):
            self._health.trouble("redis", str(error))
        _log.warning("partition %d: again in %.1f s: %s", number, wait, error)

    def _tell_store(self) -> None:
        if not self._again_at:
            self._health.fine("redis")

    def _assigned(self, number: int) -> bool:
        return any(log.partition == number for log in self._consumer.assignment())

    def _pause(self, numbers: list[int]) -> None:
        logs = [TopicPartition(self._topic, number) for number in numbers if self._assigned(number)]
        if logs:
            self._consumer.pause(logs)
