"""Promises that are easily broken at their edge: expiry after quiet hours, reversals of debits, ids, counts."""

import numpy as np
import pytest

from handlers.churn.run_off import marks_run_off, run_off_mark
from handlers.contact.history import SENT, Contact
from handlers.offers.counts import Counts, Ledger
from handlers.offers.propensity import propensity
from handlers.profile.customer import profile
from handlers.state.codec import LayoutError
from schemas.policy import Cap, Policy
from schemas.units import DAY_MS, HOUR_MS
from tests.bank import booked, day, event, offer, salary
from tests.fast import Fast
from tests.unit.test_measures import booking, features, reversal

VISITS = [booked(on, -5, "purchase") for on in range(0, 24, 3)]


def test_an_alert_made_in_quiet_hours_stands_for_all_its_days_after_them() -> None:
    made = Contact(bytes(16), "savings", "s", day(0), 8 * HOUR_MS, 14, 0, SENT, 0)
    end = day(14) + 8 * HOUR_MS
    assert (made.at, made.expires_at) == (day(0) + 8 * HOUR_MS, end)
    assert made.stands(end - 1)
    assert not made.stands(end)


def test_what_holds_an_offer_back_is_asked_for_the_moment_at_which_it_reaches_the_customer() -> None:
    """The first is let out at 18:00, so is the second a day later: by then the cap of one a day has room again."""
    policy = Policy(quiet_from="11:00", quiet_to="18:00", caps=[Cap(1, 1)])
    run = Fast(offers=(offer(),), policy=policy).feed([salary(0), salary(1)])
    assert [alert.not_before for alert in run.alerts] == ["2024-02-29T18:00:00.000Z", "2024-03-01T18:00:00.000Z"]
    assert run.suppressed == {}


def test_a_retraction_expires_with_the_alert_that_it_takes_back() -> None:
    run = Fast(offers=(offer(channel="sms", valid_days=14),))
    raised, back = run.feed([salary(0), event("consent_withdrawn", 3, channel="sms")]).alerts
    assert raised.expires_at == back.expires_at == "2024-03-14T12:00:00.000Z"
    assert back.raised_at == "2024-03-03T12:00:00.000Z"


def test_an_offer_to_stay_answers_the_churn_alert_only_if_that_was_sent() -> None:
    stay = (offer("stay", when=(), retention=True),)
    churn, answer = Fast(offers=stay).feed([*VISITS, day(60)]).alerts
    assert answer.in_answer_to == churn.alert_id
    (alone,) = Fast(offers=stay, policy=Policy(dry_run=["churn_risk"])).feed([*VISITS, day(60)]).alerts
    assert (alone.kind, alone.in_answer_to) == ("next_best_offer", None)


def test_a_moment_that_no_offer_waits_for_is_not_counted_as_one_that_none_fitted() -> None:
    run = Fast(offers=(offer(when=("remittance",)),)).feed([*VISITS, salary(23), day(60)])
    assert ([alert.kind for alert in run.alerts], run.unfitting) == (["churn_risk"], 0)


def test_an_offer_has_the_same_id_in_any_partition() -> None:
    (here,), (there,) = (Fast(number, offers=(offer(),)).feed([salary(0)]).alerts for number in (0, 5))
    assert here.alert_id == there.alert_id == "3e031b8f-f7a0-50bc-a598-b9f37ef9d5f1"
    assert (here.cause.partition, there.cause.partition) == (0, 5)


def test_a_debit_that_is_taken_back_is_no_credit() -> None:
    """It brings back money, but is neither a large credit nor the largest."""
    first, debit = booked(0, 4_000, "deposit"), booked(1, -5_000, "withdrawal")
    back = {name: debit[name] for name in ("event_id", "occurred_at")}
    undone = debit | {"event_id": "undo", "amount_minor": 5_000, "occurred_at": day(2), "reversal_of": back}
    same_day = [
        booked(1, 2_500, kind) for kind in ("deposit", "transfer_in", "salary")
    ]  # no day's largest is above its sum
    run = Fast(offers=(offer(when=("large_credit",)),)).feed([first, debit, *same_day, undone])
    assert run.alerts == []
    found = profile(run.rows["ann"], day(2))
    assert (found["largest_credit_30d"], found["in_30d"], found["out_30d"]) == (4_000, 11_500, 0)


def test_a_credit_that_stands_again_is_no_second_large_credit() -> None:
    """What was reversed and is there again is told of as what it was: its trigger has long been judged."""
    usual, large = booked(0, 100, "deposit"), booked(40, 500_000, "deposit")
    undone = large | {
        "event_id": "undo",
        "amount_minor": -500_000,
        "occurred_at": day(41),
        "reversal_of": {name: large[name] for name in ("event_id", "occurred_at")},
    }
    again = undone | {
        "event_id": "redo",
        "amount_minor": 500_000,
        "occurred_at": day(42),
        "reversal_of": {name: undone[name] for name in ("event_id", "occurred_at")},
    }
    run = Fast(offers=(offer(when=("large_credit",)),)).feed([usual, large, undone, again])
    assert [alert.status for alert in run.alerts] == ["raised", "retracted"]
    assert profile(run.rows["ann"], day(43))["in_30d"] == 500_000


def test_what_is_taken_back_leaves_the_shares_of_types_and_channels() -> None:
    card = booking("2024-03-01T10:00:00", -10)
    cash = booking("2024-03-02T10:00:00", -10, type="withdrawal", channel="atm")
    stream = [card, cash, reversal(cash, "2024-03-03T10:00:00")]
    found = features(stream, "2024-03-03T12:00:00")
    shares = {name: value for name, value in found.items() if name.startswith("share_") and value}
    assert shares
    assert set(shares.values()) == {1.0}


def test_run_off_at_midnight_is_told_from_a_silence() -> None:
    midnight = day(0) - 12 * HOUR_MS
    assert midnight % DAY_MS == 0
    assert not marks_run_off(midnight)
    assert run_off_mark(midnight) == midnight + 1
    assert run_off_mark(midnight + 5) == midnight + 5
    assert marks_run_off(run_off_mark(midnight))


def test_a_ledger_of_another_version_is_refused() -> None:
    ledger = Ledger(None)
    ledger.made("savings", 0, 1, control=False, catalogue={})
    row = ledger.encoded()
    assert Ledger(row).of("savings").spent == 1
    with pytest.raises(LayoutError, match="version 242"):
        Ledger(b"\xf2" + row[1:])


def test_what_the_catalogue_believes_weighs_as_much_as_twenty_trials() -> None:
    """A Beta of 20 trials at one half has the variance 0.25 / 21; with 20 outcomes of which all were taken the mean is
    30 / 40 over all segments, and with as many again for the segment (15 + 20) / 40."""
    draws = np.array([propensity(Counts(), 0.5, 0, f"{n}".encode()) for n in range(20_000)])
    assert draws.mean() == pytest.approx(0.5, abs=0.003)
    assert draws.var() == pytest.approx(0.25 / 21, rel=0.03)
    taken = Counts(20, {7: (20, 20)})
    other = np.array([propensity(taken, 0.5, 0, f"{n}".encode()) for n in range(5_000)])
    assert other.mean() == pytest.approx(0.75, abs=0.01)
    same = np.array([propensity(taken, 0.5, 7, f"{n}".encode()) for n in range(5_000)])
    assert same.mean() == pytest.approx(0.875, abs=0.01)
