"""Every rule of deploy/prometheus/rules.yml on a real Prometheus that scrapes real workers on a real Kafka and Redis:
silent while a worker does its work, and fired by a real fault, of the instance that has it.

So that nobody waits for hours the rules are made quicker, as tests/prometheus/server.py says; thresholds and windows at
their true size are in deploy/prometheus/rules_test.yml. One alert is not of a whole worker: TrackerChurnDrift. A worker
looks for drift every ten minutes, so here its Drift looks at once, over rows in memory, and Prometheus scrapes the
gauges that it sets. And one customer is made due in Redis directly, since silence is judged after weeks.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from threading import Event
from typing import NamedTuple

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from prometheus_client import start_http_server
from ruamel.yaml import YAML

from commands.kafka import ANSWER_SECONDS_MAX, admin, producer
from learning.simulator import simulate
from schemas.units import DAY_MS, HOUR_MS
from streams.store.memory_store import MemoryStore
from streams.store.redis_store import redis_client
from tests.fast import Fast
from tests.live import Bank, Json, OpenBank, Worker, until
from tests.prometheus.server import RULES, Prometheus, quicker
from tests.river.gateway import Gateway
from tests.river.test_in_its_group import Member
from tests.river.test_metrics_day import answer, booked
from tests.river.test_outages import address_of_kafka, address_of_redis
from tests.servers import fresh_name
from tests.unit.test_drift import watched

QUIET_SECONDS = 10
QUIET_SECONDS_MAX = 60
"""A machine that has stood still for two seconds has been, by the quicker rules, away for two minutes."""
FIRES_SECONDS_MAX = 75
HEALS_SECONDS_MAX = 45

JUST_NOW_SECONDS = 1.0
"""The rules are evaluated at least twice in that time."""

CATALOGUE = """
[[offer]]
offer_id = "savings"
product = "Savings account"
text = { en = "Put some of it aside?" }
value_minor = 1
when = ["salary"]
cooldown_days = 1
"""


class Scene(NamedTuple):
    """A worker at work, what watches it, and the ways in which it can be hurt."""

    bank: Bank
    worker: Worker
    redis: Gateway
    open_bank: OpenBank
    sender: Producer
    prometheus: Prometheus
    scraped: set[str]

    def publish(self, *events: Json) -> None:
        self.send(
            self.bank.settings.topic_transactions, [(event["customer_id"], orjson.dumps(event)) for event in events]
        )

    def send(self, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
        for key, value in records:
            self.sender.produce(topic, value, key)
        assert self.sender.flush(30) == 0

    def pay(self, numbers: range) -> None:
        """Customers who are offered something."""
        self.publish(*(booked(f"paid-{n}", now(), type="salary", amount_minor=10) for n in numbers))

    def trickle(self) -> None:
        """One transaction of one of nine customers: both partitions have some."""
        at = now()
        self.publish(booked(f"busy-{at % 9}", at))

    def scrape(self, address: str) -> None:
        """This one too, from now on."""
        self.scraped.add(address)
        self.prometheus.scrape(*self.scraped)

    def well(self) -> None:
        """Returns when the worker is healthy and all is worked off."""
        self.worker.until(lambda: self.worker.get("/healthz").status == 200)


class Hurt(NamedTuple):
    """Who has the fault (host:port), and what goes on happening while it lasts."""

    instance: str
    meanwhile: Callable[[], object] = lambda: None


Fault = Callable[[Scene], AbstractContextManager[Hurt]]
"""The fault lasts as long as the context."""


def now() -> int:
    return int(time.time() * 1_000)


def host_and_port(worker: Worker) -> str:
    return worker.address().removeprefix("http://")


@contextmanager
def answers_to_alerts_that_were_never_sent(scene: Scene) -> Iterator[Hurt]:
    answers = [answer("nobody", "shown", now() + n, {"nobody": f"never-was-{n}"}) for n in range(30)]
    scene.send(scene.bank.settings.topic_outcomes, [("nobody", orjson.dumps(one)) for one in answers])
    yield Hurt(host_and_port(scene.worker))


@contextmanager
def customers_are_no_longer_like_those_of_the_training(scene: Scene) -> Iterator[Hurt]:
    bank = Fast(offers=()).feed(simulate(customers=900, days=60, seed=8))
    drift, registry = watched(bank, MemoryStore(), 20)
    drift.measure()
    server, thread = start_http_server(0, "127.0.0.1", registry.restricted_registry(["tracker_churn_drift"]))
    address = f"127.0.0.1:{server.server_port}"
    scene.scrape(address)
    try:
        yield Hurt(address)
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def a_worker_starts_while_kafka_cannot_be_reached(scene: Scene) -> Iterator[Hurt]:
    shut = Gateway(address_of_kafka(scene.bank.settings))
    with scene.bank.worker(kafka_bootstrap_servers=shut.address) as worker:
        address = host_and_port(worker)
        scene.scrape(address)
        yield Hurt(address)


@contextmanager
def another_member_does_not_let_go_of_the_partitions(scene: Scene) -> Iterator[Hurt]:
    """Of another bank."""
    bank, polled = scene.open_bank(partitions=2), Event()
    polled.set()
    with Member(bank, polled) as holding:
        until(lambda: holding.owned == 2)
        polled.clear()
        with bank.worker() as worker:
            address = host_and_port(worker)
            scene.scrape(address)
            yield Hurt(address)


@contextmanager
def the_feed_has_been_silent_for_days(scene: Scene) -> Iterator[Hurt]:
    """Of another bank, whose worker is gone again before it can own what this one's has lost."""
    bank = scene.open_bank(partitions=1)
    sender = producer(bank.settings)
    for day in range(20, 3, -1):
        for number in range(5):
            name = f"faithful-{number}"
            visit = orjson.dumps(booked(name, now() - day * DAY_MS + number))
            sender.produce(bank.settings.topic_transactions, visit, name)
    assert sender.flush(30) == 0
    with bank.worker() as worker:
        address = host_and_port(worker)
        scene.scrape(address)
        yield Hurt(address)


