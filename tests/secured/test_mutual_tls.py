"""Signing on to Kafka with a certificate instead of a password: both clients of the worker, and the commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import rights
from commands.embedded import EmbeddedRedis
from streams.broker.rights import worker_rights
from tests.live import Bank
from tests.secured.cluster import SecuredKafka
from tests.secured.roles import bindings

pytestmark = [pytest.mark.kafka, pytest.mark.redis_server]

USER = "certified"
KEY_PASSWORD = "of the key alone"


@pytest.fixture(scope="module")
def bank(secured_kafka: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    own = secured_kafka.authority.certificate(USER, KEY_PASSWORD)
    signs_on = {
        "kafka_security_protocol": "ssl",
        "kafka_ssl_ca_location": str(secured_kafka.authority.location),
        "kafka_ssl_certificate_location": str(own.certificate),
        "kafka_ssl_key_location": str(own.key),
        "kafka_ssl_key_password": KEY_PASSWORD,
        "replication_factor": 3,
        "partitions": 1,
        "clock": "stream",
    }
    with EmbeddedRedis("redis-server") as server:
        bank = Bank(secured_kafka.mutual_servers, server.url, tmp_path_factory.mktemp("mutual"), **signs_on)
        needed = {*worker_rights(bank.settings), *rights.making_topics(bank.settings)}
        needed |= {*rights.writing(bank.settings.topic_transactions), *rights.verifying(bank.settings)}
        secured_kafka.allow(bindings(USER, needed))
        bank.command("topics", "create")
        yield bank


def test_a_worker_signs_on_with_its_certificate(bank: Bank, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"customer_id": "a"}\n')
    bank.publish(feed)
    with bank.worker() as worker:
        worker.until_ready().until(bank.at_rest)
        assert worker.get("/healthz").status == 200
    assert bank.verified()["differences"] == 0


def test_who_shows_no_certificate_is_told_that_tls_has_failed(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    signs_on = {
        "kafka_security_protocol": "ssl",
        "kafka_ssl_ca_location": str(secured_kafka.authority.location),
    }
    bank = Bank(secured_kafka.mutual_servers, "redis://127.0.0.1:1/0", tmp_path, **signs_on)
    said = bank.command("alerts", status=1).stderr
    assert said.endswith("check the variables TRACKER_KAFKA_SSL_*\n")


def test_a_wrong_password_is_named_as_what_it_is(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    secured_kafka.add_users(["mistyped"])
    signs_on = secured_kafka.settings("mistyped") | {"kafka_sasl_password": "not this one"}
    bank = Bank(str(signs_on.pop("kafka_bootstrap_servers")), "redis://127.0.0.1:1/0", tmp_path, **signs_on)
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"customer_id": "a"}\n')
    for command in (("alerts",), ("topics", "create"), ("publish", feed), ("offers", "switch", "churn_risk", "off")):
        said = bank.command(*command, status=1).stderr
        assert "User:mistyped" in said
        assert said.endswith("check TRACKER_KAFKA_SASL_USERNAME and TRACKER_KAFKA_SASL_PASSWORD\n")
        assert "not this one" not in said
