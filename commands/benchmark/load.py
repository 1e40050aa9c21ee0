"""Open loop: a process that sends at fixed moments, whatever the tracker does, and a subscriber that stamps what comes.

A latency runs from the moment at which an event had to be sent, not from when it was sent: a sender that is held up
does not hide what the events in its queue have waited (coordinated omission). The sender is a client as most banks have
it: events wait up to 5 ms, librdkafka's default, for others to share a request.
"""

import gc
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from hdrh.histogram import HdrHistogram

from commands.benchmark.stage import Stage
from commands.benchmark.workload import Part, event_number, partition_of
from commands.console import Failure
from commands.kafka import ANSWER_SECONDS_MAX, DELIVERY_SECONDS_MAX, client, partitions
from streams.ops.settings import load_settings

SILENCE_SECONDS_MAX = 20.0
_TURN_SECONDS = 0.001
_HIGHEST_US = 600_000_000
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """How well the sender kept to its times."""

    seconds: float
    behind_ms_max: float
    """The latest that an event was handed to the client after its time."""


class Sender:
    """A process that sends a part at `rate` events a second. Event i is due at `start` + i / rate (time.monotonic)."""

    def __init__(self, part: Part, rate: float, topic: str, partitions: int) -> None:
        """Returns when the process has everything ready. Raises Failure."""
        self.rate = rate
        self.start = 0.0
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_send, args=(theirs, part, rate, topic, partitions), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def go(self) -> float:
        """Starts in a moment; returns when the first event is due (time.monotonic)."""
        self.start = time.monotonic() + 0.1
        self._pipe.send(self.start)
        return self.start

    def due(self, now: float) -> int:
        """Events whose time has come."""
        return max(0, int((now - self.start) * self.rate))

    def wait(self) -> Sent:
        """Until all is delivered. Raises Failure."""
        sent = self._answer()
        self._process.join()
        assert isinstance(sent, Sent)
        return sent

    def close(self) -> None:
        """Ends the process wherever it is."""
        self._process.terminate()
        self._process.join()

    def _answer(self) -> object:
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise Failure("The process that sends the bench's events has ended; it said why above") from None
        if isinstance(answer, str):
            raise Failure(answer)
        return answer


def _send(pipe: Connection, part: Part, rate: float, topic: str, partitions: int) -> None:
    """The process. Settings come from the environment, as the workers' do."""
    failed: list[str] = []
    tuned = {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
        "delivery.report.only.error": True,
        "on_delivery": lambda error, _: failed.append(str(error)) if error else None,
    }
    sender = Producer(client(load_settings(), **tuned))
    sender.list_topics(topic, timeout=ANSWER_SECONDS_MAX)
    records = list(zip(partition_of(part.customer, partitions).tolist(), part.values(), strict=True))
    gc.collect()
    gc.freeze()
    pipe.send(None)
    start = pipe.recv()
    number, behind = 0, 0.0
    while number < len(records):
        now = time.monotonic()
        due = min(len(records), max(0, int((now - start) * rate) + 1 if now >= start else 0))
        if due > number:
            behind = max(behind, now - start - number / rate)
            for partition, (key, value) in records[number:due]:
                sender.produce(topic, value, key, partition)
            number = due
        sender.poll(0)
        time.sleep(_TURN_SECONDS)
    seconds = time.monotonic() - start
    left = sender.flush(DELIVERY_SECONDS_MAX)
    pipe.send(
        f"{left + len(failed)} events were not delivered: {failed[:1]}"
        if left or failed
        else Sent(seconds, behind * 1e3)
    )


class _Cause(msgspec.Struct):
    event_id: str | None = None


class _Alert(msgspec.Struct):
    alert_id: str
    cause: _Cause


_alert = msgspec.json.Decoder(_Alert)


class Subscriber:
    """Reads a topic from its end on, committed records only, and stamps each as it becomes visible."""

    def __init__(self, stage: Stage, topic: str) -> None:
        tuned = {
            "group.id": f"{stage.settings.group_id}-subscriber",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
        self._consumer = Consumer(client(stage.settings, **tuned))
        logs = []
        for number in partitions(self._consumer, topic):
            _, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_SECONDS_MAX)
            logs.append(TopicPartition(topic, number, high))
        self._consumer.assign(logs)

    def arrivals(self, until: float) -> Iterator[tuple[float, int, str]]:
        """(time.monotonic(), number of the event that is the cause, alert_id) until that moment."""
        while (left := until - time.monotonic()) > 0:
            message = self._consumer.poll(min(left, 0.1))
            if message is None:
                continue
            now, error = time.monotonic(), message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                    raise KafkaException(error)
                continue
            alert = _alert.decode(message.value() or b"")
            if alert.cause.event_id is not None:
                yield now, event_number(alert.cause.event_id), alert.alert_id

    def close(self) -> None:
        """Leaves."""
        self._consumer.close()


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Python's collector stands still meanwhile: it must not be what is measured."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def histogram() -> HdrHistogram:
    """A histogram of microseconds, from 1 µs to 10 min, in three digits."""
    return HdrHistogram(1, _HIGHEST_US, _DIGITS)
