"""Events a second and processor time an event, from a backlog."""

import time
from dataclasses import dataclass
from typing import get_args

from confluent_kafka import KafkaException

from commands.benchmark.stage import Stage, Worker
from commands.benchmark.workload import CATALOGUE, Part, Workload, partition_of
from commands.console import Failure
from commands.kafka import producer
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from learning.replay import Replay
from schemas.alert import Kind
from streams.ops.metrics import Step

_FULL_WAIT_SECONDS = 0.05
_REPLAY_BATCH = 8_000


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a backlog took. Times in µs are an event's share."""

    events: int
    events_per_s: float
    seconds: float
    worker_cpu_us: float
    redis_cpu_us: float
    broker_cpu_us: float | None
    cores_elsewhere: float | None
    """Cores that were busy with what has no part in the measurement: much above 0, and the other figures are too bad.
    None where the broker is on another machine."""
    steps_us: dict[str, float | None]
    """Time that the workers spent in each step of the loop, processor or waiting; `poll` and `publish` run beside the
    others. None where /metrics did not answer."""
    batch_events: float | None
    """Records in a batch of a partition, mean."""
    alerts_share: float | None
    """Alerts committed, an event."""
    memory_bytes: int
    """Resident memory of all workers at the end."""


def publish(stage: Stage, part: Part) -> None:
    """Everything into the topic, as fast as it will go. Raises Failure if a record was not delivered."""
    failed: list[str] = []
    sender = producer(stage.settings, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    topic = stage.settings.topic_transactions
    partitions = partition_of(part.customer, stage.partitions).tolist()
    for partition, (key, value) in zip(partitions, part.values(), strict=True):
        while True:
            try:
                sender.produce(topic, value, key, partition)
                break
            except BufferError:
                sender.poll(_FULL_WAIT_SECONDS)
    try:
        left = sender.flush()
    except KafkaException as error:
        raise Failure(f"The workload was not delivered: {error}") from error
    if failed or left:
        raise Failure(
            f"{len(failed) + left:,} records of the workload were not delivered: {(failed or ['time out'])[0]}"
        )


def from_backlog(stage: Stage, part: Part, workers: list[Worker]) -> Throughput:
    """The workers are ready and idle, and held while the backlog is published.

    The clock runs from the first commit that is seen to the last; what was committed by the first is not counted.
    Processor time is of the whole, from letting go to the last commit.
    """
    before, samples = stage.processed(), _added(workers)
    for worker in workers:
        worker.hold()
    try:
        publish(stage, part)
        cpu, let_go = stage.cpu(workers), time.monotonic()
    finally:
        for worker in workers:
            worker.go_on()
    marks = [mark for mark in stage.progress(before + len(part)) if mark[1] > before]
    used = stage.cpu(workers)
    (first_at, first), (last_at, last) = marks[0], marks[-1]
    seconds = max(last_at - first_at, 1e-9)
    steps, batches, alerts = _steps(samples, _added(workers))
    us = 1e6 / len(part)
    return Throughput(
        events=len(part),
        events_per_s=(last - first) / seconds,
        seconds=seconds,
        worker_cpu_us=(used.workers - cpu.workers) * us,
        redis_cpu_us=(used.redis - cpu.redis) * us,
        broker_cpu_us=None if used.broker is None or cpu.broker is None else (used.broker - cpu.broker) * us,
        cores_elsewhere=None
        if used.elsewhere is None or cpu.elsewhere is None
        else (used.elsewhere - cpu.elsewhere) / (last_at - let_go),
        steps_us={step: None if seconds is None else seconds * us for step, seconds in steps.items()},
        batch_events=len(part) / batches if batches else None,
        alerts_share=None if alerts is None else alerts / len(part),
        memory_bytes=sum(worker.memory_bytes() for worker in workers),
    )


Samples = dict[tuple[str, str], float]


def _steps(before: Samples, after: Samples) -> tuple[dict[str, float | None], float | None, float | None]:
    """Seconds in each step, batches, alerts."""

    def added(name: str, label: str = "") -> float | None:
        key = name, label
        return after[key] - before[key] if key in before and key in after else None

    steps = {step: added("tracker_step_seconds_sum", step) for step in get_args(Step)}
    alerts = [added("tracker_alerts_total", kind) for kind in get_args(Kind)]
    return steps, added("tracker_batch_events_count"), sum(alerts) if None not in alerts else None  # type: ignore[arg-type]


def replayed(workload: Workload, events: int) -> float:
    """Events a second of `tracker replay`, its files left out: the decisions alone, in this process."""
    rules = Rules(*CATALOGUE)
    intake = TransactionIntake("transactions", "EUR", {}, keyed=False)
    for number in (1_000, events):  # the first loads what is compiled
        lines = [value for _, value in workload.part(number).values()]
        started = time.perf_counter()
        for _ in Replay(intake, rules, "transactions", _REPLAY_BATCH).alerts(lines):
            pass
    return events / (time.perf_counter() - started)


def _added(workers: list[Worker]) -> Samples:
    """The samples of all workers' /metrics, added up."""
    total: Samples = {}
    for worker in workers:
        for name, value in worker.samples().items():
            total[name] = total.get(name, 0.0) + value
    return total
