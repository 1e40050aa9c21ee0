"""Webhooks as a receiver meets them: signed, in order, once each, whatever becomes of receiver and sender."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from commands.kafka import consumer, from_the_start, partitions, to_the_end
from schemas.alert import Alert, Cause, Model, alert_id, cloud_event_headers
from streams.broker.messages import headers_of
from tests.live import Bank, OpenBank, Program, tracker
from tests.serving.receiver import Receiver

CUSTOMERS = tuple(f"c{number}" for number in range(12))
STOP_SECONDS_MAX = 30


def alert(customer: str, number: int, kind: str = "churn_risk") -> Alert:
    at = f"2026-01-{number + 1:02}T00:00:00.000Z"
    return Alert(
        alert_id=alert_id(customer, kind, str(number)),
        kind=kind,  # type: ignore[arg-type]
        status="raised",
        customer_id=customer,
        raised_at=at,
        expires_at=at,
        horizon_days=30,
        reasons=[],
        cause=Cause("transactions", 0),
        model=Model("own-rhythm", "1"),
    )


class Sender:
    """`tracker webhooks run` for one receiver."""

    def __init__(self, bank: Bank, folder: Path) -> None:
        self.bank, self._folder = bank, folder
        self.secret = tracker("webhooks", "secret").stdout.strip()
        self.receiver = Receiver(self.secret)
        self.file, self.log = folder / "webhooks.toml", folder / "webhooks.log"
        folder.joinpath("secret").write_text(self.secret)
        self.describe()
        self._process: Program | None = None
        self._producer = Producer(
            {"bootstrap.servers": bank.settings.kafka_bootstrap_servers, "partitioner": "murmur2"}
        )

    def describe(self, **more: object) -> None:
        told: dict[str, object] = {"name": "crm", "url": self.receiver.url, "secret_file": "secret", "begin": "start"}
        lines = (f"{name} = {msgspec.json.encode(value).decode()}" for name, value in (told | more).items())
        self.file.write_text("[[endpoint]]\n" + "\n".join(lines) + "\n")

    def publish(self, *alerts: Alert) -> None:
        for each in alerts:
            self._producer.produce(
                self.bank.settings.topic_alerts,
                key=each.customer_id,
                value=msgspec.json.encode(each),
                headers=list(cloud_event_headers(each)),
            )
        assert self._producer.flush(10) == 0

    def start(self) -> None:
        self._process = Program(self.bank.environment(), self.log, "webhooks", "run", str(self.file))

    def stop(self, kill: bool = False) -> None:
        if self._process is not None:
            if kill:
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.stop()
            self._process = None

    def until_said(self, text: str) -> None:
        assert self._process is not None
        self._process.wait_until(lambda: text in self.log.read_text(), STOP_SECONDS_MAX)

    def letters(self) -> list[Any]:
        reader, topic = consumer(self.bank.settings), self.bank.settings.topic_webhook_letters
        try:
            return list(to_the_end(reader, topic, from_the_start(partitions(reader, topic))))
        finally:
            reader.close()


@pytest.fixture
def sender(open_bank: OpenBank, tmp_path: Path) -> Iterator[Sender]:
    found = Sender(open_bank(partitions=3), tmp_path)
    yield found
    found.stop()
    found.receiver.close()


def in_order(receiver: Receiver, count: int) -> Callable[[], bool]:
    return lambda: len(receiver.taken) >= count


def ids(*alerts: Alert) -> list[str]:
    return sorted(each.alert_id for each in alerts)


@pytest.mark.timeout(240)
def test_each_alert_is_taken_once_and_a_customers_in_order_though_receiver_and_sender_fail(sender: Sender) -> None:
    receiver = sender.receiver
    first = [alert(customer, number) for number in range(3) for customer in CUSTOMERS]
    sender.publish(*first)
    failures = {"c1": 500, "c2": 302, "c3": 429, "c4": "hang", "c5": 404}
    failed: set[str] = set()

    def once(found: Any) -> int | str:
        customer = found["customer_id"]
        if customer in failures and customer not in failed:
            failed.add(customer)
            return failures[customer]
        return 204

    receiver.answer = once
    sender.describe(timeout_seconds=1)
    sender.start()
    receiver.until(in_order(receiver, len(first)))
    assert failed == failures.keys()
    sender.stop()

    # It was stopped, not killed: what was taken is not sent again; what came meanwhile is.
    second = [alert(customer, 3) for customer in CUSTOMERS]
    sender.publish(*second)
    sender.start()
    receiver.until(in_order(receiver, len(first) + len(second)))
    assert sorted(each.webhook_id for each in receiver.taken) == ids(*first, *second)
    for customer in CUSTOMERS:
        its = [each.alert["raised_at"] for each in receiver.taken if each.alert["customer_id"] == customer]
        assert its == sorted(its)
    headers = receiver.taken[0].headers
    assert headers["ce-id"] == headers["webhook-id"] == receiver.taken[0].alert["alert_id"]
    assert headers["ce-type"] == "customer-tracker.churn_risk.raised.v1"

    # Killed while the receiver hangs: the alert on its way comes again with the same id, and none is lost.
    receiver.answer = lambda found: "hang"
    last = alert("c1", 4)
    sender.publish(last)
    sender.until_said("waits: no answer within 1 s")
    sender.stop(kill=True)
    receiver.answer = lambda found: 204
    sender.start()
    receiver.until(in_order(receiver, len(first) + len(second) + 1))
    assert sorted(each.webhook_id for each in receiver.taken) == ids(*first, *second, last)
    assert not any(customer in sender.log.read_text() for customer in CUSTOMERS)


@pytest.mark.timeout(240)
def test_what_is_refused_waits_as_a_dead_letter_and_is_sent_again_when_asked_to(sender: Sender) -> None:
    receiver, bad = sender.receiver, alert("c1", 0)
    receiver.answer = lambda found: 422 if found["alert_id"] == bad.alert_id else 204
    later = alert("c1", 1)
    sender.publish(bad, alert("c1", 5, "next_best_offer"), later)
    sender.describe(kinds=["churn_risk"])
    sender.start()
    receiver.until(lambda: [each.webhook_id for each in receiver.taken] == [later.alert_id])
    sender.stop()

    (letter,) = sender.letters()
    assert (letter.key(), letter.value()) == (b"c1", msgspec.json.encode(bad))
    headers = dict(headers_of(letter))
    assert (headers["webhook-endpoint"], headers["webhook-why"]) == (b"crm", b"status 422")
    assert headers["ce_id"].decode() == bad.alert_id

    again = sender.bank.command("webhooks", "replay", sender.file, "crm", status=1)
    assert "0 alerts sent again" in again.stdout
    assert "status 422" in again.output
    receiver.answer = lambda found: 200
    assert "1 alerts sent again" in sender.bank.command("webhooks", "replay", sender.file, "crm").stdout
    assert "0 alerts sent again" in sender.bank.command("webhooks", "replay", sender.file, "crm").stdout
    assert [each.webhook_id for each in receiver.taken] == [later.alert_id, bad.alert_id]


@pytest.mark.timeout(240)
def test_who_is_gone_is_left_alone_and_loses_nothing_by_it(sender: Sender) -> None:
    receiver, only = sender.receiver, alert("c1", 0)
    receiver.answer = lambda found: 410
    sender.publish(only)
    sender.start()
    sender.until_said("take them out of the file")
    assert [each.status for each in receiver.deliveries] == [410]
    receiver.answer = lambda found: 204
    sender.start()
    receiver.until(lambda: [each.webhook_id for each in receiver.taken] == [only.alert_id])


@pytest.mark.timeout(240)
def test_a_new_endpoint_begins_with_what_comes_and_keeps_its_place_while_it_is_not_running(sender: Sender) -> None:
    receiver = sender.receiver
    before, meanwhile, after = (alert("c1", number) for number in range(3))
    sender.publish(before)
    sender.describe(begin="now")
    sender.start()
    sender.until_said("delivering to crm")
    sender.stop()
    sender.publish(meanwhile)
    sender.start()
    sender.publish(after)
    receiver.until(lambda: len(receiver.taken) == 2)
    assert [each.webhook_id for each in receiver.taken] == [meanwhile.alert_id, after.alert_id]
