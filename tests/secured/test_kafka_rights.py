"""Rights in Kafka: those that docs/security.md gives are enough, none of them is too much, and each that is missing is
named, with who lacks it on what.

That nothing was refused, and that each right was used, is taken from the authorizer's own record of a user.
"""

import asyncio
import json
import signal
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
import redis
from confluent_kafka import Consumer, Producer

from commands.embedded import EmbeddedRedis
from commands.kafka import client, consumer, from_the_start, to_the_end
from commands.offers import SHIPPED
from streams.broker.poller import consumer_config
from streams.broker.preflight import Preflight
from streams.broker.rights import Right
from streams.broker.topics import offers_changelog
from streams.ops.health import Health
from streams.ops.retry import GaveUp
from streams.ops.settings import Settings
from tests.live import ANSWER_SECONDS_MAX, WORK_SECONDS_MAX, Bank, Program, Worker, tracker
from tests.secured.cluster import SecuredKafka
from tests.secured.roles import ENDPOINT, KINDS, MARKETING_GROUP, bindings, roles, table, typed
from tests.serving.receiver import Receiver
from tests.serving.server import Running

pytestmark = [pytest.mark.kafka, pytest.mark.redis_server]

WORKER, SERVE = "tracker worker", "tracker serve"
WEBHOOKS, WEBHOOKS_REPLAY = "tracker webhooks run", "tracker webhooks replay"
LOOKED_AT_SECONDS = 5.0
REFUSED_A_SECOND_MAX = 20
"""A join that is refused and tried again at once makes hundreds."""


class Secured:
    """A bank on the secured cluster, and a user for each role: one with its rights, and one without each of them."""

    def __init__(self, kafka: SecuredKafka, redis_url: str, folder: Path) -> None:
        self.kafka, self.folder = kafka, folder
        signs_on = kafka.settings(user_of(WORKER))
        signs_on.pop("kafka_bootstrap_servers")
        self.bank = Bank(kafka.bootstrap_servers, redis_url, folder, **signs_on, partitions=2, clock="stream")
        self.roles = roles(self.bank.settings)
        given = []
        for role, needed in self.roles.items():
            given += bindings(user_of(role), needed)
            for number in range(len(needed)):
                given += bindings(user_of(role, number), needed[:number] + needed[number + 1 :])
        kafka.add_users(
            user_of(role, number) for role, needed in self.roles.items() for number in (None, *range(len(needed)))
        )
        kafka.allow(given)

    def settings(self, user: str) -> Settings:
        """The bank's, for another user."""
        return self.bank.settings.model_copy(update={"kafka_sasl_username": user, "retry_seconds_max": 1})

    def run(self, role: str, number: int | None = None, status: int = 0) -> str:
        """The command of a role, by its user; answers all that it printed."""
        if role == SERVE and number is None:
            return self.serve()
        if role in (WEBHOOKS, WEBHOOKS_REPLAY) and number is None:
            return self.webhooks(role)
        words = {
            WEBHOOKS: ("webhooks", "run", self.endpoints("http://127.0.0.1:1/")),
            WEBHOOKS_REPLAY: ("webhooks", "replay", self.endpoints("http://127.0.0.1:1/"), ENDPOINT),
            SERVE: ("serve",),
            "tracker topics create": ("topics", "create"),
            "tracker offers": ("offers", "publish", SHIPPED),
            "tracker publish": ("publish", self.folder / "feed.jsonl"),
            "tracker alerts": ("alerts", "--json"),
            "tracker dead-letters list": ("dead-letters", "list", "--json"),
            "tracker dead-letters replay": ("dead-letters", "replay"),
            "tracker verify": ("verify", "--json"),
            "tracker train, backtest": ("train", "--until", "2025-02-10", "--horizon", 10, "--out", self.folder / "m"),
        }[role]
        return self.bank.command(*words, status=status, kafka_sasl_username=user_of(role, number)).output

    def serve(self) -> str:
        """The server by its user, and everything asked of it that reaches Kafka."""
        with Running(self.bank, self.folder, kafka_sasl_username=user_of(SERVE)) as server:
            (offered,) = server.api("/alerts?kind=next_best_offer&status=raised&limit=1")["alerts"]
            path = f"/api/v1/alerts/{offered['alert']['alert_id']}/outcomes"
            assert server.send("POST", path, json={"outcome": "shown"}).status_code == 202
            assert server.send("PUT", "/api/v1/switches/churn_risk", json={"to": "on"}).status_code == 202
            assert all(each["lag"] is not None for each in server.api("/partitions"))
            assert server.api("/dead-letters") is not None
        return ""

    def webhooks(self, role: str) -> str:
        """Delivers to a receiver that takes nothing, and then sends what it did not take to one that takes all."""
        receiver = Receiver(self.endpoints("").with_name("secret").read_text())
        file = self.endpoints(receiver.url)
        try:
            if role == WEBHOOKS_REPLAY:
                words = "webhooks", "replay", file, ENDPOINT
                return self.bank.command(*words, kafka_sasl_username=user_of(role)).output
            receiver.answer = lambda alert: 422
            environment = self.bank.environment(kafka_sasl_username=user_of(role))
            log = self.folder / "webhooks.log"
            process = Program(environment, log, "webhooks", "run", str(file))
            try:
                process.wait_until(lambda: "went to the dead letters" in log.read_text(), WORK_SECONDS_MAX)
            finally:
                process.stop()
            return log.read_text()
        finally:
            receiver.close()

    def endpoints(self, url: str) -> Path:
        """A file of one endpoint."""
        self.folder.joinpath("secret").write_text("whsec_" + b64encode(bytes(32)).decode())
        file = self.folder / "webhooks.toml"
        told = {"name": ENDPOINT, "url": url, "secret_file": "secret", "begin": "start"}
        file.write_text("[[endpoint]]\n" + "".join(f'{name} = "{value}"\n' for name, value in told.items()))
        return file

    def unused(self, role: str) -> list[Right]:
        """Rights that the role's user has had no use for. Fails if something else was refused to it."""
        used = self.kafka.used(user_of(role))
        refused = [use for use in used if not use.allowed]
        assert refused == []
        return [right for right in self.roles[role] if not any(covers(right, use[1:]) for use in used)]


