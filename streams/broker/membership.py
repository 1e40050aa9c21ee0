"""Whether this worker is in its consumer group, and how it gets in again.

librdkafka calls nobody when a consumer drops out for good: it brings one message with a fatal error, or nothing, and
goes on answering everything else. So whoever owns no partition asks the group: where others own them all the worker is
a spare one, and in; otherwise it is out, and after a while its consumer is left and a new one joins.

A consumer with a name whose session has run out forgets its member id. When its first attempt to join again is answered
late, Kafka refuses it because of its second one, as "fenced by other consumer with same group.instance.id"
(librdkafka's issue 3437). It was not in the group then, which is how it is told from a second process of that name:
that one fences a member. A member that joined anew would fence the other in its turn, and so on, so its worker ends.

Used by the thread that polls.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker.bounded import Bounded
from streams.broker.clients import LastWord, kafka_client
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.retry import Retry
from streams.ops.settings import Settings

LOOK_SECONDS = 1.0
SPARE_SECONDS = 5.0
"""Between questions to the group by a worker that owns nothing, and by one that is spare."""

OUT_SECONDS = 30.0
"""Out of the group for its session and so long, the worker is unhealthy, and joins anew."""

_ANSWER_SECONDS_MAX = 5.0

_FENCED = "group.instance.id"
"""In what librdkafka says of a consumer that was fenced; no code tells it from other fatal errors."""

_log = logging.getLogger("tracker.membership")


class OutOfGroup(Exception):
    """This worker owns no partition, and that is not because others own them all; the text says how it is."""


class Group(NamedTuple):
    """A consumer group as Kafka describes it."""

    members: dict[str, int]
    """By id, how many of the topic's partitions each owns."""
    unowned: int


