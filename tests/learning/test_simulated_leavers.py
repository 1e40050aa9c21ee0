"""Who is about to leave at a simulated bank that the model has never seen, by the truth about its customers.

pytest -s tests/learning/test_simulated_leavers.py prints the table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from statistics import median

import orjson
import pytest

from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from learning.churn_training import train
from learning.replay import Replay
from learning.simulator import START, Truth, ground_truth, simulate
from schemas.alert import Alert
from schemas.transaction import NOT_OWN_TYPES
from schemas.units import DAY_MS, epoch_ms, parse_rfc3339
from tests.learning.conftest import read_lines

CUSTOMERS, DAYS, HORIZON = 800, 240, 30
LEARNED, SEEN = 21, 25
"""Seeds of the bank that the model learns from, and of the one that it is judged on."""


@dataclass
class Noticed:
    """What the alerts of a bank came to."""

    truth: dict[str, Truth]
    raised: list[Alert] = field(default_factory=list)
    own: dict[str, list[int]] = field(default_factory=dict)
    """Moments of each customer's own transactions, epoch ms."""
    standing: dict[str, Alert] = field(default_factory=dict)
    """By customer, what was not taken back."""

    def told(self, alert: Alert) -> None:
        if alert.kind == "churn_risk" and alert.status == "raised":
            self.raised.append(alert)
            self.standing[alert.customer_id] = alert
        elif alert.kind == "churn_risk":
            self.standing.pop(alert.customer_id, None)

    def right(self, alert: Alert) -> bool:
        """Whether the customer had begun to fade, or had left."""
        turns_on = self.truth[alert.customer_id].turns_on
        return turns_on is not None and _midnight(turns_on) <= parse_rfc3339(alert.raised_at)

    def came_true(self, alert: Alert) -> bool:
        """Whether the customer did nothing within the horizon."""
        at = parse_rfc3339(alert.raised_at)
        return not any(at <= moment < at + HORIZON * DAY_MS for moment in self.own[alert.customer_id])

    def gone(self, fate: str) -> list[Truth]:
        """Of that fate, who had been gone for a horizon when the bank's days end."""
        end = START + timedelta(DAYS - HORIZON)
        return [one for one in self.truth.values() if one.fate == fate and one.gone_on and one.gone_on <= end]

    def days_to_alert(self, fate: str) -> list[float]:
        """From the last own transaction to the alert that stood, of those who are gone and were told of."""
        told = [(self.standing[one.customer_id], self.own[one.customer_id]) for one in self.gone(fate)
                if one.customer_id in self.standing]  # fmt: skip
        return [(parse_rfc3339(alert.raised_at) - max(own)) / DAY_MS for alert, own in told]


def _midnight(day: date) -> int:
    return epoch_ms(datetime.combine(day, time(), UTC))


@pytest.fixture(scope="module")
def noticed() -> Noticed:
    before = [orjson.dumps(row) for row in simulate(CUSTOMERS, DAYS, LEARNED)]
    model = train(read_lines(before), _midnight(START + timedelta(DAYS)), HORIZON).model
    found = Noticed({truth.customer_id: truth for truth in ground_truth(CUSTOMERS, DAYS, SEEN)})
    rows = list(simulate(CUSTOMERS, DAYS, SEEN))
    for row in rows:
        if row["type"] not in NOT_OWN_TYPES and not row.get("reversal_of"):
            found.own.setdefault(str(row["customer_id"]), []).append(parse_rfc3339(str(row["occurred_at"])))
    run = Replay(TransactionIntake("transactions", "EUR", {}, keyed=False), Rules(churn=model), "transactions", 1_000)
    for alert in run.alerts(map(orjson.dumps, rows)):
        found.told(alert)
    return found


def test_alerts_are_right_and_those_who_left_were_told_of_in_time(noticed: Noticed) -> None:
    end = _midnight(START + timedelta(DAYS - HORIZON))
    for tenth in range(7, 10):
        band = [a for a in noticed.raised if tenth <= a.score * 10 < tenth + 1 + (tenth == 9)]
        known = [a for a in band if parse_rfc3339(a.raised_at) < end]
        print(
            f"\nscore {tenth / 10} to {(tenth + 1) / 10}: {len(band)} alerts, right {share(noticed.right, band):.0%}, "
            f"came true {share(noticed.came_true, known):.0%} of {len(known)}",
            end="",
        )
    stayers = [one.customer_id for one in noticed.truth.values() if one.fate == "stays"]
    alarmed = {alert.customer_id for alert in noticed.raised}.intersection(stayers)
    print(f"\nstayers ever alarmed: {len(alarmed)} of {len(stayers)}")
    for fate, days_max in (("leaves_abruptly", 12), ("drifts_away", 13)):
        days, gone = noticed.days_to_alert(fate), noticed.gone(fate)
        print(f"{fate}: {len(days)} of {len(gone)} told of, {median(days):.1f} days after the last transaction")
        assert len(days) == len(gone) > 20
        assert median(days) < days_max
    assert share(noticed.right, noticed.raised) > 0.75
    assert len(alarmed) < 0.08 * len(stayers)
    known = [alert for alert in noticed.raised if parse_rfc3339(alert.raised_at) < end and alert.score >= 0.7]
    assert share(noticed.came_true, known) > 0.55
    assert all(alert.reasons for alert in noticed.raised)


def share(holds: Callable[[Alert], bool], alerts: list[Alert]) -> float:
    return sum(map(holds, alerts)) / max(len(alerts), 1)
