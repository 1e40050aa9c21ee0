"""Alerts by band, with numbers worked by hand."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from commands.main import run
from handlers.churn.model import dumps
from schemas.units import DAY_MS, parse_rfc3339, rfc3339
from tests.models import by_hand

START = parse_rfc3339("2025-01-01T09:00:00Z")


def line(customer: str, day: int, kind: str = "card_payment") -> bytes:
    return orjson.dumps(
        {
            "event_id": f"{customer}-{day}-{kind}",
            "customer_id": customer,
            "account_id": customer,
            "occurred_at": rfc3339(START + day * DAY_MS),
            "amount_minor": -100,
            "currency": "EUR",
            "type": kind,
            "channel": "card",
        }
    )


def test_an_alert_comes_true_when_nothing_own_follows_in_the_horizon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The score depends on silence alone: all alerts of daily customers come at the same silence, of 30 days' horizon.

    gone is silent from day 20 on but for a fee of the bank's own; back is back 20 days later; late falls silent with
    less than a horizon left. The clock is kept going by busy.
    """
    days = {"gone": range(20), "back": [*range(20), *range(40, 81)], "late": range(66), "busy": range(81)}
    lines = [(day, line(customer, day)) for customer, active in days.items() for day in active]
    lines.append((35, line("gone", 35, "fee")))
    feed, model = tmp_path / "feed.jsonl", tmp_path / "model.json"
    feed.write_bytes(b"\n".join(one for _, one in sorted(lines)))
    model.write_bytes(dumps(by_hand(-3.5, 2.0)))  # 0.7 where ln(1 + silence) = (3.5 + 0.847) / 2: after 7.8 days
    monkeypatch.setenv("TRACKER_CHURN_MODEL", str(model))
    monkeypatch.setenv("TRACKER_BASE_CURRENCY", "EUR")
    options = ["--alerts", str(tmp_path / "alerts"), "--profiles", str(tmp_path / "profiles")]
    done = CliRunner().invoke(run, ["replay", str(feed), *options])
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "score 0.7 to 0.8: 3 alerts at a silence, 1 came true of 2 whose horizon is over" in told
    assert told.count("alerts at a silence") == 1
