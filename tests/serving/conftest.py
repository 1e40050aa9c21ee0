"""One small bank that a worker has processed, and two servers over it: one open, one that asks for keys."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from commands.embedded import EmbeddedBroker, EmbeddedRedis
from commands.offers import SHIPPED
from commands.topics import wanted_topics
from serving.access import ROLES, Role, hash_of, new_key
from tests.live import Bank, tracker
from tests.serving.server import Running, Server

CUSTOMERS = 60


class Keyed(NamedTuple):
    """A server that asks for keys, and a key of each role."""

    server: Server
    keys: dict[Role, str]
    expired: str
    everything: str
    """The key of somebody with every role."""


@pytest.fixture(scope="session")
def served_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A simulated bank on embedded servers of its own, its worker still running."""
    feed = tmp_path_factory.mktemp("served") / "feed.jsonl.gz"
    tracker("simulate", "-o", feed, "--customers", CUSTOMERS, "--days", 120, "--seed", 2)
    with EmbeddedBroker() as broker, EmbeddedRedis() as redis:
        bank = Bank(broker.bootstrap_servers, redis.url, tmp_path_factory.mktemp("logs"), partitions=3, clock="stream")
        for topic in wanted_topics(bank.settings):
            broker.create_topic(topic.name, topic.partitions)
        bank.command("offers", "publish", SHIPPED)
        bank.publish(feed)
        with bank.worker() as worker:
            worker.until(lambda: bank.processed() > 0 and _at_rest(bank))
            yield bank


@pytest.fixture(scope="session")
def server(served_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On loopback, without keys."""
    with Running(served_bank, tmp_path_factory.mktemp("open")) as found:
        yield found


@pytest.fixture(scope="session")
def keyed(served_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """With a key of each role, and one that expired today."""
    folder = tmp_path_factory.mktemp("keyed")
    file, today = folder / "keys.toml", datetime.now(UTC).date()
    keys = {role: new_key() for role in ROLES}
    expired = new_key()
    tables = [(role, key, role, today + timedelta(days=1)) for role, key in keys.items()]
    tables.append(("late", expired, "viewer", today))
    everything = new_key()
    tables.append(("everything", everything, '", "'.join(ROLES), today + timedelta(days=1)))
    file.write_text(
        "".join(
            f'[[key]]\nname = "{name}"\nsha256 = "{hash_of(key)}"\nroles = ["{role}"]\nexpires = {expires}\n'
            for name, key, role, expires in tables
        )
    )
    with Running(served_bank, folder, serve_keys_file=file) as found:
        yield Keyed(found, keys, expired, everything)


def _at_rest(bank: Bank) -> bool:
    """All is processed and published. (The embedded broker does not know transactions, so no more is asked of it.)"""
    from commands.kafka import consumer, ends

    reader = consumer(bank.settings)
    try:
        for number in range(bank.settings.partitions):
            position = bank.state.read(number)
            high = ends(reader, bank.settings.topic_transactions, number).high
            if position is None or position.offset < high or bank.state.depths(number)[1]:
                return False
        return True
    finally:
        reader.close()
