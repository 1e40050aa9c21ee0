"""A small secured Kafka: three brokers on loopback, TLS with an authority of the tests' own, users, and ACLs.

Each broker is a controller too. Topics have three replicas, of which two must have a record before it is acknowledged.
Nobody has a right that no ACL gives, but the brokers and `admin`. Clients sign on with a password (SCRAM-SHA-512) at
`bootstrap_servers`, or with a certificate of their own at `mutual_servers`.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from commands.embedded import TiedProcess, free_port
from tests.faults.servers import ROOT, until
from tests.secured.certificates import Authority, Certificate
from tests.servers import ANSWER_SECONDS_MAX, FETCH_AND_START_SECONDS_MAX

BROKERS = 3
MEMORY = "-Xms128m -Xmx400m -XX:TieredStopAtLevel=1"
PASSWORD = "a password of the tests"
ADMIN, BROKER = "admin", "broker"
_LOGGED = (
    (ROOT / "deploy/kafka/log4j2.properties").read_text()
    + """
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = debug
"""
)
"""With each use of a right, and each refusal."""


_USE = re.compile(r" is (Allowed|Denied) operation = (\w+) from host = \S+ on resource = (\w+):\w+:(\S+)")


class Use(NamedTuple):
    """One look at a user's rights, as the authorizer writes it down."""

    allowed: bool
    operation: str
    resource: str
    name: str


