"""The reasons of a churn alert: facts that hold, each with the figure and what is usual, in English and Chinese.

Every rule states a fact about the customer or nothing. The silence comes first; then those facts whose figures have
moved the number up most. Run-off (run_off.py) is stated also where the model has no figure for it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from handlers.aggregates.snapshot import FeatureValues
from handlers.churn.inputs import NAMES
from handlers.churn.run_off import BEFORE, DIGITAL, INCOME, LATELY, PAYMENTS, SINCE, STOPPED_MIN
from handlers.kernel.jit import F8, I8
from schemas.alert import Reason

REASONS_MAX = 4

_FALLEN = 0.7
_LENGTHENED = 1.5
_DRAINED = 0.5
_NEW_DAYS = 90.0


class _Known(NamedTuple):
    seen: FeatureValues
    inputs: Mapping[str, float]
    run_off: list[list[int]]


def reasons(seen: FeatureValues, inputs: F8, run_off: I8, moved_by: Mapping[str, float]) -> list[Reason]:
    """At most REASONS_MAX, never none for a customer who is silent. `moved_by` as in churn_model.Explained."""
    known = _Known(seen, dict(zip(NAMES, inputs.tolist(), strict=True)), run_off.tolist())
    moved = [0.0] * len(_RULES)
    for name, amount in moved_by.items():
        for place in _speakers_of(name):
            moved[place] += amount
    found = []
    for place, rule in enumerate(_RULES):
        if (rule.always or moved[place] > 0) and (reason := rule.states(known)) is not None:
            found.append((rule.states is not _silence, -moved[place], place, reason))
    return [reason for *_, reason in sorted(found, key=lambda one: one[:3])][:REASONS_MAX]


def _silence(known: _Known) -> Reason | None:
    silence, often = known.seen.number("silence_days"), known.seen.number("gap_q90_days")
    if not silence:
        return None
    told, told_zh = f"No transaction for {_days(silence)}", f"已经{silence:.0f}天没有交易"
    if often is None:
        return Reason("silence", f"{told}.", silence, None, f"{told_zh}。")
    if silence > often:
        usually = f"nine times in ten this customer is back within {often:.0f}"
        usually_zh = f"这位客户十次有九次会在{often:.0f}天内回来"
        code = "silence_beyond_own_rhythm"
        return Reason(code, f"{told}; {usually}.", silence, often, f"{told_zh}；{usually_zh}。")
    mean = known.seen.number("gap_mean_days") or 0.0
    usually, usually_zh = f"the usual gap is {_days(mean)}", f"通常间隔{mean:.0f}天"
    return Reason("silence", f"{told}; {usually}.", silence, mean, f"{told_zh}；{usually_zh}。")


def _activity_falling(known: _Known) -> Reason | None:
    now, before = _month_and_before(known, "count")
    if before <= 0 or now >= _FALLEN * before:
        return None
    return Reason(
        "activity_falling",
        f"{now:.0f} transactions in the last 30 days, against {before:.0f} a month before.",
        now,
        before,
        f"最近30天有{now:.0f}笔交易，之前每月{before:.0f}笔。",
    )


def _money_falling(flow: str, code: str, what: str, what_zh: str) -> Callable[[_Known], Reason | None]:
    def states(known: _Known) -> Reason | None:
        now, before = _month_and_before(known, flow)
        if before <= 0 or now >= _FALLEN * before:
            return None
        share = now / before
        told = f"{what} in the last 30 days is {share:.0%} of what it was a month before."
        return Reason(code, told, now, before, f"最近30天的{what_zh}是之前每月水平的{share:.0%}。")

    return states


def _balance_draining(known: _Known) -> Reason | None:
    balance, net = known.seen.number("balance"), known.seen.number("net_30d")
    if balance is None or net is None or balance - net <= 0 or balance > _DRAINED * (balance - net):
        return None
    before = balance - net
    fall = min(1 - balance / before, 1.0)
    told, told_zh = f"The balance has fallen by {fall:.0%} in 30 days.", f"余额在30天内下降了{fall:.0%}。"
    if balance == 0 and known.seen.number("debt"):
        told, told_zh = "The account was in credit 30 days ago and is overdrawn.", "账户30天前有余额，现在已透支。"
    return Reason("balance_draining", told, balance, before, told_zh)


def _stopped(group: int, code: str, what: str, what_zh: str) -> Callable[[_Known], Reason | None]:
    def states(known: _Known) -> Reason | None:
        figures = known.run_off[group]
        since, before = figures[SINCE], figures[BEFORE]
        if figures[LATELY] > 0 or since < 0 or before < STOPPED_MIN[group]:
            return None
        times = "once" if before == 1 else f"{before} times"
        told = f"No {what} for {since} days; it came {times} in the eight weeks before."
        return Reason(code, told, since, 55 / before, f"已经{since}天没有{what_zh}；此前八周有{before}次。")

    return states


def _gaps_lengthening(known: _Known) -> Reason | None:
    ratio, mean = known.inputs["recent_gap_ratio"], known.seen.number("gap_mean_days")
    if mean is None or not ratio >= _LENGTHENED:
        return None
    told = f"The last visits were {_days(ratio * mean)} apart, against {mean:.0f} in the mean."
    return Reason(
        "gaps_lengthening", told, ratio * mean, mean, f"最近几次间隔{ratio * mean:.0f}天，平均为{mean:.0f}天。"
    )


def _new_customer(known: _Known) -> Reason | None:
    age = known.inputs["age_days"]
    if not age < _NEW_DAYS:
        return None
    return Reason("new_customer", f"A customer for {_days(age)} only.", age, None, f"成为客户只有{age:.0f}天。")


def _came_once(known: _Known) -> Reason | None:
    if known.inputs["repeat_days"] != 0:
        return None
    return Reason("came_once", "Active on one day only, so far.", 1.0, None, "到目前为止只在一天有过交易。")


class _Rule(NamedTuple):
    states: Callable[[_Known], Reason | None]
    figures: tuple[str, ...]
    """Beginnings of the names of the inputs that speak of it."""
    always: bool = False
    """Whether it is stated although the model was not moved by it."""


_RULES = (
    _Rule(_silence, ("recency", "silence", "shorter", "purchase_model", "gap_"), always=True),
    _Rule(
        _stopped(INCOME, "income_stopped", "salary or pension", "工资或养老金入账"),
        ("in_", "trend_in", "share_type_salary", "share_type_pension"),
        always=True,
    ),
    _Rule(_balance_draining, ("balance", "net_", "share_type_transfer_out"), always=True),
    _Rule(
        _stopped(PAYMENTS, "payments_ended", "bill, premium or instalment", "账单、保费或分期付款"),
        ("share_type_bill", "share_type_insurance", "share_type_loan", "share_channel_automatic"),
        always=True,
    ),
    _Rule(
        _stopped(DIGITAL, "digital_use_ended", "online or mobile banking", "网上或手机银行使用"),
        ("share_channel_online", "share_channel_mobile"),
        always=True,
    ),
    _Rule(_activity_falling, ("count_7d", "count_30d", "count_90d", "active_days", "trend_count", "frequency")),
    _Rule(_money_falling("out", "spending_falling", "Money out", "支出"), ("out_", "trend_out", "last_turnover")),
    _Rule(_money_falling("in", "income_falling", "Money in", "收入"), ("in_", "trend_in", "largest_credit")),
    _Rule(_gaps_lengthening, ("recent_gap", "last_gap")),
    _Rule(_came_once, ("repeat_days", "purchase_model")),
    _Rule(_new_customer, ("age_days", "first_to_last", "count_life")),
)


@cache
def _speakers_of(name: str) -> list[int]:
    """The places of the rules that an input speaks of."""
    return [place for place, rule in enumerate(_RULES) if name.startswith(rule.figures)]


def _month_and_before(known: _Known, flow: str) -> tuple[float, float]:
    """A flow in the last 30 days, and in 30 of the 60 before."""
    now, whole = known.seen.number(f"{flow}_30d") or 0, known.seen.number(f"{flow}_90d") or 0
    return float(now), (whole - now) / 2


def _days(days: float) -> str:
    return "1 day" if round(days) == 1 else f"{days:.0f} days"
