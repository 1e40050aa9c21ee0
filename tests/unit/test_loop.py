"""The work on what was polled, over the store in memory."""

from threading import Lock
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry

from handlers.intake.events import Record
from handlers.intake.inputs import SIDE_INPUTS
from streams.broker.ownership import Ownership, PolledBatch
from streams.broker.publisher import Publisher
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.settings import Settings
from streams.store.memory_store import MemoryStore
from streams.store.port import Fenced
from streams.worker.loop import Loop
from tests.bank import salary
from tests.partitions import parts


class Refusals:
    """Whoever claims again: keeps what a partition was refused with."""

    def __init__(self) -> None:
        self.met: list[type[Exception]] = []

    def reclaim(self, ownership: Ownership, error: Exception) -> None:
        self.met.append(type(error))


def test_a_commit_that_is_refused_is_told_as_refused_where_its_partition_is_measured_at_once() -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")
    store, health, metrics = MemoryStore(), Health(), Metrics(CollectorRegistry())
    nothing, refusals, made = cast(Any, None), Refusals(), parts(store)
    partition = made.partition(0)
    publisher = Publisher(settings, nothing, store, nothing, health, metrics, nothing, nothing)
    loop = Loop(Lock(), made, publisher, refusals, metrics)
    partition.claim()
    ownership = Ownership(partition, partition.reached)
    store.claim(0)  # by somebody else
    told = salary(0)
    records = [Record(0, 0, told["customer_id"].encode(), msgspec.json.encode(told))]
    loop.work([PolledBatch(ownership, records, [[]] * len(SIDE_INPUTS), partition.reached, None, 0, True)], list)
    loop.settle()
    assert refusals.met == [Fenced]
    assert not ownership.alive