@contextmanager
def many_records_cannot_be_used(scene: Scene) -> Iterator[Hurt]:
    scene.send(scene.bank.settings.topic_transactions, [("bad", b"{")] * 40)
    yield Hurt(host_and_port(scene.worker), scene.trickle)


@contextmanager
def a_stranger_claims_the_partitions_again_and_again(scene: Scene) -> Iterator[Hurt]:
    def claim() -> None:
        for number in range(2):
            scene.bank.state.claim(number)
        scene.publish(*(booked(f"busy-{n}", now()) for n in range(9)))

    yield Hurt(host_and_port(scene.worker), claim)
    scene.well()


@contextmanager
def a_member_comes_and_goes(scene: Scene) -> Iterator[Hurt]:
    def come_and_go() -> None:
        polled = Event()
        polled.set()
        with Member(scene.bank, polled) as member:
            until(lambda: member.owned > 0)

    yield Hurt(host_and_port(scene.worker), come_and_go)
    scene.worker.until(lambda: scene.worker.metric("tracker_partitions_owned") == 2)


@contextmanager
def a_producer_leaves_its_transaction_open(scene: Scene) -> Iterator[Hurt]:
    settings = scene.bank.settings
    core_banking = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "transactional.id": fresh_name("core-banking")}
    )
    core_banking.init_transactions(ANSWER_SECONDS_MAX)
    core_banking.begin_transaction()
    core_banking.produce(settings.topic_transactions, orjson.dumps(booked("busy-0", now())), "busy-0")
    core_banking.flush(ANSWER_SECONDS_MAX)
    yield Hurt(host_and_port(scene.worker))
    core_banking.abort_transaction(ANSWER_SECONDS_MAX)


@contextmanager
def kafka_finds_the_alerts_too_large(scene: Scene) -> Iterator[Hurt]:
    set_alert_bytes_max(scene.bank, 200)
    scene.pay(range(3, 13))
    yield Hurt(host_and_port(scene.worker))
    assert '"publishing: ' in scene.worker.get("/healthz").text
    set_alert_bytes_max(scene.bank, 1_048_588)
    scene.well()


def set_alert_bytes_max(bank: Bank, number: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(number), incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, bank.settings.topic_alerts, incremental_configs=[entry])
    client = admin(bank.settings)  # held until it has answered
    for changed in client.incremental_alter_configs([topic]).values():
        changed.result(ANSWER_SECONDS_MAX)


