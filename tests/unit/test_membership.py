"""Whether a worker is in its group, by answers and a clock of the test's own; and consumers that the embedded broker
fences."""

import ctypes
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from commands.embedded import EmbeddedBroker
from streams.broker.clients import LastWord, is_fatal
from streams.broker.membership import LOOK_SECONDS, OUT_SECONDS, SPARE_SECONDS, Group, Membership, OutOfGroup, owned
from streams.broker.poller import consumer_config
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.retry import GaveUp
from streams.ops.settings import Settings
from tests.servers import fresh_name

JOIN_GROUP, HEARTBEAT = 11, 12
"""Requests of Kafka's protocol."""
FENCED_INSTANCE_ID = 82
SECONDS_MAX = 20
ME = "me"


class Named:
    """A consumer as far as it is asked for its member id."""

    def memberid(self) -> str:
        return ME


class Story:
    """A Membership whose group answers `group`, or nothing while that is None."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.group: Group | KafkaException | None = None
        self.registry = CollectorRegistry()
        self.health = Health(lambda: self.now)
        self.settings = Settings(session_timeout_ms=6_000, retry_seconds_max=100)
        metrics = Metrics(self.registry)
        make = cast(Callable[[], Consumer], Named)
        self.membership = Membership(self.settings, make, self.ask, self.health, metrics, lambda: self.now)

    def ask(self) -> "Future[Group]":
        answer: Future[Group] = Future()
        if isinstance(self.group, KafkaException):
            answer.set_exception(self.group)
        elif self.group is not None:
            answer.set_result(self.group)
        return answer

    def turns(self, seconds: float) -> None:
        """Time goes by while the worker owns nothing."""
        until = self.now + seconds
        while self.now < until:
            self.now += LOOK_SECONDS / 2
            self.membership.turn(False)

    @property
    def is_in(self) -> bool:
        """As the metric and readiness say, which must agree."""
        ready = "partitions" not in self.health.waiting_for()
        assert self.registry.get_sample_value("tracker_in_group") == ready
        return ready


def test_who_owns_partitions_is_in_and_who_has_lost_them_is_out_until_the_group_says_otherwise() -> None:
    story = Story()
    assert not story.is_in
    story.membership.turn(True)
    assert story.is_in
    story.membership.turn(False)
    assert not story.is_in
    story.turns(5)
    assert not story.is_in, "no answer is no good answer"
    story.membership.turn(True)
    assert story.is_in


def test_who_owns_none_is_spare_where_others_own_all_and_only_as_a_member() -> None:
    story = Story()
    for group, expected in (
        (Group({"other": 2}, 0), False),
        (Group({"other": 1, ME: 0}, 1), False),
        (Group({"other": 2, ME: 0}, 0), True),
        (Group({"other": 1, ME: 0}, 1), False),
        (Group({"other": 2, ME: 0}, 0), True),
    ):
        story.group = group
        story.turns(2 * SPARE_SECONDS)
        assert story.is_in is expected


def test_who_is_out_for_long_says_so_and_joins_anew_until_it_is_in_or_has_tried_too_long() -> None:
    story = Story()
    story.group = Group({"other": 1, ME: 0}, 1)
    story.turns(OUT_SECONDS + 6)
    assert story.health.problems() == []
    with pytest.raises(OutOfGroup, match="1 partitions have no owner, this worker owns none") as raised:
        story.turns(3)
    (problem,) = story.health.problems()
    assert problem.startswith("group: out for more than 36 s: consumer group customer-tracker: ")
    story.turns(OUT_SECONDS + 6 - 2)
    with pytest.raises(OutOfGroup):
        story.turns(6)
    story.membership.turn(True)
    assert story.health.problems() == []
    story.membership.consumer = cast(Any, Closable())
    story.membership.end(raised.value)
    story.now += 101
    with pytest.raises(GaveUp, match="joining the consumer group"):
        story.membership.end(raised.value)


class Closable(Named):
    def close(self) -> None:
        """There is nothing to close."""


def test_a_group_that_cannot_be_asked_makes_nobody_join_anew() -> None:
    story = Story()
    story.group = KafkaException(KafkaError(KafkaError._TRANSPORT))
    story.turns(10 * OUT_SECONDS)
    assert not story.is_in
    (problem,) = story.health.problems()
    assert "cannot be asked" in problem
    story.group = Group({"other": 1, ME: 0}, 0)
    story.turns(SPARE_SECONDS)
    assert story.is_in
    story.group = KafkaException(KafkaError(KafkaError._TRANSPORT))
    story.turns(10 * OUT_SECONDS)
    assert story.is_in, "a broker that is away for maintenance takes nothing from a spare worker"


def test_an_assignment_is_read_as_kafka_writes_it() -> None:
    other = b"\0\1u\0\0\0\2\0\0\0\0\0\0\0\1"
    ours = b"\0\4mine\0\0\0\3\0\0\0\0\0\0\0\1\0\0\0\7"
    for version in (b"\0\0", b"\0\3"):
        assert owned(version + b"\0\0\0\2" + other + ours + b"\0\0\0\0", "mine") == 3
        assert owned(version + b"\0\0\0\1" + other + b"\0\0\0\0", "mine") == 0
    assert owned(b"", "mine") == 0


def refuse_next(broker: EmbeddedBroker, request: int, error: int) -> None:
    """The next request of that kind is answered with that error."""
    push = broker._library.rd_kafka_mock_push_request_errors_array
    push.restype, push.argtypes = None, [ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.c_void_p]
    push(broker._cluster, request, 1, ctypes.byref(ctypes.c_int(error)))


def last_word(consumer: Consumer) -> KafkaError:
    """What librdkafka says when it gives the consumer up."""
    deadline = monotonic() + SECONDS_MAX
    while monotonic() < deadline:
        message = consumer.poll(0.1)
        error = None if message is None else message.error()
        if error is not None and is_fatal(error):
            return error
    raise TimeoutError("no fatal error")


def joining(broker: EmbeddedBroker, topic: str) -> Membership:
    """Of a worker with a name."""
    given: dict[str, Any] = {"kafka_bootstrap_servers": broker.bootstrap_servers}
    settings = Settings(**given, group_id=topic, topic_transactions=topic, instance_id="tracker-0")
    make = lambda: Consumer(consumer_config(settings, lambda _: None))  # noqa: E731
    membership = Membership(settings, make, cast(Any, None), Health(), Metrics(CollectorRegistry()))
    membership.consumer.subscribe([topic])
    return membership


def until_assigned(consumer: Consumer) -> None:
    deadline = monotonic() + SECONDS_MAX
    while not consumer.assignment():
        assert monotonic() < deadline
        consumer.poll(0.1)


def test_a_consumer_that_is_fenced_on_its_way_in_is_followed_by_another(embedded_broker: EmbeddedBroker) -> None:
    topic = fresh_name("fenced")
    embedded_broker.create_topic(topic, 1)
    refuse_next(embedded_broker, JOIN_GROUP, FENCED_INSTANCE_ID)
    membership = joining(embedded_broker, topic)
    fenced = membership.consumer
    error = last_word(fenced)
    assert not error.fatal(), "which is why its code is looked at"
    assert membership.end(error) < 1
    membership.renew()
    assert membership.consumer is not fenced
    membership.consumer.subscribe([topic])
    until_assigned(membership.consumer)
    membership.consumer.close()


def test_a_member_that_is_fenced_ends_with_the_setting_that_is_wrong(embedded_broker: EmbeddedBroker) -> None:
    topic = fresh_name("fenced")
    embedded_broker.create_topic(topic, 1)
    membership = joining(embedded_broker, topic)
    until_assigned(membership.consumer)
    refuse_next(embedded_broker, HEARTBEAT, FENCED_INSTANCE_ID)
    error = last_word(membership.consumer)
    with pytest.raises(LastWord, match="TRACKER_INSTANCE_ID=tracker-0"):
        membership.end(error)
    membership.consumer.close()


def test_a_fatal_error_that_comes_by_callback_is_met_at_the_next_turn() -> None:
    story = Story()
    story.membership.turn(True)
    story.membership.heard(KafkaError(KafkaError._FATAL, "given up"))
    with pytest.raises(KafkaException, match="given up"):
        story.membership.turn(True)
    story.membership.renew()
    story.membership.turn(True)
