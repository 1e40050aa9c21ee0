"""Churn by a model: the day on which the number crosses the band, worked by hand, and what the alert says."""

from math import exp, log
from typing import Any

import msgspec
import numpy as np
import pytest
from pydantic import ValidationError

from handlers.aggregates.features import FEATURES, INDEX
from handlers.aggregates.snapshot import FeatureValues
from handlers.churn.inputs import NAMES
from handlers.churn.model import ChurnModel, dumps
from handlers.churn.reasons import REASONS_MAX, reasons
from handlers.churn.run_off import FIGURES, GROUPS
from handlers.engine.rules import Rules
from schemas.alert import Alert
from schemas.policy import Policy
from schemas.units import rfc3339
from serving.words import sentence
from streams.ops.settings import OWN_RHYTHM, Settings, SettingsError
from streams.worker.churn_models import churn_rules, general
from tests.fast import Fast
from tests.models import HORIZON, by_hand
from tests.unit.test_rhythm import NOON, day, every_second_day, paid

MODEL = by_hand(-4 * log(13), 4.0)
"""One in two when ln(1 + recency) = ln 13, that is after 12 days. At the start of a day recency ends in a half, because
bookings are at noon. So the number reaches the band on the 13th day after the last one."""


def run(churn: ChurnModel = MODEL, challenger: ChurnModel | None = None, **more: Any) -> Fast:
    """With the model, and no offers; alerts from one in two."""
    policy = Policy(**{"churn_raise_at": 0.5} | more)
    return Fast(offers=(), churn=churn, challenger=challenger, policy=policy)


def test_the_first_look_is_cheap_and_the_next_is_the_day_on_which_the_number_crosses_the_band() -> None:
    # gaps of 2 days: nine in ten are no longer; at least 3 days, so looked at on day 12 + 3 + 1
    bank = run().feed(every_second_day())
    assert bank.due == {"ann": day(16)}
    # nothing by the time the silence is half as long again: 4 + 2 days, 6 + 3; of the next 4 the last is the day
    for look, following in ((16, 18), (18, 21), (21, 25)):
        assert bank.feed([day(look)]).due == {"ann": day(following)}
    assert bank.alerts == []


def test_the_alert_comes_on_the_day_of_the_crossing_and_says_the_probability() -> None:
    assert run().feed([*every_second_day(), day(25) - 1]).alerts == []
    (alert,) = run().feed([*every_second_day(), day(25)]).alerts
    assert (alert.status, alert.raised_at, alert.horizon_days) == ("raised", rfc3339(day(25)), HORIZON)
    assert (alert.expires_at, alert.cause.due_at) == (rfc3339(day(25 + 30)), rfc3339(day(25)))
    assert alert.score == pytest.approx(1 / (1 + exp(-4 * log(13.5 / 13))))
    assert (alert.model.name, alert.model.version) == ("by-hand", "1")
    reason = alert.reasons[0]
    assert (reason.code, reason.value, reason.usual) == ("silence_beyond_own_rhythm", 13, 2)
    assert reason.sentence == "No transaction for 13 days; nine times in ten this customer is back within 2."
    assert reason.sentence_zh == "已经13天没有交易；这位客户十次有九次会在2天内回来。"


def test_a_model_may_look_a_single_day_ahead() -> None:
    churn = msgspec.structs.replace(by_hand(1.0, 0.5), horizon_days=1)
    (alert,) = run(churn).feed([*every_second_day(), day(16)]).alerts
    assert (alert.horizon_days, alert.score) == (1, pytest.approx(1 / (1 + exp(-1 - 0.5 * log(4.5)))))


def test_a_customer_without_a_rhythm_is_looked_at_after_a_third_of_the_horizon() -> None:
    bank = run().feed([paid(0)])
    assert bank.due == {"ann": day(11)}
    (alert,) = bank.feed([day(60)]).alerts
    assert alert.raised_at == rfc3339(day(13))
    assert alert.reasons[0].sentence == "No transaction for 13 days."


