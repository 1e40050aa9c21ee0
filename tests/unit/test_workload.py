"""The bench's workload: what its docstrings promise of it."""

import numpy as np
import pytest

from commands.benchmark.footprint import ACTIVE_DAYS, HISTORIES, histories
from commands.benchmark.workload import CATALOGUE, DUPLICATE_WITHIN, EVENT_BYTES, OFFER, START_MS, Workload, customer_id
from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.profile.customer import profile
from tests.fast import PUBLISHED_AT

EVENTS = 50_000


def test_the_same_for_a_seed_and_another_for_another() -> None:
    first, second, other = (list(Workload(seed, 5_000, 0.8).part(EVENTS).values()) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_events_are_of_the_size_and_the_shares_that_are_told() -> None:
    part = Workload(1, 10_000, 0.0).part(EVENTS)
    sizes = [len(value) for _, value in part.values()]
    assert abs(np.mean(sizes) - EVENT_BYTES) < 5
    assert abs(part.alerting.mean() - 0.01) < 0.002
    assert abs((np.diff(part.at) < 0).mean() - 0.025) < 0.005  # late by half an hour or more, or published again


def test_duplicates_are_the_same_bytes_shortly_after_their_originals() -> None:
    part = Workload(1, 10_000, 0.0).part(EVENTS)
    seen: dict[int, tuple[int, bytes]] = {}
    again = 0
    for place, (number, (_, value)) in enumerate(zip(part.number.tolist(), part.values(), strict=True)):
        if number in seen:
            before, original = seen[number]
            assert value == original
            assert place - before <= DUPLICATE_WITHIN
            again += 1
        else:
            seen[number] = place, value
    assert abs(again / EVENTS - 0.01) < 0.002


@pytest.mark.parametrize(("skew", "busiest"), [(0.0, 0.0003), (0.8, 0.028)])
def test_the_busiest_customer_has_the_share_that_the_skew_gives(skew: float, busiest: float) -> None:
    """10,000 customers: evenly, the largest of as many Poisson counts around 5; else (2^0.2 - 1) / (10001^0.2 - 1)."""
    part = Workload(1, 10_000, skew).part(EVENTS)
    assert np.bincount(part.customer).max() / EVENTS == pytest.approx(busiest, rel=0.15, abs=0.0002)


def test_every_salary_raises_an_alert_that_the_latency_is_measured_by() -> None:
    workload = Workload(1, 2_000, 0.5)
    part = workload.part(EVENTS)
    records = [Record(offset, PUBLISHED_AT, key, value) for offset, (key, value) in enumerate(part.values())]
    batch = TransactionIntake("transactions", "EUR", {}).batch(0, records, StreamTime(), DuplicateFilter())
    assert batch.dead_letters == []
    alerts = Engine("transactions").step(partition_input(0, batch, {}), Rules(*CATALOGUE)).alerts
    raised = {alert.cause.event_id for alert in alerts}
    assert {f"b-{number:010d}" for number in part.number[part.alerting].tolist()} <= raised
    assert sum(alert.offer is not None and alert.offer.offer_id == OFFER.offer_id for alert in alerts) > 0.9 * len(
        alerts
    )


def test_a_known_customer_has_thirty_active_days_in_ninety() -> None:
    known = histories(1)
    assert len(known) == HISTORIES
    assert {profile(each.row, START_MS - 1)["active_days_90d"] for each in known} == {ACTIVE_DAYS}
    assert all(each.due is None or each.due > START_MS for each in known)
    assert customer_id(7) == b"C00000007"
