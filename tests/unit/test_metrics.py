"""The metrics that a worker sends."""

from itertools import product
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from handlers.churn.challenger import BANDS
from schemas.dead_letter import Reason
from schemas.outcome import OutcomeKind
from streams.ops.metrics import Metrics


def test_every_reason_and_kind_is_there_at_zero_from_the_start() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    for reason in get_args(Reason):
        assert registry.get_sample_value("tracker_dead_letters_total", {"reason": reason}) == 0
    for outcome in get_args(OutcomeKind):
        assert registry.get_sample_value("tracker_outcomes_total", {"outcome": outcome}) == 0
    for champion, challenger in product(BANDS, BANDS):
        both = {"champion": champion, "challenger": challenger}
        assert registry.get_sample_value("tracker_churn_looks_total", both) == 0
    alert = {"kind": "churn_risk", "status": "retracted"}
    assert registry.get_sample_value("tracker_alerts_total", alert) == 0


def test_no_series_tells_when_a_counter_was_made() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    assert [
        sample.name for metric in registry.collect() for sample in metric.samples if "_created" in sample.name
    ] == []


def test_a_partition_that_is_given_away_leaves_no_figures_behind() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.partition(3).lag_events.set(12)
    metrics.partition(4).lag_events.set(5)
    metrics.forget(3)
    metrics.forget(9)
    assert registry.get_sample_value("tracker_lag_events", {"partition": "3"}) is None
    assert registry.get_sample_value("tracker_lag_events", {"partition": "4"}) == 5


def test_each_gauge_of_a_partition_is_the_one_that_its_name_says() -> None:
    registry = CollectorRegistry()
    partition = Metrics(registry).partition(0)
    for place, name in enumerate(type(partition).__slots__):
        getattr(partition, name).set(place)
        assert registry.get_sample_value(f"tracker_{name}", {"partition": "0"}) == place


def test_two_workers_in_one_process_have_registries_of_their_own() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    Metrics(CollectorRegistry())
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry)