def test_a_number_that_never_reaches_the_band_is_not_looked_at_after_a_horizon() -> None:
    bank = run(churn=by_hand(-9.0, 1.0)).feed([*every_second_day(), day(12 + HORIZON)])
    assert bank.due == {"ann": day(54)}  # looked at after 4, 6, 9, 13, 19, 28 and 42 days of silence
    assert bank.feed([day(54)]).due == {}
    assert bank.feed([day(300)]).alerts == []


def test_the_band_is_the_policys() -> None:
    # 0.9 is reached when 4 ln((1 + recency) / 13) >= ln 9: recency 21.52, the 23rd day
    bank = run(churn_raise_at=0.9).feed([*every_second_day(), day(200)])
    assert [alert.raised_at for alert in bank.alerts] == [rfc3339(day(35))]


def test_coming_back_takes_it_back_and_another_waits_for_the_cooldown() -> None:
    bank = run().feed([*every_second_day(), paid(26)])
    raised, retracted = bank.alerts
    assert (retracted.status, retracted.supersedes, retracted.model.name) == ("retracted", raised.alert_id, "by-hand")
    assert bank.due == {"ann": day(55)}
    assert [alert.raised_at for alert in bank.feed([day(55)]).alerts[2:]] == [rfc3339(day(55))]


def test_a_challenger_is_asked_whatever_the_model_is_asked_and_raises_nothing() -> None:
    # the model is asked on days 16, 18, 21 and 25 (see above); the challenger says one in two after 5 days
    bank = run(challenger=by_hand(-4 * log(6), 4.0)).feed([*every_second_day(), day(25)])
    assert [alert.raised_at for alert in bank.alerts] == [rfc3339(day(25))]
    assert [(look.customer_id, look.at) for look in bank.comparisons] == [("ann", day(on)) for on in (16, 18, 21, 25)]
    assert [look.bands for look in bank.comparisons] == [
        ("low", "medium"),
        ("low", "high"),
        ("medium", "high"),
        ("high", "high"),
    ]
    assert bank.comparisons[-1].champion == bank.alerts[0].score
    assert bank.comparisons[0].challenger == pytest.approx(1 / (1 + exp(-4 * log(4.5 / 6))))


@pytest.mark.parametrize("challenger", [None, MODEL])
@pytest.mark.parametrize(
    ("limits", "alarmed"),
    [
        ({"repeats_min": 6}, True),
        ({"repeats_min": 7}, False),
        ({"mean_gap_days_max": 2.0}, True),
        ({"mean_gap_days_max": 1.9}, False),
    ],
)
def test_a_model_may_leave_alone_who_comes_seldom_or_has_come_a_few_times_only(
    limits: dict[str, Any], alarmed: bool, challenger: ChurnModel | None
) -> None:
    """Seven days, two apart: the silence is looked at once, and not again."""
    bank = run(msgspec.structs.replace(MODEL, **limits), challenger).feed([*every_second_day(), day(25)])
    assert [alert.raised_at for alert in bank.alerts] == ([rfc3339(day(25))] if alarmed else [])
    assert bank.due == {}
    at_once = run(msgspec.structs.replace(by_hand(3.0, 0.0), **limits), challenger).feed([*every_second_day(), day(16)])
    assert [alert.raised_at for alert in at_once.alerts] == ([rfc3339(day(16))] if alarmed else [])


def test_an_alert_says_whether_its_model_is_general() -> None:
    stream = [*every_second_day(), day(25), paid(26)]
    for is_general in (False, True):
        raised, retracted = run(msgspec.structs.replace(MODEL, general=is_general)).feed(stream).alerts
        assert (raised.model.general, retracted.model.general) == (is_general, is_general)
        assert (", by the general model)" in sentence(raised)) == is_general
        assert "may be leaving (5" in sentence(raised)


