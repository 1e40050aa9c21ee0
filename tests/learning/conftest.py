"""A small bank's history, read once, and a model trained on it."""

from collections.abc import Iterable
from decimal import Decimal

import orjson
import pytest

from handlers.intake.transactions import TransactionIntake
from learning.churn_training import Trained, train
from learning.history import History, read
from learning.simulator import simulate
from schemas.units import parse_rfc3339

UNTIL = parse_rfc3339("2025-07-01T00:00:00Z")
HORIZON = 30


def read_lines(*files: Iterable[bytes], currency: str = "EUR") -> History:
    """The history in these files."""
    rates: dict[str, Decimal] = {}
    return read(files, TransactionIntake("transactions", currency, rates, keyed=False), lambda events: None)


@pytest.fixture(scope="session")
def lines() -> list[bytes]:
    """250 customers over 250 days."""
    return [orjson.dumps(row) for row in simulate(customers=250, days=250, seed=8)]


@pytest.fixture(scope="session")
def history(lines: list[bytes]) -> History:
    return read_lines(lines)


@pytest.fixture(scope="session")
def trained(history: History) -> Trained:
    return train(history, UNTIL, HORIZON)
