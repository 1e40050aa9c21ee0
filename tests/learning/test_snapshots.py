"""A training row is what the live row gave at that moment; labels are what came after, and never past the end."""

import numpy as np
import orjson
import pytest

from handlers.churn.inputs import DECLARED, NAMES, inputs_of
from handlers.engine.beliefs import KNOWN
from handlers.profile.customer import profile
from handlers.state.codec import decode
from handlers.state.row import new_open_row
from handlers.state.row_table import LEDGER
from learning.history import History, HistoryError
from learning.label_plan import plan
from learning.snapshots import silent_within, snapshots
from schemas.units import DAY_MS, parse_rfc3339
from tests.fast import Fast
from tests.learning.conftest import UNTIL, read_lines


def nothing(events: int) -> None:
    """No progress to show."""


def test_a_training_row_is_byte_for_byte_the_live_rows_figures(lines: list[bytes], history: History) -> None:
    cutoffs = [UNTIL - 40 * DAY_MS, UNTIL]
    for cutoff, snapshot in zip(cutoffs, snapshots(history, cutoffs, nothing), strict=True):
        clock, before = 0, []
        for line in lines:
            clock = max(clock, parse_rfc3339(orjson.loads(line)["occurred_at"]))
            if clock >= cutoff:
                break
            before.append(orjson.loads(line))
        live = Fast().feed(before, sizes=[7, 300, 1]).rows  # batches of other sizes than history has
        assert {history.customers[k] for k in snapshot.customer.tolist()} == set(live) - {LEDGER}
        for k, inputs in zip(snapshot.customer.tolist(), snapshot.inputs, strict=True):
            row = live[history.customers[k]]
            figures = profile(row, cutoff)
            shown = [np.nan if (v := figures[feature.name]) is None else float(v) for feature in DECLARED]
            assert inputs[: len(DECLARED)].tobytes() == np.array(shown).tobytes()
            opened = new_open_row()
            decode(opened, np.frombuffer(row, np.uint8), 0, len(row), KNOWN)
            assert inputs.tobytes() == inputs_of(opened, cutoff).tobytes()


def transaction(number: int, customer: str, at: str, **fields: object) -> bytes:
    return orjson.dumps(
        {
            "event_id": f"e{number}", "customer_id": customer, "account_id": "a", "occurred_at": at,
            "amount_minor": -100, "currency": "EUR", "type": "purchase", "channel": "online", **fields,
        }
    )  # fmt: skip


def test_rhythm_figures_by_hand() -> None:
    days = ["2025-01-01", "2025-01-11", "2025-01-13", "2025-01-21"]
    amounts = [100, 100, 100, 500]
    history = read_lines(
        [
            transaction(n, "c", f"{day}T12:00:00Z", amount_minor=-amount)
            for n, (day, amount) in enumerate(zip(days, amounts, strict=True))
        ]
    )
    (snapshot,) = snapshots(history, [parse_rfc3339("2025-01-31T00:00:00Z")], nothing)
    figures = dict(zip(NAMES, snapshot.inputs[0].tolist(), strict=True))
    assert figures["repeat_days"] == 3
    assert figures["first_to_last_days"] == 20
    assert figures["age_days"] == 29.5
    assert figures["active_days_180d"] == 4
    assert figures["last_gap_days"] == 8
    assert figures["recent_gap_ratio"] == 1.0
    assert figures["silence_gap_ratio"] == pytest.approx(10 / (20 / 3))
    assert figures["shorter_gaps_share"] == pytest.approx(2 / 3)
    assert figures["turnover_per_day"] == 200
    assert figures["last_turnover_ratio"] == 2.5


def test_a_label_counts_own_transactions_within_the_horizon_only() -> None:
    history = read_lines(
        [
            transaction(1, "silent", "2025-01-01T00:00:00Z"),
            transaction(2, "charged", "2025-01-01T00:00:00Z"),
            transaction(3, "back", "2025-01-01T00:00:00Z"),
            transaction(4, "late", "2025-01-01T00:00:00Z"),
            transaction(5, "charged", "2025-02-01T00:00:00Z", type="fee"),
            transaction(6, "back", "2025-02-10T23:59:59.999Z"),
            transaction(7, "late", "2025-02-11T00:00:00Z"),
        ]
    )
    (snapshot,) = snapshots(history, [parse_rfc3339("2025-02-01T00:00:00Z")], nothing)
    silent = dict(
        zip([history.customers[k] for k in snapshot.customer], silent_within(history, snapshot, 10), strict=True)
    )
    assert silent == {"silent": 1, "charged": 1, "back": 0, "late": 1}


@pytest.mark.parametrize("days", [5, 13, 60, 119, 273, 400, 1_500])
@pytest.mark.parametrize("horizon", [7, 30, 90, 273])
def test_no_label_lies_past_the_end_of_the_history(days: int, horizon: int) -> None:
    found = plan(UNTIL - days * DAY_MS, UNTIL, horizon)
    assert all(UNTIL - days * DAY_MS <= cutoff for cutoff, _ in found.pairs)
    assert all(cutoff + length * DAY_MS <= UNTIL and length <= horizon for cutoff, length in found.pairs)


def test_the_earliest_cut_off_has_customers_who_are_young_there() -> None:
    found = plan(UNTIL - 240 * DAY_MS, UNTIL, 30)
    days = [(UNTIL - cutoff) // DAY_MS for cutoff, _ in found.pairs]
    assert days == [180, 105, 90, 75, 60, 45, 30]  # 60 days after the history's start, and six half a horizon apart


def test_a_file_with_a_few_hundredths_put_at_its_end_was_no_stream(lines: list[bytes], history: History) -> None:
    few = len(lines) // 30
    again = read_lines([*lines[few:], *lines[:few]])
    assert again.notices.sorted_files == 1
    assert len(again.until(UNTIL)) == len(history.until(UNTIL))


def test_files_are_merged_by_time_and_unordered_ones_sorted(lines: list[bytes], history: History) -> None:
    by_customer = sorted(lines, key=lambda line: orjson.loads(line)["customer_id"])
    again = read_lines(by_customer)
    assert again.notices.sorted_files == 1
    assert (np.diff(again.at) >= 0).all()
    halves = read_lines(lines[::2], lines[1::2])
    assert halves.notices.sorted_files == 0
    assert len(halves) == len(history)
    assert (np.diff(halves.clock) >= 0).all()


def test_a_history_without_a_usable_line_says_what_is_wrong() -> None:
    with pytest.raises(HistoryError, match="line 1: currency must be the base currency, which is EUR"):
        read_lines([transaction(1, "c", "2025-01-01T00:00:00Z", currency="USD")])