def test_nobody_is_judged_who_is_younger_than_the_youngest_that_the_model_has_seen() -> None:
    training = msgspec.structs.replace(MODEL.training, youngest_days=40.0)
    careful = msgspec.structs.replace(MODEL, training=training)
    # at the start of a day age ends in a half, too: the first booking is on day 0, so 40 days have passed on day 41
    bank = run(churn=careful, challenger=careful).feed([*every_second_day(), day(40)])
    assert (bank.alerts, bank.comparisons, bank.due) == ([], [], {"ann": day(41)})
    bank.feed([day(41)])
    assert [alert.raised_at for alert in bank.alerts] == [rfc3339(day(41))]
    assert [look.at for look in bank.comparisons] == [day(41)]
    back = run(churn=careful).feed([*every_second_day(), paid(26), paid(39), day(41)])
    assert back.alerts == []


def test_a_customer_who_is_back_stays_under_alert_while_the_number_is_not_low() -> None:
    # -1 + 0.4 ln(1 + recency): above 0.5 from recency 11.2, and 0.27 on coming back, which is not under 0.2
    sticky = by_hand(-1.0, 0.4)
    stream = [*every_second_day(), day(24), paid(25)]
    held = run(churn=sticky).feed(stream)
    assert [alert.status for alert in held.alerts] == ["raised"]
    assert held.due == {}
    released = run(churn=sticky, churn_hold_above=0.3).feed(stream)
    assert [alert.status for alert in released.alerts] == ["raised", "retracted"]
    # when the alert has expired, coming back ends it whatever the number
    assert [alert.status for alert in held.feed([paid(54)]).alerts] == ["raised", "retracted"]


def test_where_the_model_is_taken_away_own_rhythm_goes_on() -> None:
    bank = run().feed([*every_second_day(), paid(13, "bob")])
    assert bank.due == {"ann": day(16), "bob": day(24)}
    bank.rules = Rules(policy=Policy())
    assert bank.feed([day(19)]).due == {"ann": day(20), "bob": day(24)}
    assert [(alert.customer_id, alert.raised_at) for alert in bank.feed([day(300)]).alerts] == [
        ("ann", rfc3339(day(20)))
    ]


def test_model_and_own_rhythm_give_one_silence_one_id() -> None:
    (by_model,) = run(churn_raise_at=0.13, churn_hold_above=0.1).feed([*every_second_day(), day(20)]).alerts
    (by_rhythm,) = Fast(offers=()).feed([*every_second_day(), day(20)]).alerts
    assert by_model.raised_at == by_rhythm.raised_at
    assert by_model.alert_id == by_rhythm.alert_id


def an_alert(stream: list[dict[str, Any] | int]) -> Alert:
    """The first that the stream leads to."""
    return run().feed(stream).alerts[0]


def test_run_off_is_told_beside_the_silence() -> None:
    # a salary on days 0 and 30, a bill on day 31, the app until day 33; cards every second day until day 80
    salary = [paid(number, kind="salary", amount_minor=200_000, at=1) for number in (0, 30)]
    bills = [paid(31, kind="bill_payment", at=2)]
    app = [paid(number, kind="transfer_out", channel="mobile", at=3) for number in (5, 12, 20, 33)]
    cards = [paid(number) for number in range(0, 82, 2)]
    stream = sorted([*salary, *bills, *app, *cards], key=lambda fields: fields["occurred_at"])
    alert = an_alert([*stream, day(120)])
    assert alert.raised_at == rfc3339(day(93))
    # the 90 days known on day 93 begin on day 4, so one salary is left; one bill is too few
    told = {reason.code: reason for reason in alert.reasons}
    assert list(told) == ["silence_beyond_own_rhythm", "income_stopped", "digital_use_ended"]
    assert (told["income_stopped"].value, told["income_stopped"].usual) == (63, 55)
    assert told["income_stopped"].sentence == (
        "No salary or pension for 63 days; it came once in the eight weeks before."
    )
    assert told["digital_use_ended"].sentence_zh == "已经60天没有网上或手机银行使用；此前八周有4次。"