class Broker:
    """One of them: its ports, its files, and its process while it runs."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.data = folder / f"broker-{number}"
        self.data.mkdir()
        self.port, self.mutual_port, self.controller_port = free_port(), free_port(), free_port()
        self.process: TiedProcess | None = None

    def start(self) -> None:
        """Starts it over the data that it has. It needs a second one to be of use."""
        serve = [str(ROOT / "deploy/kafka/serve"), str(self.port), str(self.controller_port), str(self.data)]
        logged = self.data / "log4j2.properties"
        logged.write_text(_LOGGED)
        told = [f"KAFKA_HEAP_OPTS={MEMORY}", f"KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile={logged}"]
        self.process = TiedProcess(["env", *told, *serve], self.data / "output")

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.stop()
            self.process = None


class SecuredKafka:
    """`properties` are added to the settings of each broker."""

    def __init__(self, properties: Iterable[str] = ()) -> None:
        with ExitStack() as undo:
            self._folder = Path(tempfile.mkdtemp(prefix="tracker-secured-"))
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self.authority = Authority(self._folder / "certificates")
            self.brokers = [Broker(number, self._folder) for number in range(1, BROKERS + 1)]
            self.bootstrap_servers = ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)
            self.mutual_servers = ",".join(f"127.0.0.1:{broker.mutual_port}" for broker in self.brokers)
            self.client = self.client_of(self.authority.certificate(ADMIN))
            """librdkafka's configuration of a client that may do everything."""
            self._write_settings(properties)
            for broker in self.brokers:
                undo.callback(broker.kill)  # three that take leave of each other need a quarter of a minute
                broker.start()
            self.admin = AdminClient(self.client)
            self.until_whole(FETCH_AND_START_SECONDS_MAX)
            self._undo = undo.pop_all()

    def client_of(self, certificate: Certificate) -> dict[str, Any]:
        """librdkafka's configuration of a client that signs on with a certificate."""
        return {
            "bootstrap.servers": self.mutual_servers,
            "security.protocol": "ssl",
            "ssl.ca.location": str(self.authority.location),
            "ssl.certificate.location": str(certificate.certificate),
            "ssl.key.location": str(certificate.key),
            "log_level": 0,
        }

    def settings(self, user: str) -> dict[str, Any]:
        """What the program must be told to sign on as this user."""
        return {
            "kafka_bootstrap_servers": self.bootstrap_servers,
            "kafka_security_protocol": "sasl_ssl",
            "kafka_sasl_username": user,
            "kafka_sasl_password": PASSWORD,
            "kafka_ssl_ca_location": str(self.authority.location),
            "replication_factor": BROKERS,
        }

    def add_users(self, names: Iterable[str]) -> None:
        """Users who may sign on with PASSWORD, and do nothing else."""
        information = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
        made = [UserScramCredentialUpsertion(name, information, PASSWORD.encode()) for name in names]
        for each in self.admin.alter_user_scram_credentials(made).values():
            each.result(ANSWER_SECONDS_MAX)

    def allow(self, rights: Iterable[AclBinding]) -> None:
        """Gives rights. The brokers know of them a moment later."""
        for each in self.admin.create_acls(list(rights)).values():
            each.result(ANSWER_SECONDS_MAX)

    def forbid(self, rights: Iterable[AclBinding]) -> None:
        """Takes rights away. The brokers know of it a moment later."""
        filters = [
            AclBindingFilter(
                each.restype,
                each.name,
                each.resource_pattern_type,
                each.principal,
                each.host,
                each.operation,
                each.permission_type,
            )
            for each in rights
        ]
        for each in self.admin.delete_acls(filters).values():
            each.result(ANSWER_SECONDS_MAX)

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """New topics, in one request; returns when the brokers know of them. Raises KafkaException if one exists."""
        wanted = [NewTopic(name, number, BROKERS) for name, number in partitions.items()]
        for made in self.admin.create_topics(wanted).values():
            made.result(ANSWER_SECONDS_MAX)
        until(lambda: self._known(partitions), ANSWER_SECONDS_MAX, "new topics")

    def used(self, user: str) -> list[Use]:
        """What the user has done or tried, by the brokers' own record of it, in no order."""
        lines = [line for broker in self.brokers for line in (broker.data / "output").read_text().splitlines()]
        found = [_USE.search(line) for line in lines if f"Principal = User:{user} " in line]
        return [Use(each[1] == "Allowed", each[2], each[3], each[4]) for each in found if each is not None]

    def coordinator(self, group: str) -> Broker:
        """The broker that keeps a consumer group."""
        found = self.admin.describe_consumer_groups([group])[group].result(ANSWER_SECONDS_MAX)
        return self._numbered(found.coordinator.id)

    def leader(self, topic: str, partition: int) -> Broker:
        """The broker that takes the records of a partition."""
        return self._numbered(
            self.admin.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions[partition].leader
        )

    def controller(self) -> Broker:
        """The active controller. Kafka's protocol names any broker instead; each has written down whom it votes for."""
        known = [(broker.data / "log/__cluster_metadata-0/quorum-state").read_text() for broker in self.brokers]
        found = [re.search(r'"leaderId":(-?\d+),"leaderEpoch":(\d+)', text) for text in known]
        _, number = max((int(each[2]), int(each[1])) for each in found if each is not None)
        return self._numbered(number)

    def until_whole(self, seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        """Returns when every broker is there and no partition lacks a replica. Raises TimeoutError."""
        until(self._whole, seconds_max, "three brokers")

    def close(self) -> None:
        """Stops the brokers and removes their data; a second call does nothing."""
        self._undo.close()

    def _whole(self) -> bool:
        try:
            found = self.admin.list_topics(timeout=1)
        except KafkaException:
            return False
        partitions = [each for topic in found.topics.values() for each in topic.partitions.values()]
        return len(found.brokers) == BROKERS and all(len(each.isrs) == len(each.replicas) for each in partitions)

    def _known(self, partitions: Mapping[str, int]) -> bool:
        found = self.admin.list_topics(timeout=ANSWER_SECONDS_MAX).topics
        return all(name in found and len(found[name].partitions) == n for name, n in partitions.items())

    def _numbered(self, number: int) -> Broker:
        return self.brokers[number - 1]

    def _write_settings(self, properties: Iterable[str]) -> None:
        own = self.authority.certificate(BROKER)
        store = self._folder / "broker.pem"
        store.write_text(own.key.read_text() + own.certificate.read_text())
        voters = ",".join(f"{broker.number}@127.0.0.1:{broker.controller_port}" for broker in self.brokers)
        for broker in self.brokers:
            lines = [
                f"node.id={broker.number}",
                f"controller.quorum.voters={voters}",
                f"listeners=USERS://127.0.0.1:{broker.port},MUTUAL://127.0.0.1:{broker.mutual_port},"
                f"CONTROLLER://127.0.0.1:{broker.controller_port}",
                f"advertised.listeners=USERS://127.0.0.1:{broker.port},MUTUAL://127.0.0.1:{broker.mutual_port}",
                "listener.security.protocol.map=USERS:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL",
                "inter.broker.listener.name=MUTUAL",
                "listener.name.mutual.ssl.client.auth=required",
                "listener.name.controller.ssl.client.auth=required",
                "sasl.enabled.mechanisms=SCRAM-SHA-512",
                "listener.name.users.scram-sha-512.sasl.jaas.config="
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={store}",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self.authority.location}",
                "ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                f"super.users=User:{BROKER};User:{ADMIN}",
                f"default.replication.factor={BROKERS}",
                "min.insync.replicas=2",
                f"offsets.topic.replication.factor={BROKERS}",
                f"transaction.state.log.replication.factor={BROKERS}",
                "transaction.state.log.min.isr=2",
                *properties,
            ]
            (broker.data / "more.properties").write_text("".join(f"{line}\n" for line in lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
