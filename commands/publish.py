"""`tracker publish`: records from a file into Kafka, just as core banking and marketing tools would send them."""

import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from confluent_kafka import KafkaException, Message

from commands import rights
from commands.console import Failure, out, progress, settings_with
from commands.kafka import partitions, producer
from commands.lines import reading
from handlers.intake.inputs import INPUTS
from handlers.intake.lines import topic_of
from schemas.transaction import HEARTBEAT_HEADER, Moment
from schemas.units import DAY_MS, EpochMs, epoch_ms, rfc3339
from streams.broker.topics import topics_read
from streams.ops.settings import Settings

SHOW_EVERY = 1_000
LOOKED_AT = 100
"""Lines at the start of a file that say what it is."""
FULL_WAIT_SECONDS = 0.05


def publish(
    file: Annotated[
        Path, typer.Argument(help="JSON Lines or Parquet, as `tracker replay` takes them; - is standard input.")
    ],
    rate: Annotated[float | None, typer.Option(min=0.001, metavar="EVENTS_PER_S", help="No faster than this.")] = None,
) -> None:
    """Publish a file of transactions as core banking would.

    A line is a transaction, or a record of the topic that its field `record` names (alert-outcomes, customer-events).
    Each is sent as it is, keyed by its customer_id, so that a customer's events stay in order. A line in which no
    customer_id can be read is sent without a key and ends among the dead letters; a file that is none of records is
    refused before anything is sent. At the end every partition is told how far time has come, so that silence can be
    noticed.
    """
    settings = settings_with("kafka_bootstrap_servers")
    with reading(file) as source, progress("publishing", source.total, "bytes") as bar:
        lines = _records(file, source.lines)
        feed = Feed(settings)
        started = time.monotonic()
        for line in lines:
            feed.send(line)
            if rate is not None:
                feed.wait(started + feed.sent / rate)
            if feed.sent % SHOW_EVERY == 0:
                bar.at(source.at())
        feed.end()
    seconds = max(time.monotonic() - started, 1e-9)
    counts = {topic: count for topic, count in feed.counts.items() if count or topic == settings.topic_transactions}
    for topic, count in counts.items():
        out.print(f"{count:,} lines sent to {topic} in {seconds:,.1f} s")
    if feed.without_key:
        out.print(f"{feed.without_key:,} of them have no customer_id: look for them in `tracker dead-letters list`")
    if feed.failed:
        raise Failure(f"{feed.failed:,} lines were not delivered: {feed.why}; publish them again")


def _records(file: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines that are not blank. Raises Failure for a file that isn't one of records: before anything is sent."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line)
    start = list(islice(numbered, LOOKED_AT))
    wrong = [number for number, line in start if customer_of(line) is None]
    if 2 * len(wrong) > len(start):
        raise Failure(
            f"{file}, line {wrong[0]}: must be a JSON object with a customer_id; {len(wrong)} of the first {len(start)}"
            " lines are not: nothing was sent"
        )
    return chain((line for _, line in start), (line for _, line in numbered))


class Feed:
    """What core banking does: one record for each transaction, and a heartbeat when there is nothing more to say.

    Raises Failure if a topic does not exist or may not be written to, KafkaException if there is no broker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, topics = settings, topics_read(settings)
        self._topic = topics.transactions
        self._topics = {one.name: topic for one, topic in zip(INPUTS, topics, strict=True)}
        self._producer = producer(settings, on_delivery=self._undelivered)
        self._allowed: set[str] = set()
        self._require(self._topic)
        self._partitions = partitions(self._producer, self._topic)
        self.counts = dict.fromkeys(topics, 0)
        """Lines sent, by topic."""
        self._newest = EpochMs(0)
        self._believable = EpochMs(int(time.time() * 1000) + DAY_MS)
        self.sent = 0
        self.without_key = 0
        self.failed = 0
        self.why = ""

    def send(self, line: bytes) -> None:
        """Hands a record to the producer; waits while its queue is full."""
        topic = self._topics[topic_of(line).name]
        if topic not in self._allowed:
            self._require(topic)
        customer_id, at = _read(line)
        if topic == self._topic and at is not None and self._newest < at < self._believable:
            self._newest = at
        self.without_key += customer_id is None
        key = None if customer_id is None else customer_id.encode()
        self._produce(lambda: self._producer.produce(topic, key=key, value=line))
        self.counts[topic] += 1
        self.sent += 1

    def end(self) -> None:
        """Returns when everything is delivered or has failed, with stream time told to every partition."""
        self._producer.flush()
        if not self._newest:
            return
        headers: list[tuple[str, str | bytes | None]] = [(HEARTBEAT_HEADER, rfc3339(self._newest).encode())]
        for number in self._partitions:
            self._produce(lambda n=number: self._producer.produce(self._topic, partition=n, headers=headers))  # type: ignore[misc]
        self._producer.flush()

    def wait(self, until: float) -> None:
        """Serves deliveries until then (time.monotonic)."""
        while (left := until - time.monotonic()) > 0:
            self._producer.poll(left)

    def _require(self, topic: str) -> None:
        rights.require(self._settings, rights.writing(topic))
        self._allowed.add(topic)

    def _produce(self, produce: Callable[[], None]) -> None:
        while True:
            try:
                produce()
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(FULL_WAIT_SECONDS)
            except KafkaException as error:  # larger than any broker here takes
                self._count(str(error.args[0].str()))
                return

    def _undelivered(self, error: object, _: Message) -> None:
        if error is not None:
            self._count(str(error))

    def _count(self, why: str) -> None:
        self.failed += 1
        self.why = why


def customer_of(line: bytes) -> str | None:
    """The customer_id in a record, None if it can't be read: the record's key."""
    return _read(line)[0]


class _Keyed(msgspec.Struct, gc=False):
    customer_id: str


class _Event(_Keyed, gc=False):
    occurred_at: Moment


_event = msgspec.json.Decoder(_Event)
_keyed = msgspec.json.Decoder(_Keyed)


def _read(line: bytes) -> tuple[str | None, EpochMs | None]:
    """What a line says of its customer and its time; None for what can't be read."""
    try:
        event = _event.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return _keyed.decode(line).customer_id, None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None, None
    at = event.occurred_at
    return event.customer_id, EpochMs(at) if isinstance(at, int) else epoch_ms(at)
