"""What the churn number is made of, by hand: figures of a rhythm, columns, and the way to the horizon."""

from math import log, nan
from typing import Any

import msgspec
import numpy as np
import pytest

from handlers.churn.design_matrix import BG, COLUMN_NAMES, LOGIT_MAX, MBG, design, logit
from handlers.churn.inputs import NAMES, RHYTHM, inputs_at
from handlers.churn.model import Linear, Scorer, Trees
from handlers.churn.purchase_models import PurchaseModel, p_comes, p_silent
from handlers.churn.scoring import carried, standard
from schemas.policy import Policy
from tests.fast import Fast
from tests.models import by_hand
from tests.unit.test_rhythm import NOON, day, paid

BG_NBD, MBG_NBD = PurchaseModel(0.8, 20.0, 0.9, 2.5, False), PurchaseModel(0.7, 15.0, 1.1, 3.0, True)


def rhythm(stream: list[dict[str, Any]], now: int) -> dict[str, float | None]:
    """The figures of the customer's rhythm, None where missing."""
    found = dict(zip(NAMES, inputs_at([Fast(offers=()).feed(stream).rows["ann"]], now)[0].tolist(), strict=True))
    return {name: None if found[name] != found[name] else found[name] for name, _, _ in RHYTHM}


def test_the_figures_of_a_rhythm() -> None:
    moved = {0: -1_000, 2: -4_000, 5: -500, 9: -2_500, 15: -1_500}
    stream = [paid(number, amount_minor=amount) for number, amount in moved.items()]
    stream += [paid(15, at=NOON + 1, kind="deposit", amount_minor=500), paid(16, kind="fee", amount_minor=-9_000)]
    assert rhythm(stream, day(20) + NOON) == {
        "repeat_days": 4,
        "first_to_last_days": 15,
        # from the middle of the first day to noon of the twentieth after it
        "age_days": 20,
        "active_days_180d": 5,
        "last_gap_days": 6,
        # gaps 2, 3, 4, 6, in the mean 3.75; of the last three, (3 + 4 + 6) / 3
        "recent_gap_ratio": pytest.approx(13 / 3 / 3.75),
        "silence_gap_ratio": pytest.approx(5 / 3.75),
        # 2, 3 and 4 are shorter than the five days of silence
        "shorter_gaps_share": 0.75,
        # 1000 + 4000 + 500 + 2500 + 2000 on five days; the last of them 1500 out and 500 in
        "turnover_per_day": 2_000,
        "last_turnover_ratio": 1.0,
        "silence_of_tenure": 0.25,
    }


def test_one_active_day_has_no_gaps() -> None:
    found = rhythm([paid(3, amount_minor=-700)], day(3) + NOON)
    assert found == dict.fromkeys(found) | {
        "repeat_days": 0,
        "first_to_last_days": 0,
        "age_days": 0,
        "active_days_180d": 1,
        "turnover_per_day": 700,
        "last_turnover_ratio": 1.0,
        "silence_of_tenure": 0,
    }


def test_a_day_without_money_has_no_turnover_to_compare_with() -> None:
    found = rhythm([paid(3, amount_minor=0)], day(4))
    assert (found["turnover_per_day"], found["last_turnover_ratio"]) == (0, None)
    assert found["age_days"] == 0.5
    # half a day of tenure counts as one
    assert found["silence_of_tenure"] == 1.0


def test_a_customer_of_whom_only_the_banks_bookings_are_known_has_no_rhythm() -> None:
    assert set(rhythm([paid(0, kind="fee")], day(1)).values()) == {None}


def undone(original: dict[str, Any], on: int) -> dict[str, Any]:
    """What takes it back, booked on that day."""
    back = {name: original[name] for name in ("event_id", "occurred_at")}
    return paid(on) | {"amount_minor": -original["amount_minor"], "reversal_of": back}


def test_active_days_before_the_tiles_are_estimated_from_the_count() -> None:
    # three transactions on two own days and a fee stand in tiles; of two that are forgotten, two in four were such days
    stream = [paid(0), paid(1), paid(300), paid(300, at=NOON + 1), paid(310), paid(311, kind="fee")]
    found = rhythm(stream, day(312))
    assert found["repeat_days"] == 2 + 2 * (2 / 4) - 1
    assert (found["first_to_last_days"], found["active_days_180d"], found["last_gap_days"]) == (310, 2, 10)
    # one own day among three transactions in tiles, one forgotten: a third of a day more
    once = [paid(0), paid(300), paid(300, at=1, kind="fee"), paid(301, kind="fee")]
    assert rhythm(once, day(302))["repeat_days"] == pytest.approx(1 / 3)
    # nothing is left in tiles after a reversal a year later: each of the two that remain may have been a day
    assert rhythm([paid(0), paid(1), paid(2), undone(paid(1), 400)], day(401))["repeat_days"] == 1
    # but there are not more days than from the first to the last
    assert rhythm([paid(0), paid(0, at=1), paid(0, at=2), undone(paid(0), 400)], day(401))["repeat_days"] == 0


