"""Replay says the same however the stream is cut: the same alerts in the same order, the same rows."""

from decimal import Decimal

import orjson
import pytest

from commands.offers import SHIPPED, catalogue
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from learning.replay import Replay
from learning.simulator import simulate
from schemas.alert import Alert

LINES = [orjson.dumps(transaction) for transaction in simulate(customers=60, days=250, seed=5)]


def replayed(batch: int) -> tuple[list[Alert], dict[str, bytes]]:
    """Alerts and rows of the simulated bank, folded in batches of this size."""
    rates: dict[str, Decimal] = {}
    run = Replay(
        TransactionIntake("transactions", "EUR", rates, keyed=False), Rules(*catalogue(SHIPPED)), "transactions", batch
    )
    return list(run.alerts(LINES)), run.rows


@pytest.fixture(scope="module")
def one_by_one() -> tuple[list[Alert], dict[str, bytes]]:
    """The stream folded event by event."""
    return replayed(1)


@pytest.mark.parametrize("batch", [7, 500, len(LINES)])
def test_alerts_and_rows_do_not_depend_on_the_batch_size(
    batch: int, one_by_one: tuple[list[Alert], dict[str, bytes]]
) -> None:
    assert replayed(batch) == one_by_one


def test_no_alert_is_sent_twice_and_each_retraction_takes_back_one_that_was_sent(
    one_by_one: tuple[list[Alert], dict[str, bytes]],
) -> None:
    alerts = one_by_one[0]
    sent = [alert.alert_id for alert in alerts]
    assert len(set(sent)) == len(sent) > 50
    taken_back = [alert.supersedes for alert in alerts if alert.supersedes]
    assert len(set(taken_back)) == len(taken_back) > 5
    assert set(taken_back) <= set(sent)
