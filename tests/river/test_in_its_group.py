"""A worker that is not in its consumer group says so, and gets in again or ends: it is never idle and well."""

from contextlib import ExitStack
from threading import Event, Thread
from time import monotonic

from confluent_kafka import Consumer

from commands.kafka import admin
from streams.broker.membership import LOOK_SECONDS
from tests.live import ANSWER_SECONDS_MAX, Bank, OpenBank, Worker, until

AT_ONCE_SECONDS = 10
"""A heartbeat, and the good order of leaving, on a busy machine."""


class Member:
    """One more member of the loop's group, in a thread of its own. It lets partitions go only while `polled`, and joins
    no rebalance while there is one that it should let go."""

    def __init__(self, bank: Bank, polled: Event, **more: object) -> None:
        asking = {
            "bootstrap.servers": bank.settings.kafka_bootstrap_servers,
            "group.id": bank.settings.group_id,
            "partition.assignment.strategy": "cooperative-sticky",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 500,
            "session.timeout.ms": bank.settings.session_timeout_ms,
            "log_level": 0,
        }
        self.owned = 0
        self._consumer = Consumer(asking | more)
        answers = dict.fromkeys(("on_assign", "on_revoke"), lambda *_: None)
        self._consumer.subscribe([bank.settings.topic_transactions], **answers)
        self._polled, self._leaving = polled, Event()
        self._thread = Thread(target=self._stay)

    def _stay(self) -> None:
        while not self._leaving.is_set():
            if self._polled.wait(0.1):
                self._consumer.consume(100, 0.1)
                self.owned = len(self._consumer.assignment())
        self._consumer.close()

    def __enter__(self) -> "Member":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()


def members(bank: Bank) -> list[str | None]:
    """Names of those in the loop's group, or on their way in."""
    client = admin(bank.settings)  # held until it has answered
    group = bank.settings.group_id
    (answer,) = client.describe_consumer_groups([group], request_timeout=ANSWER_SECONDS_MAX).values()
    return [one.group_instance_id for one in answer.result(ANSWER_SECONDS_MAX).members]


def owned(worker: Worker) -> float:
    return worker.metric("tracker_partitions_owned")


def test_a_worker_whose_name_another_takes_ends_at_once_and_says_which_setting_it_is(open_bank: OpenBank) -> None:
    bank = open_bank(partitions=2, clock="stream", instance_id="tracker-0")
    polled = Event()
    polled.set()
    with bank.worker() as worker:
        worker.until_ready()
        taken = monotonic()
        with Member(bank, polled, **{"group.instance.id": "tracker-0"}):
            assert worker.end() == 1
            assert monotonic() - taken < AT_ONCE_SECONDS
        (said,) = [line for line in worker.said().splitlines() if "CRITICAL" in line]
        assert "another worker has joined consumer group" in said
        assert "TRACKER_INSTANCE_ID=tracker-0" in said
        assert "Traceback" not in worker.said()


def test_a_worker_that_is_fenced_by_its_own_name_before_it_is_in_joins_anew(open_bank: OpenBank) -> None:
    """What librdkafka does to itself after an outage of its coordinator (its issue 3437): its second attempt to join
    fences the first."""
    bank = open_bank(partitions=3, clock="stream", instance_id="tracker-0")
    polled, held = Event(), Event()
    polled.set()
    held.set()
    with ExitStack() as stack:
        holding = stack.enter_context(Member(bank, held))
        until(lambda: holding.owned == 3)
        held.clear()
        stack.enter_context(Member(bank, polled))  # for which one partition is to be let go, and is not
        until(lambda: len(members(bank)) == 2)
        worker = stack.enter_context(bank.worker())
        worker.until(lambda: "tracker-0" in members(bank))  # on its way in: the rebalance waits
        stack.enter_context(Member(bank, polled, **{"group.instance.id": "tracker-0"}))
        worker.until(lambda: worker.metric("tracker_rejoins_total") == 1)
        assert "partitions" in worker.get("/readyz").said["waiting_for"]
        assert worker.metric("tracker_in_group") == 0
        held.set()
        worker.until_ready()
        assert (owned(worker), worker.metric("tracker_in_group")) == (1, 1)


def test_a_worker_that_owns_nothing_is_ready_only_where_others_own_all(open_bank: OpenBank) -> None:
    bank = open_bank(partitions=2, clock="stream")
    held = Event()
    held.set()
    with Member(bank, held) as holding:
        until(lambda: holding.owned == 2)
        held.clear()
        with bank.worker() as worker:
            worker.until(lambda: "given partitions []" in worker.said())  # and one that the other should let go
            worker.until(lambda: "offer catalogue" not in worker.get("/readyz").said["waiting_for"])
            stays = monotonic() + 2 * LOOK_SECONDS
            while monotonic() < stays:
                assert worker.get("/readyz").said["waiting_for"] == ["partitions", "caught up"]
                assert worker.metric("tracker_in_group") == 0
            held.set()
            worker.until_ready()
            assert owned(worker) == 1
            with bank.worker() as spare:
                spare.until_ready()
                assert (owned(spare), spare.metric("tracker_in_group")) == (0, 1)
