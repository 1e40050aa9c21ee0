"""Conditions as a person would say them: of a customer for whom one holds, and of one for whom it doesn't."""

from typing import NamedTuple

from handlers.aggregates.columns import Operator
from handlers.aggregates.features import Feature, Unit
from schemas.money import money
from schemas.offer import Condition, Texts


class _Habit(NamedTuple):
    """What a share is about, in words: "banks online", "does not bank online"."""

    does: str
    does_not: str
    zh: str


_BY_CHANNEL = {
    "other": _Habit("uses other channels", "does not use other channels", "使用其他渠道"),
    "counter": _Habit("comes to the counter", "does not come to the counter", "到柜台办理业务"),
    "atm": _Habit("uses cash machines", "does not use cash machines", "使用自动柜员机"),
    "online": _Habit("banks online", "does not bank online", "使用网上银行"),
    "mobile": _Habit("banks by mobile phone", "does not bank by mobile phone", "使用手机银行"),
    "phone": _Habit("banks by telephone", "does not bank by telephone", "使用电话银行"),
    "card": _Habit("pays by card", "does not pay by card", "用卡支付"),
    "automatic": _Habit("has automatic payments", "has no automatic payments", "有自动收付"),
}
_TYPES_ZH = {
    "other": "其他交易",
    "deposit": "存款",
    "withdrawal": "取款",
    "transfer_in": "转入",
    "transfer_out": "转出",
    "card_payment": "刷卡消费",
    "bill_payment": "账单缴费",
    "salary": "工资入账",
    "pension": "养老金入账",
    "interest": "利息",
    "fee": "手续费",
    "loan_payment": "贷款还款",
    "insurance_premium": "保费支出",
    "remittance": "汇款",
    "purchase": "购物",
    "refund": "退款",
    "returned_payment": "退回的付款",
    "own_transfer": "本人账户间转账",
}
_ALREADY = ("at_most", "below")
"""Operators under which too much is what keeps an offer back."""
_WORDS = {"at_least": "at least", "at_most": "at most", "above": "more than", "below": "less than"}


def told(
    feature: Feature, one: Condition, value: float | None, limit: float | None, currency: str, *, holds: bool
) -> Texts:
    """The sentence, without its full stop. `value` is the customer's, `limit` what it is held against.

    The bank's own words come first, where the condition has any.
    """
    own = one.if_so if holds else one.if_not
    if own is not None:
        return own
    if value is None:
        return Texts(f"{feature.meaning} is not known")
    if feature.operator is Operator.SHARE and limit is not None:
        return _of_a_habit(_habit(feature), feature.window_hours // 24, one.operator, value, limit, holds)
    figure, bound = amount(feature.unit, value, currency), amount(feature.unit, limit, currency)
    if holds:
        return Texts(f"{feature.meaning}: {figure}, {_WORDS[one.operator]} {bound}")
    return Texts(f"{feature.meaning}: {figure}; {_WORDS[one.operator]} {bound} is asked for")


def amount(unit: Unit, value: float | None, currency: str) -> str:
    """A figure with its unit."""
    if value is None:
        return "unknown"
    if unit is Unit.MINOR:
        return money(value, currency)
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    return f"{value:,.4g}"


def _habit(feature: Feature) -> _Habit:
    name = feature.column.member
    if feature.column.kind == "channel":
        return _BY_CHANNEL[name]
    plural = {"salary": "salaries"}.get(name, f"{name.replace('_', ' ')}s")
    plural = {"interest": "interest", "transfer_in": "transfers in", "transfer_out": "transfers out"}.get(name, plural)
    plural = "other transactions" if name == "other" else plural
    return _Habit(f"has {plural}", f"has no {plural}", f"有{_TYPES_ZH[name]}")


def _of_a_habit(habit: _Habit, days: int, operator: str, value: float, limit: float, holds: bool) -> Texts:
    share, share_zh = f"{value:.0%} of the transactions in {days} days", f"占{days}天交易的{value:.0%}"
    too_much = operator in _ALREADY
    if value <= 0:
        asked = "" if holds else f"; {_WORDS[operator]} {limit:.0%} is asked for"
        return Texts(_capital(habit.does_not) + asked, f"尚未{habit.zh}" if habit.zh[0] != "有" else f"没{habit.zh}")
    if holds:
        return Texts(f"{_capital(habit.does)}: {share}", f"{habit.zh}，{share_zh}")
    if too_much:
        return Texts(f"Already {habit.does}: {share}", f"已经{habit.zh}，{share_zh}")
    return Texts(
        f"{_capital(habit.does)}, but for {share} only; {_WORDS[operator]} {limit:.0%} is asked for",
        f"{habit.zh}，但只{share_zh}",
    )


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