@contextmanager
def redis_takes_no_write_and_does_not_say_so(scene: Scene) -> Iterator[Hurt]:
    """Claiming a partition again after the commit that got no answer, the thread that polls gets none either."""
    with redis_client(str(scene.bank.settings.redis_url)) as direct:
        direct.execute_command("CLIENT", "PAUSE", 1_000 * FIRES_SECONDS_MAX, "WRITE")
        scene.publish(*(booked(f"busy-{n}", now()) for n in range(9)))
        yield Hurt(host_and_port(scene.worker))
        direct.execute_command("CLIENT", "UNPAUSE")
    scene.well()


@contextmanager
def redis_is_away_while_much_comes(scene: Scene) -> Iterator[Hurt]:
    """Nothing is worked off: neither what has come, nor who falls due; and somebody does."""
    state = scene.bank.state
    (number,) = [number for number in range(2) if state.load(number, ["paid-0"]) != [None]]
    gauge = f'tracker_due_customers{{partition="{number}"}}'
    before = scene.worker.metric(gauge)
    with redis_client(str(scene.bank.settings.redis_url)) as direct:
        direct.zadd(f"{{{number}}}:due", {"paid-0": now() + 10_000 - HOUR_MS})
    scene.worker.until(lambda: scene.worker.metric(gauge) > before)  # it is measured every five seconds
    scene.redis.shut()
    scene.publish(*(booked(f"busy-{n % 9}", now() + n) for n in range(150)))
    scene.worker.until(lambda: scene.worker.metric("tracker_partitions_owned") == 0)
    yield Hurt(host_and_port(scene.worker))
    scene.redis.open()
    scene.well()


@contextmanager
def the_worker_is_killed(scene: Scene) -> Iterator[Hurt]:
    address = host_and_port(scene.worker)
    scene.worker.stop()
    yield Hurt(address)


BESIDE: dict[Fault, set[str]] = {
    answers_to_alerts_that_were_never_sent: {"TrackerOutcomesUnmatched"},
    customers_are_no_longer_like_those_of_the_training: {"TrackerChurnDrift"},
    a_worker_starts_while_kafka_cannot_be_reached: {"TrackerKafkaDown", "TrackerAgentDown"},
    another_member_does_not_let_go_of_the_partitions: {"TrackerOutOfGroup"},
}
"""Faults that leave the worker at its work, and the alerts that each makes fire, all at once."""

IN_TURN: dict[Fault, set[str]] = {
    the_feed_has_been_silent_for_days: {"TrackerFeedOutage"},
    many_records_cannot_be_used: {"TrackerDeadLetterSurge"},
    a_stranger_claims_the_partitions_again_and_again: {"TrackerCommitsRefused"},
    a_member_comes_and_goes: {"TrackerRebalancing"},
    a_producer_leaves_its_transaction_open: {"TrackerHeldBack"},
    kafka_finds_the_alerts_too_large: {"TrackerOutboxNotDraining"},
    redis_takes_no_write_and_does_not_say_so: {"TrackerConsumerStalled"},
    redis_is_away_while_much_comes: {
        "TrackerRedisDown",
        "TrackerNothingOwned",
        "TrackerBehind",
        "TrackerBacklog",
        "TrackerNoProgress",
        "TrackerDueOverdue",
        "TrackerStale",
    },
    the_worker_is_killed: {"TrackerWorkerDown"},
}
"""Faults that the worker goes through one after the other, until it is killed. Of what else each may make fire (an
outage of Redis holds up everything) nothing is said."""

FAULTS = BESIDE | IN_TURN


class Story(NamedTuple):
    """Alerts that fired of the one who was hurt, or of no one in particular."""

    quiet: set[str]
    """While nobody was."""
    in_faults: dict[Fault, set[str]]
    healed: set[str]
    """That went on firing once the worker had gone through all that one can heal from."""


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None and os.environ.get("CI") != "true":
        pytest.skip("prometheus is not installed (Debian's package prometheus)")
    with Prometheus() as server:
        yield server