def columns(horizon: float = 30.0, **inputs: float) -> dict[str, float]:
    """The columns by name; what is not given is missing."""
    row = np.array([[inputs.get(name, nan) for name in NAMES]])
    return dict(zip(COLUMN_NAMES, design(row, horizon, BG_NBD, MBG_NBD)[0].tolist(), strict=True))


REGULAR = {
    "repeat_days": 3, "first_to_last_days": 40, "age_days": 100, "turnover_per_day": 500, "last_turnover_ratio": 0.4,
    "recent_gap_ratio": 1.5, "silence_gap_ratio": 2, "shorter_gaps_share": 0.25, "gap_sd_days": 4, "gap_mean_days": 8,
    "count_life": 12, "in_life": 7_000, "out_life": 300, "last_gap_days": 5,
}  # fmt: skip


def test_the_columns_of_a_regular_customer() -> None:
    found = columns(**REGULAR)
    expected = {
        "log_repeats": log(4),
        "came_once": 0,
        "log_silence": log(3),  # 60 days of silence are two horizons
        "log_age": log(1 + 100 / 30),
        "silence_of_age": 0.6,
        "log_expected": log(1 + 3.5 / 100 * 30),
        "log_turnover": log(501),
        "last_turnover": log(0.5),
        "recent_gaps": log(1.6),
        "silence_to_gaps": log(2.1),
        "shorter_gaps": 0.25,
        "gap_spread": log(0.6),
        "log_money_ever": log(7_301),
        "log_count_ever": log(13),
        "count_per_day": log(3),
        "log_last_gap": log(1 + 5 / 30),
        "silence_once": 0,
        "silence_squared": log(3) ** 2,
        "silence_of_age_squared": 0.36,
        "silence_by_repeats": log(3) * log(4),
        "repeats_squared": log(4) ** 2,
        "turnover_once": 0,
        "silence_beyond_third": log(3) - 0.3,
        "silence_beyond_near_all": log(3) - 0.6,
        "logit_bg_nbd": logit(p_silent(0.8, 20.0, 0.9, 2.5, False, 3.0, 40.0, 100.0, 30.0)),
        "logit_mbg_nbd": logit(p_silent(0.7, 15.0, 1.1, 3.0, True, 3.0, 40.0, 100.0, 30.0)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert list(expected) == list(found)[: len(expected)]
    assert (COLUMN_NAMES[BG], COLUMN_NAMES[MBG]) == ("logit_bg_nbd", "logit_mbg_nbd")


def test_the_columns_of_a_customer_who_came_once() -> None:
    found = columns(repeat_days=0, first_to_last_days=0, age_days=6, turnover_per_day=99, count_life=0, in_life=-5)
    expected = {
        "log_repeats": 0,
        "came_once": 1,
        "log_silence": log(1.2),
        "silence_of_age": 1,
        "log_expected": log(1 + 0.5 / 7 * 30),  # an age under a week counts as a week
        "log_count_ever": 0,
        "count_per_day": 0,
        "silence_once": log(1.2),
        "turnover_once": log(100),
        "silence_beyond_third": 0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(("repeats", "once"), [(0.0, 1.0), (0.49, 1.0), (0.5, 0.0), (1.0, 0.0)])
def test_half_a_repeat_is_estimated_to_be_one(repeats: float, once: float) -> None:
    assert columns(repeat_days=repeats)["came_once"] == once


def test_the_columns_of_one_of_whom_nothing_is_known() -> None:
    found = columns()
    known = {name: value for name, value in found.items() if value == value}
    silent = [
        logit(p_silent(*m, 0.0, 0.0, 0.0, 30.0)) for m in ((0.8, 20.0, 0.9, 2.5, False), (0.7, 15.0, 1.1, 3.0, True))
    ]
    assert known == pytest.approx(
        {
            **dict.fromkeys(("log_repeats", "log_silence", "log_age", "silence_of_age", "silence_once"), 0),
            **dict.fromkeys(("silence_squared", "silence_of_age_squared", "silence_by_repeats", "repeats_squared"), 0),
            **dict.fromkeys(("silence_beyond_third", "silence_beyond_near_all"), 0),
            "came_once": 1,
            "log_expected": log(1 + 0.5 / 7 * 30),
            "logit_bg_nbd": silent[0],
            "logit_mbg_nbd": silent[1],
        }
    )


def test_declared_features_are_on_log_scales_by_their_unit() -> None:
    found = columns(count_30d=7, net_30d=-99, out_30d=0, trend_in=0.4, share_type_salary_90d=0.3, recency_days=1.5)
    names = ("count_30d", "net_30d", "out_30d", "trend_in", "share_type_salary_90d", "recency_days")
    assert [found[name] for name in names] == pytest.approx([log(8), -log(100), 0, log(0.5), 0.3, log(2.5)])


@pytest.mark.parametrize(
    ("p", "odds"), [(0.5, 0), (0.75, log(3)), (0.0, -12), (-0.1, -12), (1.0, 12), (1e-9, -12), (1 - 1e-9, 12)]
)
def test_log_odds_are_held_within_twelve(p: float, odds: float) -> None:
    assert logit(p) == pytest.approx(odds)
    assert LOGIT_MAX == 12


@pytest.mark.parametrize(("value", "z"), [(5.0, 1.5), (2.0, 0.0), (nan, 0.0), (99.0, 6.0), (-99.0, -6.0), (1.0, -0.5)])
def test_a_value_in_spreads_from_the_mean(value: float, z: float) -> None:
    assert standard(value, 2.0, 0.5) == z


def test_what_was_learned_is_carried_to_a_longer_horizon() -> None:
    purchase = np.array([[0.8, 20.0, 0.9, 2.5], [0.7, 15.0, 1.1, 3.0]])
    early, late = (
        (p_comes(0.8, 20.0, 3.0, 100.0, days) + p_comes(0.7, 15.0, 3.0, 100.0, days)) / 2 for days in (30.0, 90.0)
    )
    # likely gone: P(comes) grows as that of the living does
    silent = 1 - early / 2
    assert carried(logit(silent), 3.0, 100.0, purchase, 30.0, 90.0) == pytest.approx(logit(1 - late / 2))
    # more sure to come than the living are: P(silent) shrinks as theirs does
    silent = (1 - early) / 2
    assert carried(logit(silent), 3.0, 100.0, purchase, 30.0, 90.0) == pytest.approx(logit((1 - late) / 2))
    # both agree where the customer comes just as the living do
    assert carried(logit(1 - early), 3.0, 100.0, purchase, 30.0, 90.0) == pytest.approx(logit(1 - late))
    unknown = carried(0.0, nan, nan, purchase, 30.0, 90.0)
    assert unknown == pytest.approx(carried(0.0, 0.0, 0.0, purchase, 30.0, 90.0))


def test_a_number_just_at_the_band_is_in_it() -> None:
    # one in two whatever comes, and alerts from one in two: at the first look, four days after the last of day 12
    for challenger in (None, by_hand(0.0, 0.0)):
        bank = Fast(offers=(), churn=by_hand(0.0, 0.0), challenger=challenger, policy=Policy(churn_raise_at=0.5))
        (alert,) = bank.feed([*(paid(number) for number in range(0, 14, 2)), day(16)]).alerts
        assert alert.score == 0.5


WHOLE = msgspec.structs.replace(
    by_hand(-1.0, 0.7, -0.3),
    bg_nbd=BG_NBD,
    mbg_nbd=MBG_NBD,
    corrected=Linear(0.4, 0.8, ["log_repeats"], [1.0], [2.0], [0.5]),
    blend=[0.2, 0.6, 0.9, 0.0],
    carry=0.5,
    training=msgspec.structs.replace(by_hand(0.0, 0.0).training, horizons_days=[10, 20]),
)
"""Linear members of both kinds, learned at 20 days and carried half of the way to 30."""


def test_a_number_is_the_blend_of_its_members_carried_to_the_horizon() -> None:
    row = np.array([[REGULAR.get(name, nan) for name in NAMES]])
    at = dict(zip(COLUMN_NAMES, design(row, 20.0, BG_NBD, MBG_NBD)[0].tolist(), strict=True))
    corrected = 0.4 + 0.8 * (at["logit_bg_nbd"] + at["logit_mbg_nbd"]) / 2 + 0.5 * (at["log_repeats"] - 1.0) / 2
    learned = 0.2 + 0.6 * corrected + 0.9 * -1.0  # recency and trend are missing: as if they were at the mean
    purchase = np.array([[0.8, 20.0, 0.9, 2.5], [0.7, 15.0, 1.1, 3.0]])
    whole = carried(learned, 3.0, 100.0, purchase, 20.0, 30.0)
    assert whole != pytest.approx(learned)
    (found,) = Scorer(WHOLE).logits(row)
    assert found == pytest.approx((learned + whole) / 2)


VALUES = [-0.25, 0.5, -1.0]
"""Of a tree's root and its two leaves."""


def test_what_moved_a_number_sums_to_it() -> None:
    row = np.array([REGULAR.get(name, nan) for name in NAMES])
    tree = Trees(0.3, [0], ["recency_days"], [0, 0, 0], [1.0, 0.0, 0.0], [True] * 3, [1, -1, -1], [2, -1, -1], VALUES)
    wooded = msgspec.structs.replace(WHOLE, trees=tree, blend=[0.2, 0.6, 0.9, 0.5])
    for model in (WHOLE, msgspec.structs.replace(WHOLE, carry=0.0), by_hand(-1.0, 0.7, -0.3), wooded):
        found = Scorer(model).explained(row)
        assert found.base + sum(found.moved_by.values()) == pytest.approx(found.logit)
        assert found.logit == pytest.approx(float(Scorer(model).logits(row[None])[0]))


def test_what_was_learned_at_the_horizon_is_not_carried() -> None:
    # carrying would hold it within twelve
    assert Scorer(by_hand(20.0, 0.0)).logits(np.full((1, len(NAMES)), nan)).tolist() == [20.0]
