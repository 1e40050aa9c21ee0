"""A live run leaves what replay leaves, customer by customer, figure by figure, for any batches and partitions."""

import json
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from commands.offers import SHIPPED
from commands.state import claimed_partitions
from handlers.profile.customer import profile
from streams.ops.settings import variable
from tests.live import BERKA, Bank, Json, OpenBank, outside, tracker

EVENTS = 3_000
BATCHES = (1, 7, 500)
PARTITIONS = (1, 8)

Figures = dict[str, Json]

pytestmark = pytest.mark.skipif(not (BERKA / "trans.asc").exists(), reason="the Berka data is not beside the project")


class Left(NamedTuple):
    """What a run has left: every customer's figures, the ids of its alerts, and what `verify` says."""

    figures: Figures
    alerts: list[str]
    verified: Json


@pytest.fixture(scope="module")
def slice_of_berka(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first events of the real bank."""
    file = tmp_path_factory.mktemp("berka") / "slice.jsonl"
    lines = tracker("convert", "berka", BERKA, "-o", "-").stdout.splitlines(keepends=True)
    file.write_text("".join(lines[:EVENTS]))
    return file


@pytest.fixture(scope="module")
def live(open_bank: OpenBank, slice_of_berka: Path) -> dict[tuple[int, int], Left]:
    """A run for each size of batches and number of partitions, all at the same time."""
    banks = {
        (batch, partitions): open_bank(
            poll_records_max=batch, partitions=partitions, base_currency="CZK", clock="stream"
        )
        for batch, partitions in product(BATCHES, PARTITIONS)
    }
    with ExitStack() as stack:
        for bank in banks.values():
            bank.command("offers", "publish", SHIPPED)
            bank.publish(slice_of_berka)
        workers = {how: stack.enter_context(bank.worker()) for how, bank in banks.items()}
        for how, worker in workers.items():
            worker.until(banks[how].at_rest)
        return {how: left_by(bank) for how, bank in banks.items()}


def left_by(bank: Bank) -> Left:
    figures: Figures = {}
    for number in claimed_partitions(bank.state, bank.settings):
        position = bank.state.read(number)
        assert position is not None
        customers = bank.state.customers(number)
        for customer, row in zip(customers, bank.state.load(number, customers), strict=True):
            assert row is not None
            figures[customer] = {"customer_id": customer, **profile(row, position.clock)}
    alerts = [alert["alert_id"] for alert in bank.alerts() if compared(alert, bank.settings.partitions)]
    return Left(figures, sorted(alerts), bank.verified())


def compared(alert: Json, partitions: int) -> bool:
    """Over several partitions offers may differ: each learns from its own customers what they take."""
    return partitions == 1 or alert["kind"] == "churn_risk"


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("partitions", PARTITIONS)
def test_live_and_replay_leave_the_same(
    live: dict[tuple[int, int], Left], slice_of_berka: Path, tmp_path: Path, batch: int, partitions: int
) -> None:
    alerts, profiles = tmp_path / "alerts.jsonl", tmp_path / "profiles.jsonl"
    command = ("replay", slice_of_berka, "--alerts", alerts, "--profiles", profiles, "--batch", batch)
    tracker(*command, environment=outside() | {variable("base_currency"): "CZK", variable("churn_model"): "own-rhythm"})
    replayed = [json.loads(line) for line in profiles.read_text().splitlines()]
    left = live[batch, partitions]
    assert left.figures == {figures["customer_id"]: figures for figures in replayed}
    raised = [
        alert["alert_id"] for line in alerts.read_text().splitlines() if compared(alert := json.loads(line), partitions)
    ]
    assert left.alerts == sorted(raised)
    assert len(left.figures) > 200
    assert len(left.alerts) > 10
    summary = {"differences": 0, "events": EVENTS, "customers": len(left.figures)}
    assert {name: left.verified[name] for name in summary} == summary