def leaving_in_a_run(until: int, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Salaries on days 0 and 30 and bills on days 1 and 31, each the last; cards every second day until a day."""
    salary = [paid(number, kind="salary", amount_minor=200_000, at=1) for number in (0, 30)]
    bills = [paid(number, kind="bill_payment", at=2) for number in (1, 31)]
    cards = [paid(number) for number in range(0, until + 1, 2)]
    return sorted([*salary, *bills, *cards, *more], key=lambda fields: fields["occurred_at"])


def test_run_off_is_noticed_while_the_customer_still_pays_with_the_card() -> None:
    # both have stopped by day 66; weeks begin on days 63 and 70, and the first transaction of the second tells
    assert run().feed(leaving_in_a_run(68)).alerts == []
    bank = run().feed(leaving_in_a_run(98))
    (alert,) = bank.alerts
    assert (alert.kind, alert.status, alert.raised_at) == ("churn_risk", "raised", rfc3339(day(70) + NOON))
    assert (alert.cause.event_id, alert.cause.due_at) == (paid(70)["event_id"], None)
    assert [reason.code for reason in alert.reasons] == ["income_stopped", "payments_ended"]
    assert alert.score == pytest.approx(1 / (1 + 13**4), abs=1e-6)
    assert bank.due == {}
    # who then falls silent is under alert already
    assert bank.feed([day(150)]).alerts == [alert]


def test_one_thing_alone_is_no_run_off() -> None:
    rent_goes_on = [paid(number, kind="bill_payment", at=3) for number in (60, 90)]
    assert run().feed(leaving_in_a_run(110, *rent_goes_on)).alerts == []


def test_a_balance_that_is_halved_makes_it_run_off() -> None:
    rent_goes_on = [paid(number, kind="bill_payment", at=3) for number in (60, 90)]
    moved = paid(75, kind="transfer_out", amount_minor=-90_000, balance_minor=50_000)
    (alert,) = run().feed(leaving_in_a_run(80, *rent_goes_on, moved)).alerts
    assert alert.raised_at == rfc3339(day(78) + NOON)
    assert [reason.code for reason in alert.reasons] == ["income_stopped", "balance_draining"]


def test_run_off_that_is_over_is_taken_back_and_waits_for_the_cooldown() -> None:
    again = [paid(83, kind="salary", amount_minor=200_000), paid(75, kind="bill_payment")]
    raised, over = run().feed(leaving_in_a_run(110, *again)).alerts
    assert (over.status, over.raised_at, over.supersedes) == ("retracted", rfc3339(day(83) + NOON), raised.alert_id)
    assert over.reasons[0].code == "run_off_over"


def test_a_run_off_alert_that_has_expired_ends_with_the_next_transaction() -> None:
    raised, over = run().feed(leaving_in_a_run(104)).alerts
    assert (over.status, over.raised_at) == ("retracted", rfc3339(day(100) + NOON))
    assert raised.expires_at == over.raised_at


@pytest.mark.parametrize(("at", "raised"), [(-1, []), (0, ["income_stopped"]), (1, ["income_stopped"])])
def test_run_off_is_said_again_from_the_end_of_the_cooldown_on(at: int, raised: list[str]) -> None:
    stopped = [paid(1, kind="salary", amount_minor=200_000, at=0), *(paid(on, kind="bill_payment") for on in (2, 3))]
    visits = [paid(on) for on in (4, 6, 8, 10, 12)]
    # silent until an alert on day 25, so quiet until day 55, with which a week of the customer's begins
    back = [paid(on) for on in range(28, 54, 2)]
    bank = run().feed([*stopped, *visits, *back, paid(55, at=at)])
    assert [alert.raised_at for alert in bank.alerts[:2]] == [rfc3339(day(25)), rfc3339(day(28) + NOON)]
    assert [alert.reasons[0].code for alert in bank.alerts[2:]] == raised


def test_run_off_obeys_the_policy() -> None:
    bank = run(kill=["churn_risk"]).feed(leaving_in_a_run(98))
    assert bank.alerts == []
    assert bank.suppressed == {"kill_switch": 1}


def test_a_drained_balance_is_told() -> None:
    balances = [paid(number, balance_minor=10_000 - 700 * number) for number in range(0, 14, 2)]
    alert = an_alert([*balances, day(25)])
    told = {reason.code: reason for reason in alert.reasons}
    assert told["balance_draining"].value == 1_600
    assert told["balance_draining"].usual == 8_600  # seven payments of 10.00 in 30 days
    assert told["balance_draining"].sentence == "The balance has fallen by 81% in 30 days."


def figures(**values: float) -> FeatureValues:
    """A snapshot in which only these are known."""
    raw = np.array([0 if feature.exact else np.float64(np.nan).view(np.int64) for feature in FEATURES])
    for name, value in values.items():
        place = INDEX[name]
        raw[place] = value if FEATURES[place].exact else np.float64(value).view(np.int64)
    return FeatureValues(raw)


def test_only_what_has_moved_the_number_up_is_told_the_most_first_and_at_most_four() -> None:
    seen = figures(silence_days=9, gap_q90_days=4, count_30d=2, count_90d=22, out_30d=100, out_90d=2_100, in_90d=600)
    inputs, none = np.full(len(NAMES), np.nan), np.zeros((GROUPS, FIGURES), np.int64)
    inputs[NAMES.index("age_days")] = 40.0
    inputs[NAMES.index("repeat_days")] = 0.0
    moved = {"out_30d": 0.5, "count_30d": 0.2, "trend_count": -0.3, "in_90d": 0.1, "age_days": 2.0, "repeat_days": 0.4}
    found = reasons(seen, inputs, none, moved)
    assert [reason.code for reason in found] == [
        "silence_beyond_own_rhythm",
        "new_customer",
        "spending_falling",
        "came_once",
    ]
    assert len(found) == REASONS_MAX
    assert (found[2].value, found[2].usual) == (100, 1_000)
    assert found[2].sentence == "Money out in the last 30 days is 10% of what it was a month before."
    assert all(reason.sentence and reason.sentence_zh for reason in found)


@pytest.mark.parametrize(("age", "told"), [(89.0, ["new_customer"]), (90.0, [])])
def test_a_customer_of_ninety_days_is_no_new_one(age: float, told: list[str]) -> None:
    inputs, none = np.full(len(NAMES), np.nan), np.zeros((GROUPS, FIGURES), np.int64)
    inputs[NAMES.index("age_days")] = age
    found = reasons(figures(silence_days=9), inputs, none, {"age_days": 2.0})
    assert [reason.code for reason in found if reason.code == "new_customer"] == told


def test_the_model_is_read_from_the_file_that_is_set_and_a_wrong_one_is_told(tmp_path: Any) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(dumps(MODEL))
    assert churn_rules(Settings(churn_model=OWN_RHYTHM)) == Rules()
    assert churn_rules(Settings()) == Rules(churn=general())
    assert churn_rules(Settings(churn_model=file)) == Rules(churn=MODEL)
    assert churn_rules(Settings(churn_model=file, churn_challenger=file)) == Rules(churn=MODEL, challenger=MODEL)
    file.write_bytes(dumps(msgspec.structs.replace(MODEL, format=99)))
    with pytest.raises(SettingsError, match=r"TRACKER_CHURN_MODEL: .*model.json: has format 99"):
        churn_rules(Settings(churn_model=file))
    good = tmp_path / "good.json"
    good.write_bytes(dumps(MODEL))
    with pytest.raises(SettingsError, match=r"TRACKER_CHURN_CHALLENGER: .*model.json: has format 99"):
        churn_rules(Settings(churn_model=good, churn_challenger=file))


def test_a_challenger_of_own_rhythm_is_refused(tmp_path: Any) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(dumps(MODEL))
    with pytest.raises(ValidationError, match="own rhythm is no model to challenge: TRACKER_CHURN_MODEL names none"):
        Settings(churn_model=OWN_RHYTHM, churn_challenger=file)
