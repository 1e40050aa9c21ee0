"""What deciding costs an event, beside keeping the aggregates: in `make bench`, and by itself.

    python -m tests.bench.decisions

Two streams are replayed with each set of rules in turn, one whole round after the other, and processor time counts: the
bench's workload, in which one event in a hundred brings a moment, and a simulated bank, whose customers have salaries,
bills and habits, so that one in eight does. The model is learned from another such bank. Without offers and without a
model own rhythm still says who is silent for too long; what a set adds is told against that.
"""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime, time
from statistics import median
from time import process_time
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from commands.benchmark.workload import CATALOGUE, Workload
from commands.offers import SHIPPED, catalogue
from handlers.churn.model import ChurnModel
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from handlers.offers.catalog import Catalogue
from learning.churn_training import train
from learning.history import read
from learning.replay import Replay
from learning.simulator import START, simulate
from schemas.units import DAY_MS, epoch_ms

ROUNDS = 5
BATCH = 1_000
EVENTS, CUSTOMERS = 100_000, 5_000
BANK_CUSTOMERS, BANK_DAYS, HORIZON = 500, 240, 60
LEARNED, SEEN = 31, 32
"""Seeds of the bank that the model learns from, and of the one that is replayed."""


class Cost(NamedTuple):
    """Of one stream under one set of rules."""

    stream: str
    rules: str
    cpu_us: float
    """An event, median of the rounds."""
    added_us: float
    """Beside own rhythm alone, median of the rounds' differences."""
    alerts: int
    suppressed: int
    unfitting: int


def decisions() -> list[Cost]:
    """Measures all of it."""
    model = learned()
    bank = [orjson.dumps(row) for row in simulate(BANK_CUSTOMERS, BANK_DAYS, SEEN)]
    workload = [value for _, value in Workload(1, CUSTOMERS, 0.0).part(EVENTS).values()]
    return [
        *costs("bench's workload", workload, sets_of_rules(CATALOGUE, model)),
        *costs("simulated bank", bank, sets_of_rules(catalogue(SHIPPED), model)),
    ]


def learned() -> ChurnModel:
    """From a bank of another seed."""
    lines = [orjson.dumps(row) for row in simulate(BANK_CUSTOMERS, BANK_DAYS, LEARNED)]
    history = read([lines], _intake(), lambda events: None)
    until = epoch_ms(datetime.combine(START, time(), UTC)) + BANK_DAYS * DAY_MS
    return train(history, until, HORIZON).model


def sets_of_rules(offered: Catalogue, model: ChurnModel) -> dict[str, Rules]:
    """The first is what the others are compared with."""
    return {
        "own rhythm": Rules(),
        "offers": Rules(*offered),
        "churn model": Rules(churn=model),
        "all": Rules(*offered, churn=model),
    }


def costs(stream: str, lines: list[bytes], sets: dict[str, Rules]) -> list[Cost]:
    """Of one stream under each set of rules; the first round warms up and does not count."""
    rounds = [{name: _replayed(lines, rules) for name, rules in sets.items()} for _ in range(1 + ROUNDS)][1:]
    first = next(iter(sets))
    found = []
    for name, (_, *counts) in rounds[-1].items():
        us = median(each[name][0] for each in rounds)
        added = median(each[name][0] - each[first][0] for each in rounds)
        found.append(Cost(stream, name, us, added, *counts))
    return found


def _replayed(lines: list[bytes], rules: Rules) -> tuple[float, int, int, int]:
    """Processor µs an event; alerts, alerts kept back, moments at which no offer fitted."""
    run = Replay(_intake(), rules, "transactions", BATCH)
    gc.collect()
    started = process_time()
    alerts = sum(1 for _ in run.alerts(lines))
    us = (process_time() - started) / len(lines) * 1e6
    return us, alerts, run.suppressed.total(), run.unfitting


def _intake() -> TransactionIntake:
    return TransactionIntake("transactions", "EUR", {}, keyed=False)


def table(found: Sequence[Cost]) -> Table:
    """The figures for people."""
    shown = Table("stream", "rules", box=None)
    for head in ("CPU µs an event", "added", "alerts", "kept back", "none fitting"):
        shown.add_column(head, justify="right")
    for one in found:
        counts = (f"{number:,}" for number in (one.alerts, one.suppressed, one.unfitting))
        shown.add_row(one.stream, one.rules, f"{one.cpu_us:.2f}", f"{one.added_us:.2f}", *counts)
    return shown


if __name__ == "__main__":
    Console(width=120).print(table(decisions()))
