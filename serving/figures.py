"""Which figures of a customer the page lists one by one, and what they are called in Chinese: that follows from what a
figure is, so that a new one has words."""

from collections.abc import Mapping

from handlers.aggregates.columns import GAPS, OF_LIFE, Operator
from handlers.aggregates.features import DAYS_180, FEATURES, LIFE, Feature

FLOWS = ("count", "in", "out", "net")
"""Shown as a table by windows, and channels' shares as bars."""

OTHERS = tuple(
    feature
    for feature in FEATURES
    if feature.name.rpartition("_")[0] not in FLOWS and not feature.name.startswith("share_")
)

_COLUMNS = {"count": "交易数", "in": "流入", "out": "流出", "net": "净流入"}
_WORDS = {
    (Operator.SINCE, "last_own"): "距客户上次主动交易的天数",
    (Operator.DAYS_SINCE, "last_own"): "距上次活跃日的整天数（UTC）",
    (Operator.SINCE, "first"): "距首笔交易的天数",
    (Operator.DAYS_SINCE, "first"): "距首笔交易的整天数（UTC）",
    (Operator.RATE, "count"): "平均每30天交易数",
    (Operator.LAST, "balance"): "全部账户最新已知余额",
    (Operator.LAST, "accounts"): "已知余额的账户数",
    (Operator.LAST, "debt"): "全部欠款账户最新已知欠款（正数）",
    (Operator.DAYS_POSITIVE, "own"): "活跃天数",
    (Operator.GAP_MEAN, "own"): "活跃日之间的平均间隔",
    (Operator.GAP_SD, "own"): "上述间隔的标准差",
    (Operator.GAP_Q90, "own"): "上述间隔的0.9分位数",
    (Operator.MAX, "credit"): "最大一笔入账",
    (Operator.MIN, "balance"): "报告的最低账户余额",
    (Operator.MAX, "balance"): "报告的最高账户余额",
}


def chinese_figure(feature: Feature, names: Mapping[str, str]) -> str:
    """The words. `names` are those of channels; a type without one is called as in the topic."""
    operator, column, hours = feature.operator, feature.column, feature.window_hours
    name = names.get(column.member, column.member)
    words = _COLUMNS.get(column.name) or f"{name}{'渠道' if column.kind == 'channel' else '类'}交易数"
    words = _WORDS.get((operator, column.name), words)
    days = f"{hours // 24}天"
    if operator in OF_LIFE or (operator in GAPS and hours == DAYS_180):
        return words
    if operator is Operator.RATIO:
        return f"{days}{words}与之前{feature.before_hours // 24}天之比"
    if hours == LIFE:
        return f"累计{words}"
    span = f"{hours}小时" if feature.by_hour and hours % 24 else days
    return f"{span}内{words}{'占比' if operator is Operator.SHARE else ''}"
