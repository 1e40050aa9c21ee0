"""The laws of the fold: it equals the slow model, and neither order, batches, neighbours nor the compiler show."""

import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.profile.customer import accounts as known_accounts
from handlers.profile.customer import profile
from handlers.state.row_table import LEDGER
from tests import oracle
from tests.fast import Fast
from tests.streams_of_events import START, Transaction, crowds, histories, newest_moment, sample

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = (
    "from tests.fast import Fast; from tests.streams_of_events import sample; print(Fast().feed(sample()).digest())"
)

later_by = st.one_of(st.integers(0, 3 * oracle.HOUR), st.integers(0, 400 * oracle.DAY))
batch_sizes = st.lists(st.integers(1, 9), max_size=60)


def _now(stream: list[Transaction], later: int) -> int:
    return newest_moment(stream) + later


def _folded(stream: list[Transaction], sizes: list[int] | None = None) -> bytes:
    return Fast().feed(stream, sizes or ()).rows["C1"]


@settings(max_examples=2000)
@given(histories(), st.lists(later_by, min_size=1, max_size=4), batch_sizes)
def test_every_feature_equals_the_slow_model_at_any_later_moment(
    stream: list[Transaction], laters: list[int], sizes: list[int]
) -> None:
    row = _folded(stream, sizes)
    events = [oracle.event_of(transaction) for transaction in stream]
    for later in laters:
        now = _now(stream, later)
        assert oracle.differences(profile(row, now), oracle.features(events, now)) == {}


@settings(max_examples=100)
@given(histories())
def test_balances_by_account_equal_the_slow_model(stream: list[Transaction]) -> None:
    expected = oracle.accounts(oracle.event_of(transaction) for transaction in stream)
    found = known_accounts(_folded(stream))
    assert found == sorted((account, balance, at) for account, (balance, at) in expected.items())


@settings(max_examples=300)
@given(histories(distinct=True), later_by, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_show_where_times_differ(
    stream: list[Transaction], later: int, chance: random.Random
) -> None:
    shuffled = list(stream)
    chance.shuffle(shuffled)
    places = {transaction["event_id"]: place for place, transaction in enumerate(shuffled)}
    for place, transaction in enumerate(list(shuffled)):
        original = places[transaction["reversal_of"]["event_id"]] if "reversal_of" in transaction else -1
        if original > place:  # a reversal that comes first waits: see test_bookings.py
            shuffled[place], shuffled[original] = shuffled[original], shuffled[place]
    now = _now(stream, later)
    assert profile(_folded(shuffled), now) == profile(_folded(stream), now)
    assert known_accounts(_folded(shuffled)) == known_accounts(_folded(stream))


@settings(max_examples=300)
@given(crowds(), batch_sizes, later_by)
def test_the_cut_into_batches_does_not_show(stream: list[Transaction], sizes: list[int], later: int) -> None:
    whole = Fast().feed([*stream, _now(stream, later)])
    cut = Fast().feed([*stream, _now(stream, later)], sizes)
    single = Fast().feed([*stream, _now(stream, later)], [1] * len(stream))
    for other in (cut, single):
        assert other.rows == whole.rows
        assert other.due == whole.due
        assert other.alerts == whole.alerts
        assert other.late == whole.late


def test_old_days_are_forgotten_at_once_where_a_reversal_touches_no_new_day() -> None:
    gone, recent = 0, (100, 110, 120, 130, 140, 150)
    stream = [_on_day(day) for day in (gone, *recent)]
    interest = _on_day(170) | {"type": "interest"}
    reversal = interest | {
        "event_id": "undo",
        "amount_minor": -100,
        "occurred_at": _on_day(185)["occurred_at"],
        "reversal_of": interest,
    }
    stream += [interest, reversal, _on_day(170) | {"event_id": "late"}]
    whole, single = Fast().feed(stream), Fast().feed(stream, [1] * len(stream))
    assert single.rows == whole.rows
    # gaps: five of 10 days and one of 20, which is the 0.9 quantile; the gap of 100 days is gone
    assert single.due == whole.due == {"C1": _on_day(170 + 20 + 1)["occurred_at"]}


@settings(max_examples=200)
@given(crowds(), st.integers(1, 3), later_by)
def test_who_shares_a_partition_does_not_show_in_a_customers_aggregates(
    stream: list[Transaction], partitions: int, later: int
) -> None:
    stream = sorted(stream, key=lambda transaction: transaction["occurred_at"])
    end = _now(stream, later)
    whole = Fast().feed([*stream, end])
    for part in range(partitions):
        mine = [event for event in stream if int(event["customer_id"][1:]) % partitions == part]
        apart = Fast(part, partitions=partitions).feed([*mine, end])
        for customer in apart.rows.keys() - {LEDGER}:
            # when a silence is judged, and what follows, may depend on neighbours: an outage of the feed, budgets and
            # learning are the partition's
            assert profile(apart.rows[customer], end) == profile(whole.rows[customer], end)


def test_the_kernels_give_the_same_interpreted_as_compiled() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    # warnings of an overflow are errors, as compiled code overflows without a word; a hash is meant to overflow
    hashing = [
        f"-Wignore:overflow encountered in scalar multiply:RuntimeWarning:handlers.{name}"
        for name in ("intake.booking", "kernel.hashing")
    ]
    command = [sys.executable, "-W", "error::RuntimeWarning", *hashing, "-c", SAMPLE]
    interpreted = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    assert interpreted.stdout.strip() == Fast().feed(sample()).digest()


def test_each_kernel_is_tried_inside_its_arrays_before_a_worker_works() -> None:
    """Compiled code reads beyond an array's end without a word; interpreted, it is an error."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "streams"], env=environment, cwd=ROOT, check=True)


def test_the_sample_holds_every_kind_of_decision() -> None:
    kinds = {(alert.kind, alert.status) for alert in Fast().feed(sample()).alerts}
    assert kinds == {(kind, status) for kind in ("churn_risk", "next_best_offer") for status in ("raised", "retracted")}


def _on_day(day: int) -> Transaction:
    return {
        "event_id": f"day-{day}",
        "customer_id": "C1",
        "account_id": "A1",
        "occurred_at": START + day * oracle.DAY,
        "amount_minor": 100,
        "currency": "EUR",
        "type": "deposit",
        "channel": "counter",
    }
