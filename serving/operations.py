"""What an operator asks: how far each partition is, who has it, what waits, which alerts are switched off."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.alert import Kind
from schemas.policy import Policy
from schemas.units import rfc3339
from serving.shapes import Partition
from streams.broker.clients import kafka_client
from streams.broker.topics import letters_group, reader_group
from streams.ops.settings import Settings
from streams.store.port import Position

SwitchTo = Literal["on", "off", "dry-run"]

_SECONDS_MAX = 5.0
_KEPT_SECONDS = 1.0


def switched(policy: Policy, kind: Kind, to: str) -> Policy:
    """The policy with a kind of alerts on, off or in a dry run (SwitchTo)."""
    kill, dry_run = ([other for other in kinds if other != kind] for kinds in (policy.kill, policy.dry_run))
    return msgspec.structs.replace(
        policy, kill=kill + [kind] * (to == "off"), dry_run=dry_run + [kind] * (to == "dry-run")
    )


def state_of(policy: Policy, kind: Kind) -> SwitchTo:
    """How a kind of alerts is."""
    return "off" if kind in policy.kill else "dry-run" if kind in policy.dry_run else "on"


class Group:
    """What Kafka says of the workers' group, asked at most once a second however many look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = Consumer(kafka_client(settings, lambda _: None) | {"group.id": reader_group(settings)})
        # A consumer that only asks what has been committed: it joins nothing.
        self._letters = Consumer(kafka_client(settings, lambda _: None) | {"group.id": letters_group(settings)})
        self._admin = AdminClient(kafka_client(settings, lambda _: None))
        self._thread = ThreadPoolExecutor(1, "group")
        self._lock = asyncio.Lock()
        self._asked = 0.0
        self._ends: dict[int, int] = {}
        self._owners: dict[int, str] = {}
        self._replayed: dict[int, int] = {}

    async def partitions(self, positions: dict[int, Position]) -> list[Partition]:
        """Each partition that was ever claimed."""
        await self._refresh(list(positions))
        return [self._partition(number, position) for number, position in sorted(positions.items())]

    async def replayed_to(self) -> dict[int, int]:
        """By partition of the dead letters, the first one that has not been replayed; none where nothing ever was."""
        await self._refresh([])
        return self._replayed

    def close(self) -> None:
        self._thread.shutdown()
        self._consumer.close()
        self._letters.close()

    def _partition(self, number: int, position: Position) -> Partition:
        end = self._ends.get(number)
        return Partition(
            partition=number,
            offset=position.offset,
            end=end,
            lag=None if end is None else max(end - position.offset, 0),
            clock=rfc3339(position.clock),
            owner=self._owners.get(number),
        )

    async def _refresh(self, numbers: list[int]) -> None:
        async with self._lock:
            if time.monotonic() - self._asked > _KEPT_SECONDS or set(numbers) - self._ends.keys():
                await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, numbers or list(self._ends))
                self._asked = time.monotonic()

    def _ask(self, numbers: list[int]) -> None:
        self._ends = self._ask_ends(numbers)
        self._owners = self._ask_owners()
        self._replayed = self._ask_replayed()

    def _ask_ends(self, numbers: list[int]) -> dict[int, int]:
        topic, ends = self._settings.topic_transactions, {}
        try:
            for number in numbers:
                log = TopicPartition(topic, number)
                ends[number] = self._consumer.get_watermark_offsets(log, timeout=_SECONDS_MAX)[1]
        except KafkaException:
            return {}
        return ends

    def _ask_owners(self) -> dict[int, str]:
        topic, owners = self._settings.topic_transactions, {}
        try:
            asked = self._admin.describe_consumer_groups([self._settings.group_id], request_timeout=_SECONDS_MAX)
            for member in asked[self._settings.group_id].result(_SECONDS_MAX).members:
                name = member.group_instance_id or member.member_id
                for log in member.assignment.topic_partitions if member.assignment else ():
                    if log.topic == topic:
                        owners[log.partition] = f"{name} on {member.host.lstrip('/')}"
        except (KafkaException, TimeoutError):
            return {}
        return owners

    def _ask_replayed(self) -> dict[int, int]:
        topic = self._settings.topic_dead_letters
        try:
            known = self._letters.list_topics(topic, timeout=_SECONDS_MAX).topics[topic].partitions
            logs = [TopicPartition(topic, number) for number in known]
            return {log.partition: max(log.offset, 0) for log in self._letters.committed(logs, timeout=_SECONDS_MAX)}
        except KafkaException:
            return {}
