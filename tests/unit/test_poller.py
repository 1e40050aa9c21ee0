"""What the polling thread keeps back, with clients of the embedded broker."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from commands.embedded import EmbeddedBroker
from handlers.intake.events import Record
from schemas.units import HOUR_MS
from streams.broker.membership import Membership
from streams.broker.ownership import Ownership
from streams.broker.poller import Poller, consumer_config
from streams.broker.side_topics import SideTopics
from streams.broker.topics import topics_read
from streams.ops.health import Health
from streams.ops.metrics import Metrics
from streams.ops.settings import Settings
from streams.store.port import Offsets, Position
from tests.servers import fresh_name


def test_an_outcome_waits_for_transactions_written_before_it_unless_all_are_read(
    embedded_broker: EmbeddedBroker,
) -> None:
    name = fresh_name("river")
    given: dict[str, Any] = {"kafka_bootstrap_servers": embedded_broker.bootstrap_servers, "topic_outcomes": name}
    settings = Settings(**given, group_id=name, poll_records_max=2)
    embedded_broker.create_topic(name, 1)
    consumer = Consumer(consumer_config(settings, lambda _: None))
    consumer.assign([TopicPartition(name, 0, 0)])
    nothing = cast(Any, None)
    side_topics = SideTopics(topics_read(settings), consumer)
    health, metrics = Health(), Metrics(CollectorRegistry())
    membership = Membership(settings, lambda: consumer, nothing, health, metrics)
    river = Poller(settings, membership, side_topics, nothing, health, metrics, nothing, nothing)
    ownership = Ownership(cast(Any, type("Numbered", (), {"number": 0})), Offsets())
    outcomes = [Record(n, at, b"c", b"{}") for n, at in enumerate((100, 200, 150, 300))]

    def told(waiting: list[Record], seen_ms: int) -> tuple[list[int], bool]:
        ownership.reading.seen_ms = seen_ms
        ripe = river.ripe(ownership, {name: waiting}).get(name, [])
        return [record.offset for record in ripe], name in ownership.reading.on_hold

    assert told(outcomes, 0) == ([], True)
    assert told(outcomes, 150) == ([0], True), "in their order: what stands behind one that waits, waits too"
    assert told(outcomes[1:], 200) == ([1, 2], False)
    ownership.reading.caught_up = True
    assert told(outcomes[3:], 0) == ([3], False)
    consumer.close()


class Held(list[Ownership]):
    """Claims that are worked on, and those that can't be."""

    ended: Sequence[Ownership] = ()


def claim_at(offset: int) -> Ownership:
    """On partition 4, which stands there."""
    stands = Position(1, 1, offset, 0, 0, 0, 0)
    partition = SimpleNamespace(number=4, position=stands, start=Offsets(), reached=stands.offsets)
    ownership = Ownership(cast(Any, partition), Offsets())
    ownership.working.committed = stands.offsets
    return ownership


def test_what_waits_in_a_partition_that_cannot_be_worked_on_goes_on_waiting() -> None:
    registry, ownership = CollectorRegistry(), claim_at(12)
    ownership.reading.high, ownership.reading.seen_ms = 12, int(time.time() * 1_000) - 100_000
    settings, nothing = Settings(kafka_bootstrap_servers="127.0.0.1:1"), cast(Any, None)
    ownerships = Held([ownership])
    river = Poller(settings, nothing, nothing, cast(Any, ownerships), Health(), Metrics(registry), nothing, nothing)

    def gauge(name: str) -> float:
        return registry.get_sample_value(f"tracker_{name}", {"partition": "4"}) or 0.0

    river.observe()
    assert (gauge("lag_events"), gauge("lag_seconds")) == (0, 0)
    ownerships.clear()
    ownership.alive, ownerships.ended, ownership.reading.high = False, [ownership], 40
    river.observe()
    assert gauge("lag_events") == 28
    assert 100 <= gauge("lag_seconds") < 160
    assert registry.get_sample_value("tracker_partitions_owned") == 0


def test_how_long_somebody_is_overdue_is_what_the_clock_on_the_wall_says_at_the_scrape() -> None:
    def overdue(next_due: int | None, clock: str) -> float | None:
        given: dict[str, Any] = {"kafka_bootstrap_servers": "127.0.0.1:1", "clock": clock}
        registry, ownership = CollectorRegistry(), claim_at(0)
        ownership.working.next_due = next_due
        nothing = cast(Any, None)
        ownerships = cast(Any, Held([ownership]))
        Poller(Settings(**given), nothing, nothing, ownerships, Health(), Metrics(registry), nothing, nothing).observe()
        return registry.get_sample_value("tracker_due_overdue_seconds", {"partition": "4"})

    now = int(time.time() * 1_000)
    assert 100 <= (overdue(now - 100_000, "wall") or 0) < 160
    assert overdue(now + 100_000, "wall") == 0
    assert overdue(None, "wall") == 0
    assert overdue(now - 100_000, "stream") == 0, "it stands still while nothing is worked off"


def test_an_outage_of_the_feed_is_a_gauge_and_a_notice_until_it_is_over_or_somebody_elses() -> None:
    registry, ownership, health, nothing = CollectorRegistry(), claim_at(0), Health(), cast(Any, None)
    held = Held([ownership])
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")
    river = Poller(settings, nothing, nothing, cast(Any, held), health, Metrics(registry), nothing, nothing)

    def said() -> tuple[float | None, list[str]]:
        river.observe()
        river.notice_outages()
        return registry.get_sample_value("tracker_feed_outage_seconds", {"partition": "4"}), health.notices()

    assert said() == (0, [])
    ownership.working.outage_ms = 60 * HOUR_MS
    seconds, (notice,) = said()
    assert seconds == 60 * 3_600
    assert notice.startswith("partition 4: nothing has come for 60 h, far longer than usual")
    assert health.problems() == [], "the worker does all it can"
    ownership.working.outage_ms = 0
    assert said() == (0, [])
    ownership.working.outage_ms = 60 * HOUR_MS
    said()
    held.clear()
    river.notice_outages()
    assert health.notices() == []


def test_a_partition_is_behind_since_polls_bring_as_much_as_they_may() -> None:
    ownership = Ownership(cast(Any, None), Offsets())
    assert ownership.reading.behind_seconds(4.0) == 0
    for full, at in ((True, 5.0), (True, 6.0)):
        ownership.reading.polled(full, at)
    assert ownership.reading.behind_seconds(7.5) == 2.5
    ownership.reading.polled(False, 8.0)
    assert ownership.reading.behind_seconds(9.0) == 0
