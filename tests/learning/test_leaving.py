"""What counts as leaving beside silence: labels worked by hand, and a model that learns them."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from commands.main import run
from handlers.churn.inputs import NAMES
from handlers.churn.model import Leaving, dumps, loads
from handlers.kernel.jit import NONE
from learning.backtest import LeakError, backtest
from learning.churn_training import train
from learning.history import History, HistoryError
from learning.leaving import SILENCE, Balances, Labels, definition, described
from learning.snapshots import snapshots
from schemas.units import DAY_MS, parse_rfc3339, rfc3339
from tests.learning.conftest import read_lines

START = parse_rfc3339("2025-01-01T12:00:00Z")
FLOOR = 10_000


def paid(customer: str, day: float, balance: int | None = None, account: str = "1") -> bytes:
    row = {
        "event_id": f"{customer}-{account}-{day}",
        "customer_id": customer,
        "account_id": account,
        "occurred_at": rfc3339(START + int(day * DAY_MS)),
        "amount_minor": -100,
        "currency": "EUR",
        "type": "card_payment",
        "channel": "card",
    }
    return orjson.dumps(row if balance is None else row | {"balance_minor": balance})


def closes(customer: str, day: float, product: str = "current", kind: str = "product_closed") -> bytes:
    return orjson.dumps(
        {
            "record": "customer-events",
            "event_id": f"{customer}-{product}-{kind}",
            "customer_id": customer,
            "occurred_at": rfc3339(START + int(day * DAY_MS)),
            "kind": kind,
            "product": product,
        }
    )


def left(history: History, leaving: Leaving, day: float = 10, horizon: int = 10) -> set[str]:
    (snapshot,) = snapshots(history, [START + int(day * DAY_MS)], lambda events: None)
    labels = Labels(history, leaving).left(snapshot, horizon)
    return {history.customers[k] for k in snapshot.customer[labels > 0].tolist()}


def test_a_balance_has_fallen_who_held_the_floor_at_the_cut_off_and_does_not_at_the_end() -> None:
    history = read_lines(
        [
            *(paid("silent", day, FLOOR) for day in (1, 2)),
            *(paid("falls", day, balance) for day, balance in ((9, FLOOR), (15, FLOOR - 1))),
            *(paid("dips", day, balance) for day, balance in ((9, FLOOR), (12, 0), (19, FLOOR))),
            *(paid("poor", day, balance) for day, balance in ((9, FLOOR - 1), (15, 0))),
            *(paid("later", day, balance) for day, balance in ((9, FLOOR), (15, FLOOR), (20, 0))),
            *(paid("two", day, balance, account) for day, balance, account in ((8, 6_000, "1"), (9, 4_000, "2"))),
            paid("two", 15, 3_999, "2"),
            *(paid("untold", day) for day in (9, 15)),
        ]
    )
    assert left(history, SILENCE) == {"silent"}
    assert left(history, definition(FLOOR, [])) == {"silent", "falls", "two"}
    places = np.array([history.customers.index(name) for name in ("two", "untold", "poor")])
    held = Balances(history).at(places, START + 12 * DAY_MS)
    assert held.tolist() == [10_000, NONE, FLOOR - 1]


def test_the_latest_balance_is_the_one_that_occurred_last_whichever_came_first() -> None:
    history = read_lines([paid("a", 12, 5), paid("a", 11, 7), paid("b", 12, 1)])
    assert Balances(history).at(np.array([0]), START + 20 * DAY_MS).tolist() == [5]
    assert Balances(history).at(np.array([0]), START + 12 * DAY_MS).tolist() == [7]  # just before day 12


def test_balances_are_those_of_the_rows(history: History) -> None:
    """The feature `balance` of the live row, at a moment, for everybody of a simulated bank."""
    moment = int(history.clock[len(history) // 2])
    (snapshot,) = snapshots(history, [moment], lambda events: None)
    rows = snapshot.inputs[:, NAMES.index("balance")]
    held = Balances(history.until(moment)).at(snapshot.customer, moment)
    assert np.isfinite(rows).sum() > 100
    assert np.array_equal(np.where(held == NONE, np.nan, held.astype(float)), rows, equal_nan=True)


def test_closing_one_of_the_products_counts_within_the_horizon_only() -> None:
    lines = [paid(name, day) for name in ("in", "before", "after", "other", "taken") for day in (1, 15)]
    lines += [
        closes("in", 10),
        closes("before", 9.9),
        closes("after", 20),
        closes("other", 12, "card"),
        closes("taken", 12, kind="product_taken"),
        closes("nobody", 12),
        closes("in", 30, "current "),
    ]
    history = read_lines(lines)
    assert history.notices.refusals.total == 0
    assert left(history, definition(None, ["current"])) == {"in"}
    assert left(history, definition(None, ["card", "current"])) == {"in", "other"}
    assert left(history.until(START + 10 * DAY_MS), definition(None, ["current"])) == {
        "in",
        "before",
        "after",
        "other",
        "taken",
    }  # nothing is known of what comes: all are silent


def test_a_broken_customer_event_is_named_and_left_out() -> None:
    lines = [paid("a", 1), closes("a", 2).replace(b'"current"', b'""'), paid("a", 3)]
    history = read_lines(lines)
    assert (len(history), history.closings) == (2, ())
    (refused,) = history.notices.refusals
    assert (refused.records, refused.field, refused.first) == (1, "product", "line 2")


@pytest.fixture(scope="module")
def draining() -> list[bytes]:
    """300 customers over 200 days, active to the end; of those who hold little more than the floor, half fall below it
    in each 20 days and are filled up again; some close their account."""
    random = np.random.default_rng(5)
    lines = []
    for k in range(300):
        rich = k % 2 == 0
        for day in range(200):
            if random.random() < 0.5:
                continue
            low = not rich and (day // 20 + k) % 2 == 0
            balance = 500_000 if rich else 9_000 if low else 12_000
            lines.append((day, paid(f"c{k}", day + k / 1_000, balance)))
        if k % 10 == 3:
            lines.append((int(random.integers(20, 200)), closes(f"c{k}", int(random.integers(20, 200)))))
    return [line for _, line in sorted(lines, key=lambda one: one[0])]


def test_a_model_learns_what_the_bank_calls_leaving(draining: list[bytes]) -> None:
    history, until = read_lines(draining), START + 180 * DAY_MS
    by_balance = backtest(history, until, 20, leaving=definition(FLOOR, []))
    assert by_balance.model.also == Leaving(balance_below_minor=FLOOR)
    assert by_balance.model.leaving == described(by_balance.model.also, 20)
    assert "falls below 10000 minor units" in by_balance.model.leaving
    silent = backtest(history, until, 20)
    assert silent.model.also == SILENCE
    assert silent.left.sum() < 3 < 40 < by_balance.left.sum()
    assert by_balance.methods[0].everybody.auc > 0.9  # the rich never fall
    recency = next(method for method in by_balance.methods if method.name == "recency")
    assert recency.everybody.auc < 0.7
    assert loads(dumps(by_balance.model)) == by_balance.model


def test_a_definition_that_the_history_cannot_teach_is_refused(draining: list[bytes]) -> None:
    history, until = read_lines(draining), START + 180 * DAY_MS
    with pytest.raises(HistoryError, match=r"is too short: .* 360 days of history are needed"):
        train(history, until, 90, leaving=definition(FLOOR, []))
    with pytest.raises(HistoryError, match="nobody closes mortgage"):
        train(history, until, 20, leaving=definition(None, ["mortgage"]))
    bare = read_lines([paid("a", day) for day in range(200)])
    with pytest.raises(HistoryError, match="no transaction tells a balance"):
        train(bare, until, 20, leaving=definition(FLOOR, []))


def test_a_model_is_measured_by_its_own_definition(draining: list[bytes], tmp_path: Path) -> None:
    file, model = tmp_path / "bank.jsonl", tmp_path / "model.json"
    lines = [line.replace(b'"EUR"', b'"CZK"') for line in draining]
    first = next(place for place, line in enumerate(lines) if b'"record"' in line)
    file.write_bytes(b"\n".join([lines.pop(first), *lines]))  # whose first line doesn't tell the currency
    leaving = ["--balance-below", str(FLOOR), "--closed", "current"]
    made = CliRunner().invoke(
        run,
        ["train", str(file), "--until", "2025-06-30", "--horizon", "20", "--out", str(model), *leaving],
    )
    assert made.exit_code == 0, made.output
    learned = loads(model.read_bytes())
    assert learned.also == Leaving(FLOOR, ["current"])
    options = ["--split", "2025-06-30", "--horizon", "20", "--model", str(model)]
    files = ["--predictions", str(tmp_path / "p.csv"), "--report", str(tmp_path / "r.html")]
    assert CliRunner().invoke(run, ["backtest", str(file), *options, *files]).exit_code == 0
    assert "or closing current by then" in (tmp_path / "r.html").read_text()
    refused = CliRunner().invoke(run, ["backtest", str(file), *options, *files, "--balance-below", "5"])
    assert refused.exit_code != 0
    assert "another definition of leaving" in refused.output
    with pytest.raises(LeakError, match="another definition"):
        backtest(read_lines(draining), parse_rfc3339("2025-06-30T00:00:00Z"), 20, learned, definition(5, []))