def user_of(role: str, without: int | None = None) -> str:
    """The user of a role with all of its rights, or without one."""
    name = role.replace(",", "").replace(" ", "-")
    return name if without is None else f"{name}-{without}"


def covers(right: Right, used: tuple[str, str, str]) -> bool:
    """Whether such a use needs the right."""
    operation, resource, name = used
    same = name.startswith(right.name) if right.prefix else name == right.name
    return (
        same
        and resource == KINDS[right.resource].name.title().replace("_", "")
        and operation == ("DESCRIBE_CONFIGS" if right.operation == "DescribeConfigs" else right.operation.upper())
    )


@pytest.fixture(scope="module")
def secured(secured_kafka: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """With its topics, what core banking and marketing have sent, and a worker that has worked it off."""
    with EmbeddedRedis("redis-server") as server:
        yield Secured(secured_kafka, server.url, tmp_path_factory.mktemp("secured"))


@pytest.fixture(scope="module")
def lived(secured: Secured) -> Secured:
    """Every role has done, with exactly its rights, all that it does."""
    bank, feed = secured.bank, secured.folder / "feed.jsonl"
    secured.run("tracker topics create")
    secured.run("tracker topics create")
    secured.run("tracker offers")
    tracker("simulate", "-o", feed, "--customers", 30, "--days", 60, "--seed", 3)
    event = {"event_id": "e1", "customer_id": "nobody", "kind": "consent_given", "occurred_at": "2024-01-01T00:00:00Z"}
    outcome = {"customer_id": "nobody", "offer_id": "savings-account", "outcome": "accepted"}
    more = [
        {"record": "customer-events"} | event,
        {"record": "alert-outcomes", "occurred_at": "2024-01-01T00:00:00Z"} | outcome,
        {"customer_id": "nobody"},
    ]
    with feed.open("a") as file:
        file.writelines(json.dumps(each) + "\n" for each in more)
    secured.run("tracker publish")
    core_banking(secured)
    with bank.worker() as worker:
        worker.until_ready().until(bank.at_rest)
        with redis.Redis.from_url(str(bank.settings.redis_url)) as server:
            server.flushall()  # all is read again, and what was published is looked up on the outbound topics
        worker.until(lambda: worker.metric("tracker_recoveries_total") >= 1).until(bank.at_rest)
    marketing(secured)
    for role in list(secured.roles)[5:]:
        secured.run(role)
    return secured


def core_banking(secured: Secured) -> None:
    """A producer of its own."""
    settings = secured.settings(user_of("core banking"))
    producer = Producer(client(settings))
    for topic in (settings.topic_transactions, settings.topic_customer_events):
        producer.produce(topic, b"{}", b"somebody")
    assert producer.flush(ANSWER_SECONDS_MAX) == 0


def marketing(secured: Secured) -> None:
    """A subscriber in a group, which sends an outcome back."""
    settings = secured.settings(user_of("marketing"))
    told = {"group.id": MARKETING_GROUP, "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    subscriber = Consumer(client(settings, **told))
    subscriber.subscribe([settings.topic_alerts])
    try:
        message = next(filter(None, iter(lambda: subscriber.poll(1), ...)))
        assert message.error() is None
        subscriber.commit(message, asynchronous=False)
    finally:
        subscriber.close()
    producer = Producer(client(settings))
    producer.produce(settings.topic_outcomes, b"{}", b"somebody")
    assert producer.flush(ANSWER_SECONDS_MAX) == 0


def test_the_pages_table_and_its_commands_give_what_the_program_needs() -> None:
    expected = {role: set(needed) for role, needed in roles(Settings()).items()}
    assert table() == expected
    assert sorted(map(sorted, typed().values())) == sorted(map(sorted, expected.values()))


@pytest.mark.parametrize("role", list(roles(Settings())))
def test_the_rights_of_the_page_are_enough_and_each_is_used(lived: Secured, role: str) -> None:
    assert lived.unused(role) == []


@pytest.mark.parametrize("role", [role for role in roles(Settings()) if role.startswith("tracker ") and role != WORKER])
def test_a_command_names_each_right_that_is_missing(lived: Secured, role: str) -> None:
    needed = lived.roles[role]

    for number, right in enumerate(needed):
        if right.operation != "Create":  # all topics are there by now
            of_it = [each for each in needed if each[1:3] == right[1:3] and each.operation != "Create"]
            # Without Describe nothing is known of a topic.
            lacking = of_it if right[:2] == ("Describe", "topic") else [right]
            expected = f"User:{user_of(role, number)} lacks {', '.join(each.words for each in lacking)}"
            said = lived.run(role, number, status=1)
            assert said.strip() == f"{expected}; docs/security.md lists the rights that are needed"


def test_a_worker_waits_at_its_start_and_names_each_right_that_is_missing(lived: Secured) -> None:
    needed = [right for right in lived.roles[WORKER] if right.resource != "transactional id"]

    def said(number: int) -> str:
        settings, health = lived.settings(user_of(WORKER, number)), Health()
        consumer = Consumer(consumer_config(settings, lambda _: None))
        try:
            with pytest.raises(GaveUp):
                asyncio.run(Preflight(settings, consumer, health).on_start())
        finally:
            consumer.close()
        return health.problems()[0]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(said, range(len(needed))))
    for number, right in enumerate(needed):
        who = f"User:{user_of(WORKER, number)}"
        assert answers[number] == f"kafka: {who} lacks {right.words}; docs/security.md lists the rights that are needed"


def test_a_running_worker_says_what_is_taken_from_it_and_goes_on_when_it_has_it_back(
    lived: Secured, tmp_path: Path
) -> None:
    """It starts without three rights: what it is given meanwhile is all that it waits for."""
    bank, user = lived.bank, "late"
    needed = {right.words: right for right in lived.roles[WORKER]}
    writes_changelog = needed[f"Write on topic {offers_changelog(bank.settings)}"]
    reads_alerts = needed[f"Read on topic {bank.settings.topic_alerts}"]
    transactions = needed[f"Write on transactional id {bank.settings.group_id}-*"]
    loop_group = needed[f"Read on group {bank.settings.group_id}"]
    at_first = [writes_changelog, reads_alerts, transactions]
    lived.kafka.add_users([user])
    lived.kafka.allow(bindings(user, [right for right in needed.values() if right not in at_first]))
    with bank.worker(kafka_sasl_username=user) as worker:
        worker.until(lambda: has(worker, "kafka", user, reads_alerts, writes_changelog))
        lived.kafka.allow(bindings(user, [writes_changelog, reads_alerts]))
        worker.until(lambda: has(worker, "publishing", user, transactions))
        lived.kafka.allow(bindings(user, [transactions]))
        worker.until_ready().until(lambda: worker.get("/healthz").status == 200)

        lived.kafka.forbid(bindings(user, [writes_changelog, loop_group]))
        catalogue = tmp_path / "offers.toml"
        catalogue.write_text(SHIPPED.read_text("utf-8").replace("savings-account", "another-account"))
        bank.command("offers", "publish", catalogue, kafka_sasl_username=user_of("tracker offers"))
        worker.until(lambda: has(worker, "rights", user, writes_changelog, loop_group))
        worker.until(lambda: "does not take it" in worker.get("/healthz").text)
        before, since = refused(lived, user), monotonic()
        Event().wait(LOOKED_AT_SECONDS)
        asked = (refused(lived, user) - before) / (monotonic() - since)
        assert asked < REFUSED_A_SECOND_MAX
        lived.kafka.allow(bindings(user, [loop_group]))
        worker.until(lambda: has(worker, "rights", user, writes_changelog)).until_ready()
        worker.signal(signal.SIGTERM)
        worker.end()
    assert b"another-account" not in kept(bank.settings)


def refused(lived: Secured, user: str) -> int:
    """Requests of the user that the brokers have refused so far."""
    return sum(not use.allowed for use in lived.kafka.used(user))


def has(worker: Worker, what: str, user: str, *lacking: Right) -> bool:
    """Whether /healthz says so."""
    words = f"User:{user} lacks {', '.join(right.words for right in lacking)}"
    return any(problem.startswith(f"{what}: {words}") for problem in worker.get("/healthz").said["problems"])


def kept(settings: Settings) -> set[bytes]:
    """Keys that the catalogue's changelog holds."""
    reader = consumer(settings)
    try:
        topic = offers_changelog(settings)
        return {message.key() or b"" for message in to_the_end(reader, topic, from_the_start([0]))}
    finally:
        reader.close()
