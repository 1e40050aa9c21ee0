"""One seed of one row: topics, a group and a Redis database of its own, workers, and the audit at the end."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from operator import lt
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from commands.state import store
from handlers.engine.rules import Rules
from handlers.intake.stream_time import TIME, StreamTime
from schemas.alert import Alert
from streams.broker.progress import OutboxProgress
from streams.broker.topics import offers_changelog, topics_read
from streams.ops.settings import OWN_RHYTHM, Settings, variable
from streams.partition.partition import CLOCKS_DIFFER_MS_MAX
from streams.store.port import Changes, Offsets, StoreUnavailable
from streams.store.redis_store import redis_of
from tests.fast import OFFERS
from tests.faults import steps
from tests.faults.audit import Figures, History, audit, outbound
from tests.faults.servers import until
from tests.faults.worker import Worker, fork, fork_repartition
from tests.faults.workload import Sent
from tests.secured.cluster import SecuredKafka
from tests.servers import Kafka, fresh_name

REST_SECONDS_MAX = 90.0
SESSION_MS = 1_000
ANSWER_SECONDS_MAX = 15
WENT_BACK = "the store has gone back to offset"
"""What a worker's log then says."""
LEVELS = ("read_uncommitted", "read_committed")
BROKER = ("group.min.session.timeout.ms=500", "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000")
"""Properties of a broker on which a killed worker's partitions are free after SESSION_MS."""