@pytest.fixture(scope="module")
def story(prometheus: Prometheus, open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A worker that is first left to its work, and then hurt."""
    bank = open_bank(partitions=2, poison_share_max=1)
    offers = tmp_path_factory.mktemp("offers") / "offers.toml"
    offers.write_text(CATALOGUE)
    bank.command("offers", "publish", offers)
    with ExitStack() as stack:
        redis = stack.enter_context(Gateway(address_of_redis(bank.settings)))
        redis.open()
        worker = stack.enter_context(bank.worker(redis_url=f"redis://{redis.address}/0")).until_ready()
        scene = Scene(bank, worker, redis, open_bank, producer(bank.settings), prometheus, set())
        quiet = left_to_its_work(scene)
        in_faults: dict[Fault, set[str]] = {}
        began = time.monotonic()
        beside = {fault: stack.enter_context(fault(scene)) for fault in BESIDE}
        for fault, alerts in IN_TURN.items():
            still = heals(scene, alerts)
            assert not still, f"before {fault.__name__}"
            since = time.monotonic()
            with fault(scene) as hurt:
                in_faults[fault] = fired(scene, hurt, alerts, since)
            if fault is redis_is_away_while_much_comes:
                healed = heals(scene, set().union(*IN_TURN.values()))
        for fault, hurt in beside.items():
            in_faults[fault] = fired(scene, hurt, BESIDE[fault], began)
        return Story(quiet, in_faults, healed)


def left_to_its_work(scene: Scene) -> set[str]:
    """Transactions trickle in and offers go out. Answers which alerts fired in the quietest QUIET_SECONDS."""
    scene.pay(range(3))
    scene.worker.until(scene.bank.at_rest)
    scene.scrape(host_and_port(scene.worker))
    began = time.monotonic()

    def is_quiet() -> bool:
        scene.trickle()
        return time.monotonic() - began > QUIET_SECONDS and not scene.prometheus.fired(QUIET_SECONDS)

    with suppress(TimeoutError):
        until(is_quiet, QUIET_SECONDS_MAX)
    worked = scene.prometheus.query(f"sum(increase(tracker_events_total[{QUIET_SECONDS}s])) > 10")
    assert worked, "a worker that does nothing isn't quiet"
    return {name for name, _ in scene.prometheus.fired(QUIET_SECONDS)}


def fired(scene: Scene, hurt: Hurt, alerts: set[str], since: float) -> set[str]:
    """What has fired since then, once all these have, or when time is out."""

    def found() -> set[str]:
        seen = scene.prometheus.fired(time.monotonic() - since)
        return {name for name, instance in seen if instance in ("", hurt.instance)}

    def all_have() -> bool:
        hurt.meanwhile()
        return found() >= alerts

    with suppress(TimeoutError):
        until(all_have, FIRES_SECONDS_MAX)
    return found()


def heals(scene: Scene, alerts: set[str]) -> set[str]:
    """Transactions trickle in. Answers which of these still fire, of the worker or of no one in particular, once none
    does or when time is out."""
    here = host_and_port(scene.worker)

    def firing() -> set[str]:
        scene.trickle()
        seen = scene.prometheus.fired(JUST_NOW_SECONDS)
        return {name for name, instance in seen if instance in ("", here)} & alerts

    with suppress(TimeoutError):
        until(lambda: not firing(), HEALS_SECONDS_MAX)
    return firing()


def test_a_worker_that_works_makes_no_alert_fire(story: Story) -> None:
    assert story.quiet == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_makes_its_alerts_fire(story: Story, fault: Fault) -> None:
    assert story.in_faults[fault] >= FAULTS[fault]


def test_a_worker_that_has_healed_makes_none_fire(story: Story) -> None:
    assert story.healed == set()


def test_every_rule_has_a_fault() -> None:
    groups = YAML(typ="safe").load(RULES.read_text("utf-8"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert set().union(*FAULTS.values()) == alerts


def test_made_quicker_a_rule_differs_by_its_times_alone() -> None:
    assert quicker("expr: rate(a_total[5m]) > 6\nfor: 10m\n") == "expr: rate(a_total[5000ms]) > 6\nfor: 10000ms\n"
    assert quicker("max by (p) (lag_seconds) > 900") == "max by (p) (lag_seconds) > 15"
    assert quicker("(tracker_lag_events)) > 1000000") == "(tracker_lag_events)) > 100"
    kept = quicker(RULES.read_text("utf-8"))
    assert kept.count("ms\n") == RULES.read_text("utf-8").count("for: ")
