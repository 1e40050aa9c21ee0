"""One spell of owning one partition: from its claim in the store until it is taken away or refused."""

import logging
from dataclasses import dataclass, replace
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from handlers.batch import Record
from handlers.layout import LayoutError
from streams.breaker import PoisonFlood
from streams.lookback import Lookback
from streams.mark import Mark
from streams.partition import Partition

_log = logging.getLogger("tracker.claims")


class LostRecords(Exception):
    """Kafka no longer has, or never had, records between where the store stands and where the log can be read."""


STANDING_STILL = (LostRecords, PoisonFlood, LayoutError)
"""After these the partition stays where it is until somebody has decided."""


@dataclass(slots=True, eq=False)
class Claim:
    """A batch carries the claim it was read under; once that is no longer alive, the batch is dropped."""

    partition: Partition
    start: int
    """Offset of the first record to read."""
    fresh: bool
    """Nothing was ever committed for the partition, nor published under this claim."""
    read_to: int
    """Offset after the last record that was handed on to be worked on."""
    alive: bool = True
    proved: bool = False
    """The store has done what was asked under this claim."""
    caught_up: bool = False
    """Everything in the log has been read."""
    high: int = 0
    """Offset after the last record that Kafka was lately known to hold."""
    timestamp_ms: int = 0
    """Kafka timestamp of the last committed record."""

    @property
    def number(self) -> int:
        return self.partition.number


class Portion(NamedTuple):
    """What one poll brought for one partition. With `now`, epoch ms, it is a tick as well."""

    claim: Claim
    records: list[Record]
    follows: int
    """Offset after the last record of the portion before: where the store must stand when this one is worked on."""
    now: int | None
    measure: bool
    """Look at the depths of the state, for the metrics."""


def take(consumer: Consumer, topic: str, partition: Partition, lookback: Lookback, seconds_max: float) -> Claim:
    """Claims the partition in the store and says where to read on: where the store stands, whatever Kafka thinks.

    If more is published than the store knows of, it has gone back. Kafka is told before anything else is written, and
    numbers of outbox entries that were published once are not given again.

    Raises StoreUnavailable, KafkaException (no answer within `seconds_max`), LostRecords.
    """
    position = partition.claim()
    log = TopicPartition(topic, partition.number)
    low, high = consumer.get_watermark_offsets(log, timeout=seconds_max, cached=False)
    (found,) = consumer.committed([log], timeout=seconds_max)
    if found.error is not None:
        raise KafkaException(found.error)
    mark = Mark.read(found.metadata) or Mark()
    if mark.published > position.sequence:
        mark = replace(mark, back=lookback.back(partition.number, position, found.offset, mark.back))
        told = TopicPartition(topic, partition.number, found.offset, str(mark))
        consumer.commit(offsets=[told], asynchronous=False)
        partition.sequence_min = mark.published
        _log.warning("partition %d: the store has gone back to offset %d", partition.number, position.offset)
    start = low if position.version == 0 else position.offset
    if start < low:
        raise LostRecords(f"offsets {start} to {low - 1} have gone from Kafka before they were processed")
    if start > high:
        raise LostRecords(f"offsets {high} to {start - 1} were processed, but Kafka ends before them")
    return Claim(partition, start, position.version == 0, start)