class Membership:
    """`make` makes a consumer that has not joined yet, `ask` asks the group. `clock` is in seconds and only differences
    of it are used."""

    consumer: Consumer
    """The one that is in the group, or on its way there."""

    def __init__(
        self,
        settings: Settings,
        make: Callable[[], Consumer],
        ask: Callable[[], "Future[Group]"],
        health: Health,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._make = make
        self._ask = ask
        self._health = health
        self._metrics = metrics
        self._clock = clock
        self.consumer = make()
        self.is_in = False
        """Owns partitions, or is spare: others own them all."""
        self._fatal: KafkaError | None = None
        self._owned = False
        self._out_since: float | None = None
        self._look_at = 0.0
        self._asked: Future[Group] | None = None
        self._joining = Retry("joining the consumer group", settings.retry_seconds_max, clock)

    def heard(self, error: KafkaError) -> None:
        """librdkafka has given the consumer up. From any thread; what comes as a message or out of a call is for `end`
        at once."""
        self._fatal = error

    def turn(self, owns: bool) -> None:
        """Looks whether this worker, which owns partitions or none, is in the group. Raises OutOfGroup when it has
        been out for so long that it must join anew, KafkaException when its consumer was given up."""
        owned, self._owned = self._owned, owns
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if owns:
            self._in()
        elif owned or (self._out_since is None and not self.is_in):
            self._out()  # until the group has said otherwise
        elif self._asked is None and self._clock() >= self._look_at:
            self._asked = self._ask()
        elif self._asked is not None and self._asked.done():
            answer, self._asked = self._asked, None
            self._look(answer)
            self._look_at = self._clock() + (SPARE_SECONDS if self.is_in else LOOK_SECONDS)

    def end(self, error: KafkaError | OutOfGroup) -> float:
        """Leaves the consumer, which librdkafka has given up or which is out of its group. Answers after how many
        seconds `renew` is to be called. Raises LastWord when this worker must end, GaveUp when it has tried too long.
        """
        if isinstance(error, KafkaError) and _FENCED in error.str() and self.consumer.memberid():
            raise LastWord(
                f"another worker has joined consumer group {self._settings.group_id} as "
                f"TRACKER_INSTANCE_ID={self._settings.instance_id}, the name of this one, which therefore ends. Give "
                f"each worker a name of its own (in a StatefulSet its pod's), or none ({error.str()})"
            )
        reason = error.str() if isinstance(error, KafkaError) else str(error)
        wait = self._joining.failed(KafkaException(error) if isinstance(error, KafkaError) else error)
        _log.warning("joining the consumer group anew in %.1f s: %s", wait, reason)
        self._out()
        closing = Bounded("closing of a consumer")
        with suppress(TimeoutError, KafkaException, RuntimeError):
            closing.call(self.consumer.close, _ANSWER_SECONDS_MAX)
        closing.close()
        return wait

    def renew(self) -> None:
        """A consumer in the place of the one that was left; it has not joined yet."""
        self._fatal = None
        self.consumer = self._make()
        self._metrics.rejoins.inc()

    def _in(self) -> None:
        self._asked = None
        if not self.is_in:
            self.is_in, self._out_since = True, None
            self._joining.worked()
            self._health.met("partitions")
            self._health.fine("group")
            self._metrics.in_group.set(1)

    def _out(self) -> None:
        self._asked = None
        self._look_at = self._clock() + LOOK_SECONDS
        if self._out_since is None:
            self.is_in, self._out_since = False, self._clock()
            self._health.missed("partitions")
            self._metrics.in_group.set(0)

    def _look(self, answer: "Future[Group]") -> None:
        name = f"consumer group {self._settings.group_id}"
        try:
            group = answer.result()
        except KafkaException as error:
            if not self.is_in:
                self._long_out(f"{name} cannot be asked: {error.args[0].str()}")
            return
        here = self.consumer.memberid() in group.members
        if here and not group.unowned:
            self._in()
        elif self.is_in:  # it was spare
            self._out()
        else:
            place = "this worker owns none" if here else "this worker is not a member"
            how = f"{name}: {group.unowned} partitions have no owner, {place}"
            if self._long_out(how):
                self._out_since = self._clock()
                raise OutOfGroup(how)

    def _long_out(self, how: str) -> bool:
        """Whether it is time to say that it is out, and that is said."""
        seconds = OUT_SECONDS + self._settings.session_timeout_ms / 1_000
        long = self._out_since is not None and self._clock() - self._out_since > seconds
        if long:
            self._health.trouble("group", f"out for more than {seconds:.0f} s: {how}")
        return long


class Asking:
    """Asks the loop's group in a thread, for the answer may take its time.

    To AdminClient.describe_consumer_groups it comes by itself, but librdkafka 2.16 ends the process over it when the
    coordinator is away.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AdminClient | None = None

    def __call__(self) -> "Future[Group]":
        if self._client is None:
            self._client = AdminClient(kafka_client(self._settings, lambda _: None))
        answer: Future[Group] = Future()
        told = (self._client, self._settings.group_id, self._settings.topic_transactions, answer)
        Thread(target=_answer, args=told, name="membership", daemon=True).start()
        return answer


def _answer(admin: AdminClient, name: str, topic: str, answer: "Future[Group]") -> None:
    try:
        found: Any = admin.list_topics(topic, timeout=_ANSWER_SECONDS_MAX).topics[topic]
        groups: Any = admin.list_groups(name, timeout=_ANSWER_SECONDS_MAX)
        for one in (found, *groups):
            if one.error is not None:
                raise KafkaException(one.error)
        members = {member.id: owned(member.assignment, topic) for group in groups for member in group.members}
        answer.set_result(Group(members, len(found.partitions) - sum(members.values())))
    except BaseException as error:  # noqa: BLE001 - it is raised where the answer is looked at
        answer.set_exception(error)


def owned(assignment: bytes, topic: str) -> int:
    """How many partitions of the topic a member is assigned: Kafka's ConsumerProtocolAssignment, any version."""
    if not assignment:  # the group is between two assignments
        return 0
    topics, at = int.from_bytes(assignment[2:6]), 6
    for _ in range(topics):
        end = at + 2 + int.from_bytes(assignment[at : at + 2])
        count = int.from_bytes(assignment[end : end + 4])
        if assignment[at + 2 : end] == topic.encode():
            return count
        at = end + 4 + 4 * count
    return 0
