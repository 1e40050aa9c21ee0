"""Holds the start until Kafka answers, has the topics that the worker needs, and gives it every right that it needs.

Rights are looked at again and again while the worker runs: one that has gone may show nowhere else until much later.
"""

import asyncio
import logging
from threading import Event

from confluent_kafka import Consumer, KafkaException
from mode import Service

from streams.broker.rights import MissingRights, Rights, worker_rights
from streams.broker.topics import needed_topics, topics_read
from streams.ops.health import Health
from streams.ops.retry import Retry
from streams.ops.settings import Settings

_ANSWER_SECONDS_MAX = 3.0
_RIGHTS_SECONDS = 10.0
"""Between looks at the rights of a running worker."""

_log = logging.getLogger("tracker.gate")


class MissingTopics(Exception):
    """Topics are not there, or not as they must be; the text says which and what to do."""


class Preflight(Service):
    """A service that counts as started once everything is there. It doesn't make topics: who may is the bank's
    decision. Raises GaveUp after TRACKER_RETRY_SECONDS_MAX."""

    def __init__(self, settings: Settings, consumer: Consumer, health: Health) -> None:
        super().__init__()
        self._consumer = consumer
        self._health = health
        self._needed = needed_topics(settings)
        self._together = topics_read(settings)
        self._rights, self._needed_rights = Rights(settings), worker_rights(settings)
        self._over = Event()
        self._retry = Retry("waiting for Kafka", settings.retry_seconds_max)

    async def on_stop(self) -> None:
        self._over.set()

    async def on_start(self) -> None:
        while not self.should_stop:
            try:
                await asyncio.to_thread(self._look)
            except (KafkaException, MissingTopics, MissingRights) as error:
                wait = self._retry.failed(error)
                self._health.trouble("kafka", str(error))
                _log.warning("waiting for Kafka: %s", error)
                await self.sleep(wait)
            else:
                self._health.fine("kafka")
                return

    def watch_rights(self) -> None:
        """In a thread of its own, for as long as the worker runs, once it has started."""
        while not self._over.wait(_RIGHTS_SECONDS):
            try:
                self._rights.require(self._needed_rights)
            except MissingRights as error:
                if not self._health.troubled("rights"):
                    _log.error("%s", error)
                self._health.trouble("rights", str(error))
            except KafkaException:  # whoever needs Kafka says what is wrong with it
                pass
            else:
                self._health.fine("rights")

    def _look(self) -> None:
        """Rights come first: without any, nobody is told whether there is such a topic. Each topic is asked for by its
        name: that is what makes a broker know it to others."""
        self._rights.require(self._needed_rights)
        wrong = []
        counts: dict[str, int] = {}
        for name, partitions in self._needed.items():
            found = self._consumer.list_topics(name, timeout=_ANSWER_SECONDS_MAX).topics[name]
            if found.error is not None:
                wrong.append(f"{name}: {found.error.str()}")
            elif partitions is not None and len(found.partitions) != partitions:
                wrong.append(f"{name}: has {len(found.partitions)} partitions, must have {partitions}")
            else:
                counts[name] = len(found.partitions)
        if len({counts[name] for name in self._together if name in counts}) > 1:
            having = ", ".join(f"{name} {counts[name]}" for name in self._together if name in counts)
            wrong.append(f"a customer's records are in partitions of one number, but there are of {having}")
        if wrong:
            raise MissingTopics(f"{'; '.join(wrong)}; `tracker topics create` makes them")
