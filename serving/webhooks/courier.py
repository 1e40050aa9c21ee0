"""What brings one endpoint its alerts: a consumer group's member, with a lane for each partition of the topic.

A lane sends one alert after the other, so that a customer's come in their order; a lane whose alert fails waits and
tries again, and the others go on. The group's offset moves when an alert was taken or put to the dead letters, before
the next is sent: a crash repeats the one that was on its way, with the same webhook-id, and no other.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from serving.webhooks.delivery import Answer, deliver
from serving.webhooks.endpoints import Endpoint
from serving.webhooks.heads import headed
from serving.webhooks.letters import Letters, Tried
from serving.webhooks.numbers import Numbers
from streams.broker.clients import RECORD_BYTES_MAX, kafka_client
from streams.broker.topics import webhook_group
from streams.ops.settings import Settings

ANSWER_SECONDS_MAX = 10.0
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 300.0
"""Between two attempts at an alert: doubled each time, with jitter."""
LANE_MAX = 100
"""So many alerts of a partition are held at most while an earlier one is tried."""
_POLL_SECONDS = 0.2

_log = logging.getLogger("tracker.webhooks")


class Gone(Exception):
    """The endpoint has answered 410: it wants no more."""


class Courier:
    """To `begin` with, then to `run` until `stop` or until the endpoint is gone."""

    def __init__(self, settings: Settings, endpoint: Endpoint, letters: Letters, numbers: Numbers) -> None:
        self._settings, self._endpoint, self._letters, self._numbers = settings, endpoint, letters, numbers
        self._consumer = Consumer(
            kafka_client(settings, self._on_error) | _TUNED | {"group.id": webhook_group(settings, endpoint.name)}
        )
        self._lanes: dict[int, _Lane] = {}
        self._stopping = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Raises Gone, KafkaException."""
        loop = asyncio.get_running_loop()

        def revoked(_: Consumer, partitions: list[TopicPartition]) -> None:
            asyncio.run_coroutine_threadsafe(self._end([each.partition for each in partitions]), loop).result()

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as http:
            self._consumer.subscribe([self._settings.topic_alerts], on_revoke=revoked, on_lost=revoked)
            try:
                while not self._stopping.is_set() and not self._failed.done():
                    messages = await asyncio.to_thread(self._consumer.consume, LANE_MAX, _POLL_SECONDS)
                    owned = {assigned.partition for assigned in self._consumer.assignment()}
                    for number, messages_of_partition in _by_partition(messages).items():
                        if number not in owned:  # read just before it was given away
                            continue
                        if number not in self._lanes:
                            self._lanes[number] = _Lane(self, http, number)
                        self._lanes[number].put(messages_of_partition)
                    self._hold_back()
            finally:
                await self._end(list(self._lanes))
                await asyncio.to_thread(self._consumer.close)
        if self._failed.done():
            self._failed.result()

    def begin(self) -> None:
        """Gives a new endpoint its places in the topic: without them it would begin at the end with each start.

        Raises KafkaException.
        """
        topic, end = self._settings.topic_alerts, self._endpoint.described.begin == "now"
        numbers = self._consumer.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions
        committed = self._consumer.committed([TopicPartition(topic, n) for n in numbers], timeout=ANSWER_SECONDS_MAX)
        new = [start for start in committed if start.offset < 0]
        for start in new:
            low, high = self._consumer.get_watermark_offsets(start, timeout=ANSWER_SECONDS_MAX)
            start.offset = high if end else low
        if new:
            self._consumer.commit(offsets=new, asynchronous=False)

    def _hold_back(self) -> None:
        for number, lane in self._lanes.items():
            partition = [TopicPartition(self._settings.topic_alerts, number)]
            if lane.full and not lane.paused:
                self._consumer.pause(partition)
                lane.paused = True
            elif lane.paused and lane.empty:
                self._consumer.resume(partition)
                lane.paused = False

    async def _end(self, numbers: list[int]) -> None:
        """What is on its way arrives, or fails, and is acknowledged; what waits is left to whoever comes next."""
        lanes = [lane for number in numbers if (lane := self._lanes.pop(number, None)) is not None]
        await asyncio.gather(*(lane.end() for lane in lanes))

    def failed(self, error: BaseException) -> None:
        """A lane can't go on, and so nothing can."""
        if not self._failed.done():
            self._failed.set_exception(error)

    async def settle(self, message: Message, http: aiohttp.ClientSession, ending: asyncio.Event) -> bool:
        """Until the alert is taken or a dead letter. False where it is neither and the lane ends. Raises Gone."""
        name, since = self._endpoint.name, time.time()
        try:
            head = headed(message)
        except msgspec.DecodeError:
            return await self._put_away(message, "is no alert", since, ending)
        if head.kind not in self._endpoint.described.kinds:
            return True
        wait = FIRST_SECONDS
        while True:
            answer = await deliver(http, self._endpoint, head, message.value() or b"")
            self._numbers.answered(name, answer.kind)
            if answer.kind == "taken":
                return True
            if answer.kind == "gone":
                raise Gone(name)
            if answer.kind == "refused" or time.time() - since > self._endpoint.described.give_up_hours * 3_600:
                return await self._put_away(message, answer.said, since, ending)
            _log.warning("%s: partition %s waits: %s", name, message.partition(), answer.said)
            pause = _pause(answer, wait)
            wait = min(wait * 2, LONGEST_SECONDS)
            if await _sleep(pause, ending):
                return False

    async def acknowledge(self, message: Message, ending: asyncio.Event) -> None:
        """Moves the group's offset beyond the alert."""
        position = TopicPartition(self._settings.topic_alerts, message.partition() or 0, (message.offset() or 0) + 1)
        await self._until_taken(partial(self._commit, position), ending)

    def _commit(self, position: TopicPartition) -> None:
        """Raises KafkaException, but where the partition is no longer ours."""
        try:
            self._consumer.commit(offsets=[position], asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _NO_LONGER_OURS:
                raise

    async def _put_away(self, message: Message, why: str, since: float, ending: asyncio.Event) -> bool:
        tried = Tried(self._endpoint.name, why, int(since * 1_000))
        if not await self._until_taken(partial(self._letters.write, message, tried), ending):
            return False
        self._numbers.put_away(self._endpoint.name)
        _log.warning("%s: an alert went to the dead letters: %s", self._endpoint.name, why)
        return True

    async def _until_taken(self, ask: Callable[[], object], ending: asyncio.Event) -> bool:
        """Asks Kafka until it does so, for as long as the lane goes on. Whether it has."""
        wait = FIRST_SECONDS
        while True:
            try:
                await asyncio.to_thread(ask)
            except KafkaException as error:
                _log.warning("%s: Kafka: %s", self._endpoint.name, error.args[0].str())
                if await _sleep(wait, ending):
                    return False
                wait = min(wait * 2, LONGEST_SECONDS)
            else:
                return True

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or not error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN:
            _log.warning("%s: Kafka: %s", self._endpoint.name, error.str())


class _Lane:
    """The alerts of one partition, sent one after the other."""

    def __init__(self, courier: Courier, http: aiohttp.ClientSession, number: int) -> None:
        self._courier, self._http = courier, http
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._ending = asyncio.Event()
        self._next_offset = 0
        self.paused = False
        self._task = asyncio.create_task(self._run(), name=f"lane-{number}")
        self._task.add_done_callback(self._done)

    def put(self, messages: list[Message]) -> None:
        """Takes what it has not taken before: a partition that comes back is read again from what was acknowledged."""
        for message in messages:
            if (offset := message.offset() or 0) >= self._next_offset:
                self._next_offset = offset + 1
                self._waiting.put_nowait(message)

    @property
    def full(self) -> bool:
        return self._waiting.qsize() >= LANE_MAX

    @property
    def empty(self) -> bool:
        return self._waiting.empty()

    async def end(self) -> None:
        self._ending.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while (message := await self._next()) is not None:
            if not await self._courier.settle(message, self._http, self._ending):
                return
            await self._courier.acknowledge(message, self._ending)

    def _done(self, task: asyncio.Task[None]) -> None:
        if (error := task.exception()) is not None:
            self._courier.failed(error)

    async def _next(self) -> Message | None:
        """None where the lane ends."""
        if self._ending.is_set():
            return None
        getting, ending = asyncio.create_task(self._waiting.get()), asyncio.create_task(self._ending.wait())
        _, left = await asyncio.wait((getting, ending), return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        return None if self._ending.is_set() else getting.result()


def _by_partition(messages: list[Message]) -> dict[int, list[Message]]:
    """Raises KafkaException for an error after which nothing will come."""
    by_partition: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        error = message.error()
        if error is None:
            by_partition[message.partition() or 0].append(message)
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)
    return by_partition


def _pause(answer: Answer, wait: float) -> float:
    asked = answer.wait_seconds or 0.0
    return max(asked, random.uniform(wait / 2, wait))


async def _sleep(seconds: float, ending: asyncio.Event) -> bool:
    """Whether it was told to end meanwhile."""
    try:
        await asyncio.wait_for(ending.wait(), seconds)
    except TimeoutError:
        return False
    return True


_NO_LONGER_OURS = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._STATE,
)
"""Somebody else has the partition by now, and sends the alert again."""

_TUNED: dict[str, Any] = {
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "fetch.message.max.bytes": RECORD_BYTES_MAX,
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 8_192,
}
