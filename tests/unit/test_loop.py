"""The work on what was polled, over the store in memory."""

from threading import Lock
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry

from handlers.batch import Record
from handlers.engine import Engine, Rules
from handlers.intake import Intake
from streams.beside import note_intakes
from streams.cache import RowCache
from streams.claim import Claim, Portion
from streams.health import Health
from streams.loop import Loop
from streams.memory_store import MemoryStore
from streams.metrics import Metrics
from streams.partition import Partition
from streams.publisher import Publisher
from streams.settings import Settings
from streams.store import Fenced
from tests.bank import salary


class Refusals:
    """Whoever claims again: keeps what a partition was refused with."""

    def __init__(self) -> None:
        self.met: list[type[Exception]] = []

    def reclaim(self, claim: Claim, error: Exception) -> None:
        self.met.append(type(error))


def test_a_commit_that_is_refused_is_told_as_refused_where_its_partition_is_measured_at_once() -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")
    store, health, metrics = MemoryStore(), Health(), Metrics(CollectorRegistry())
    nothing, refusals, rules = cast(Any, None), Refusals(), Rules
    intake, engine = Intake("transactions", "EUR", {}), Engine("transactions")
    partition = Partition(
        0, store, intake, engine, note_intakes(settings), rules, "alerts", "letters", RowCache(1 << 20)
    )
    publisher = Publisher(settings, nothing, store, nothing, health, metrics, nothing, nothing)
    loop = Loop(Lock(), intake, engine, rules, store, publisher, refusals, metrics)
    partition.claim()
    claim = Claim(partition, partition.reached, partition.reached)
    store.claim(0)  # by somebody else
    told = salary(0)
    records = [Record(0, 0, told["customer_id"].encode(), msgspec.json.encode(told))]
    loop.work([Portion(claim, records, [], [], partition.reached, None, True)], list)
    loop.settle()
    assert refusals.met == [Fenced]
    assert not claim.alive