class Scene:
    """`redis_url` is where the workers find Redis, `bootstrap` where they find Kafka; both by default directly."""

    def __init__(
        self,
        kafka: Kafka | SecuredKafka,
        redis_url: str,
        partitions: int,
        *,
        audit_redis_url: str | None = None,
        bootstrap: str | None = None,
        default_batches: bool = False,
        **changes: Any,
    ) -> None:
        """With `default_batches` batches and transactions are as large as the program's own settings make them; else
        they are small, so that a few records take many."""
        name = fresh_name("t")
        self.partitions = partitions
        own: dict[str, Any] = {
            "kafka_bootstrap_servers": bootstrap or kafka.bootstrap_servers,
            "redis_url": redis_url,
            "group_id": name,
            "topic_transactions": name,
            "topic_alerts": f"{name}-alerts",
            "topic_dead_letters": f"{name}-dlq",
            "topic_offers": f"{name}-offers",
            "topic_outcomes": f"{name}-outcomes",
            "topic_customer_events": f"{name}-customer-events",
            "topic_audit": f"{name}-audit",
            "topic_webhook_letters": f"{name}-webhook-dlq",
            "partitions": partitions,
            "clock": "stream",
            "session_timeout_ms": SESSION_MS,
            "poll_records_max": 25,
            "web_port": 0,
            "churn_model": OWN_RHYTHM,
        } | changes
        if default_batches:
            del own["poll_records_max"]
        self._own = own
        self._small_transactions = not default_batches
        self.settings = Settings(
            **own | {"kafka_bootstrap_servers": kafka.bootstrap_servers, "redis_url": audit_redis_url or redis_url}
        )
        offers = tuple(sorted(OFFERS, key=lambda offer: offer.offer_id))
        key = self.settings.control_key.get_secret_value().encode()
        self.rules = Rules(offers, partitions=partitions, control_key=key)
        self._undo = ExitStack()
        self.logs = Path(tempfile.mkdtemp(prefix="tracker-faults-"))
        self._workers: list[Worker] = []
        self.history = History()
        counts = {name: partitions, f"{name}-alerts": 2, f"{name}-dlq": 1, f"{name}-offers": 1}
        counts |= {f"{name}-outcomes": partitions, f"{name}-customer-events": partitions}
        kafka.create_topics(counts | {offers_changelog(self.settings): 1})
        self._admin = AdminClient(kafka.client)
        self._producer = Producer(kafka.client | {"linger.ms": 5})
        asking = kafka.client | {"group.id": name}
        self._asking = asking
        self._group = Consumer(asking)
        self._undo.callback(lambda: self._group.close())
        self._uncommitted = Consumer(asking | {"isolation.level": "read_uncommitted"})
        self._undo.callback(self._uncommitted.close)
        self._outbound = [(f"{name}-alerts", 0), (f"{name}-alerts", 1), (f"{name}-dlq", 0)]
        self.state = store(self.settings)
        for offer in self.rules.offers:
            self._producer.produce(f"{name}-offers", msgspec.json.encode(offer), offer.offer_id)
        self._flush()

    def publish(self, records: Sequence[Sent]) -> None:
        """Sends the records, in their order. Returns when Kafka has them."""
        topic = self.settings.topic_transactions
        for record in records:
            headers: Any = record.headers
            self._producer.produce(topic, record.value, record.key, record.partition, headers=headers)
        self._flush()

    def send(self, topic: str, record: Sent) -> None:
        """Sends one record to a topic that is read. Returns when Kafka has it."""
        self._producer.produce(topic, record.value, record.key, record.partition)
        self._flush()

    def is_gone(self, topic: str) -> bool:
        """Whether Kafka has no such topic."""
        return topic not in self._admin.list_topics(timeout=ANSWER_SECONDS_MAX).topics

    def answer(self, outcomes: Sequence[Sent], customer_events: Sequence[Sent]) -> None:
        """Sends what arrives beside transactions, of which none may be on their way: so its place is known."""
        transactions = self.settings.topic_transactions
        self.history.answers_after = {number: self._end(transactions, number) for number in range(self.partitions)}
        told = ((self.settings.topic_outcomes, outcomes), (self.settings.topic_customer_events, customer_events))
        for topic, records in told:
            for record in records:
                self._producer.produce(topic, record.value, record.key, record.partition)
        self._flush()

    def alerts(self) -> list[Alert]:
        """Every alert that a read_committed subscriber sees."""
        found = outbound(self.settings, self.settings.topic_alerts)
        return [msgspec.json.decode(each.record.value or b"", type=Alert) for each in found]

    def letters(self, reason: str | None = None) -> int:
        """How many dead letters there are, or of that reason."""
        found = outbound(self.settings, self.settings.topic_dead_letters)
        return sum(reason in (None, dict(each.record.headers)["dlq_reason"].decode()) for each in found)

    def stamps(self) -> list[int]:
        """The timestamp of every alert and dead letter, epoch ms."""
        topics = self.settings.topic_alerts, self.settings.topic_dead_letters
        return [each.timestamp_ms for topic in topics for each in outbound(self.settings, topic)]

    def inherit(self, partition: int, changes: Changes) -> None:
        """What is in a partition before its first record. Nobody may have claimed it yet."""
        self.state.commit(partition, self.state.claim(partition), 0, 0, changes)
        self.history.inherited[partition] = changes

    def put_row(self, partition: int, customer: str, row: bytes) -> None:
        """Replaces a row, which no worker may hold in memory."""
        with redis_of(self.settings) as client:
            client.set(f"{{{partition}}}:c:{customer}", row)

    def start(self, kill: steps.Kill | steps.Cut | None = None, clock: Path | None = None, **changes: Any) -> Worker:
        """One more worker, from a warm process. Its clock is wrong by the seconds that the file `clock` says."""
        values = self._own | changes
        environment = {variable(key): str(value) for key, value in values.items()}
        log = self.logs / f"worker-{len(self._workers)}"
        worker = fork(environment, kill, clock, log, self._small_transactions)
        self._workers.append(worker)
        return worker

    def grow(self, partitions: int) -> None:
        """Gives the topics that are read more partitions. Workers that are started from then on know of it."""
        grown = [NewPartitions(topic, partitions) for topic in topics_read(self.settings)]
        for done in self._admin.create_partitions(grown).values():
            done.result(ANSWER_SECONDS_MAX)
        for topic in topics_read(self.settings):
            until(lambda: self._known(topic) == partitions, ANSWER_SECONDS_MAX, "the new partitions")  # noqa: B023
        self.partitions, self._own["partitions"] = partitions, partitions
        self.settings = self.settings.model_copy(update={"partitions": partitions})
        self.rules = replace(self.rules, partitions=partitions)

    def _known(self, topic: str) -> int:
        """How many partitions the producer knows of."""
        return len(self._producer.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions)

    def repartition(self, kill: steps.Kill | None = None) -> Worker:
        """`tracker repartition` in a warm process."""
        environment = {variable(key): str(value) for key, value in self._own.items()}
        command = fork_repartition(environment, kill, self.logs / f"repartition-{len(self._workers)}")
        self._workers.append(command)
        return command

    def live(self, kill: steps.Kill | None = None) -> bool:
        """A worker's whole life: until all is done, or until it has killed itself where it is told to. Whether it has
        killed itself."""
        worker = self.start(kill)
        self.rest(worker=worker if kill else None)
        killed = worker.killed()
        worker.kill()
        return killed

    def at_rest(self) -> bool:
        """Everything in the topics is in Redis, and everything that Redis had for Kafka is in Kafka."""
        logs = [TopicPartition(self.settings.topic_transactions, number) for number in range(self.partitions)]
        try:
            for log, acknowledged in zip(logs, self._group.committed(logs, timeout=ANSWER_SECONDS_MAX), strict=True):
                highs = [self._end(topic, log.partition) for topic in topics_read(self.settings)]
                stands = self.state.read(log.partition)
                if not any(highs):
                    continue
                if stands is None or any(map(lt, stands.offsets, highs)) or acknowledged.offset < highs[0]:
                    return False
                if acknowledged.metadata != str(stands.sequence) or not self._ticked(log.partition):
                    return False
            return all(self._all_committed(topic, number) for topic, number in self._outbound)
        except KafkaException:
            # librdkafka may take a coordinator that was killed to be away for ever (its issues 5456 and 5511).
            self._group = Consumer(self._asking)
            return False
        except StoreUnavailable:
            return False

    def _all_committed(self, topic: str, number: int) -> bool:
        """No transaction is open, so that a read_committed subscriber sees the whole log."""
        log = TopicPartition(topic, number)
        _, stable = self._group.get_watermark_offsets(log, timeout=ANSWER_SECONDS_MAX)
        _, end = self._uncommitted.get_watermark_offsets(log, timeout=ANSWER_SECONDS_MAX)
        return bool(stable == end)

    def commits(self) -> int:
        """How many commits the store has seen; 0 while it can't be asked."""
        try:
            stands = [self.state.read(number) for number in range(self.partitions)]
        except StoreUnavailable:
            return 0
        return sum(each.version for each in stands if each is not None)

    def says(self, words: str) -> int:
        """How many lines of all the workers' logs hold these words."""
        return sum(worker.says(words) for worker in self._workers)

    def behind(self) -> int:
        """Transactions that are not in the store yet, over all partitions."""
        return sum(self.lag(number) for number in range(self.partitions))

    def healing(self) -> bool:
        """Whether the group knows of a partition whose store has gone back and has not been brought up yet."""
        logs = [TopicPartition(self.settings.topic_transactions, number) for number in range(self.partitions)]
        marks = [OutboxProgress.read(log.metadata) for log in self._group.committed(logs, timeout=ANSWER_SECONDS_MAX)]
        return any(mark is not None and mark.rewind is not None for mark in marks)

    def aborted(self) -> int:
        """Alerts and dead letters in transactions that were not committed."""
        topics = self.settings.topic_alerts, self.settings.topic_dead_letters
        counted = [len(outbound(self.settings, topic, level)) for topic in topics for level in LEVELS]
        return sum(counted[0::2]) - sum(counted[1::2])

    def read(self) -> Offsets:
        """How many records of each topic the store has."""
        stands = [self.state.read(number) for number in range(self.partitions)]
        return Offsets(*map(sum, zip(*[each.offsets for each in stands if each is not None], strict=True)))

    def events(self) -> int:
        """How many places of the duplicate filter are filled: one by most events, more by some."""
        stands = [self.state.read(number) for number in range(self.partitions)]
        return sum(each.events for each in stands if each is not None)

    def epochs(self) -> int:
        """How many claims the store has seen."""
        stands = [self.state.read(number) for number in range(self.partitions)]
        return sum(each.epoch for each in stands if each is not None)

    def configure(self, topic: str, name: str, value: str) -> None:
        """Changes a property of a topic."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for done in self._admin.incremental_alter_configs([resource]).values():
            done.result(ANSWER_SECONDS_MAX)

    def lag(self, partition: int) -> int:
        """Records of the topic that are not in the store yet."""
        stands = self.state.read(partition)
        return self._end(self.settings.topic_transactions, partition) - (stands.offset if stands else 0)

    def _end(self, topic: str, partition: int) -> int:
        return int(self._group.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS_MAX)[1])

    def reads_all(self, partitions: Collection[int]) -> bool:
        """Waits until these are in the store to their end; False if they do not get there."""
        try:
            until(lambda: not any(self.lag(number) for number in partitions), REST_SECONDS_MAX, "the end")
        except TimeoutError:
            return False
        return True

    def progress(self, commits: int) -> None:
        """Waits for that many commits more, or for the end of all work."""
        least = self.commits() + commits
        self._until(lambda: self.commits() >= least or self.at_rest(), REST_SECONDS_MAX, "commits")

    def _ticked(self, partition: int) -> bool:
        """Whether everybody has been looked at whose time has come, as far as the feed is known to be alive."""
        if self.settings.clock == "stream":
            return True
        next_due, stands = self.state.next_due(partition), self.state.read(partition)
        if next_due is None or stands is None:
            return True
        stored = self.state.load(partition, [TIME])[0]
        return next_due > StreamTime(stands.clock, stored or b"").held(int(time.time() * 1_000)) - CLOCKS_DIFFER_MS_MAX

    def rest(self, seconds_max: float = REST_SECONDS_MAX, worker: Worker | None = None) -> None:
        """Waits for `at_rest`, or for the end of the worker. Raises TimeoutError with the end of the last log."""
        self._until(lambda: (worker is not None and not worker.alive()) or self.at_rest(), seconds_max, "all done")

    def _until(self, ready: Callable[[], bool], seconds_max: float, what: str) -> None:
        try:
            until(ready, seconds_max, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None

    def tail(self) -> str:
        """The end of what the last workers said, and what their threads are about."""
        for worker in self._workers[-2:]:
            if worker.alive():
                worker.signal(signal.SIGUSR1)
        time.sleep(0.5)
        return "\n".join(
            f"--- {worker.log.name}\n" + "\n".join(worker.said().splitlines()[-200:]) for worker in self._workers[-2:]
        )

    def audit(self, tell: Callable[[str], None]) -> Figures:
        """Everything that was lost or doubled; `tell` is told of each. A worker that crashed counts as `other`."""
        self.history.went_back = self.says(WENT_BACK) > 0
        crashed = [worker for worker in self._workers if not worker.alive() and worker.crashed()]
        for worker in crashed:
            tell(f"{worker.log.name} crashed: " + "\n".join(worker.said().splitlines()[-12:]))
        return Figures(other=len(crashed)).plus(self._audited(tell))

    def _audited(self, tell: Callable[[str], None]) -> Figures:
        return audit(self.settings, self.state, self.rules, self.history, tell)

    def close(self) -> None:
        for worker in self._workers:
            if worker.alive():
                worker.kill()
        self._undo.close()
        shutil.rmtree(self.logs, ignore_errors=True)

    def _flush(self) -> None:
        if left := self._producer.flush(60):
            raise TimeoutError(f"{left} records were not taken by Kafka within a minute")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
