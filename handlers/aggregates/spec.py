"""Features as the kernel reads them: the windows of all of them cut into rings, and the cells that each is made of.

A ring is what lies between one window's end and the next longer one's. One pass over the tiles adds each to its ring,
and adding up the rings gives every window. The cells lie one after the other: those of the whole life, then rings of
five minutes, of hours and of days, each with count, in and out, those of days also with active days, largest credit and
lowest and highest balance; then counts by channel and by type for each window that asks for some.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handlers.aggregates import columns
from handlers.aggregates.columns import GAPS, OF_LIFE, Column, Operator
from handlers.aggregates.features import FEATURES, HOUR_1, LIFE, Feature
from handlers.kernel.jit import I8
from handlers.state import row
from handlers.state.retention import DAY_KEPT, FIVE_KEPT
from schemas.transaction import CHANNELS, TYPES

OPERATOR, CELL, OTHER, WINDOW, BEFORE = range(5)
"""Places in a feature's line: its operator; the cell that it is, or is made of; another one, -1 for none; days of the
window and of what comes before it."""

FLOWS = 3
"""Count, in and out come first in every ring."""
ACTIVE, LARGEST, LOW, HIGH = range(FLOWS, 7)
DAY_CELLS = 7

MONEY, OWED, NUMBER = range(3)
"""What LAST is of: balances that are not in debt, those that are, accounts."""

DAYS_ROOM = DAY_KEPT + 2
"""Room to work in begins with so many places for days and gaps; the cells follow, or as many counts of gaps."""

_IN_RING = {
    (columns.COUNT, Operator.SUM): 0,
    (columns.IN, Operator.SUM): 1,
    (columns.OUT, Operator.SUM): 2,
    (columns.OWN, Operator.DAYS_POSITIVE): ACTIVE,
    (columns.CREDIT, Operator.MAX): LARGEST,
    (columns.BALANCE, Operator.MIN): LOW,
    (columns.BALANCE, Operator.MAX): HIGH,
}
_IN_LIFE = {columns.FIRST: row.FIRST, columns.LAST_OWN: row.LAST_OWN, columns.COUNT: row.COUNT}
_LATEST = {columns.BALANCE: MONEY, columns.DEBT: OWED, columns.ACCOUNTS: NUMBER}


class Spec(NamedTuple):
    """What is computed."""

    lines: I8
    """(features, 5)."""
    fives: I8
    """Where rings of five minutes end, in tiles, ascending."""
    hours: I8
    """Where rings of hours end."""
    days: I8
    """(rings, 2): where rings of days end; the cell from which on the ring counts channels and types, -1 for none."""
    cells: int


def spec_of(features: Sequence[Feature]) -> Spec:
    """The rings and lines of these features."""
    rings = _Rings(features)
    lines = [_line(feature, rings) for feature in features]
    days = [(end, rings.mix(end)) for end in rings.days]
    return Spec(
        np.array(lines, np.int64).reshape(-1, 5),
        np.array(rings.fives, np.int64),
        np.array(rings.hours, np.int64),
        np.array(days, np.int64).reshape(-1, 2),
        rings.cells,
    )


class _Rings:
    """Where the cells of each window are."""

    def __init__(self, features: Sequence[Feature]) -> None:
        hours = {feature.window_hours for feature in features if feature.by_hour}
        by_day = [feature for feature in features if feature.operator not in (*GAPS, *OF_LIFE)]
        by_day = [feature for feature in by_day if not feature.by_hour and feature.window_hours != LIFE]
        self.fives = [FIVE_KEPT] if HOUR_1 in hours else []
        self.hours = sorted(hours - {HOUR_1})
        self.days = sorted({end for feature in by_day for end in _ends(feature)})
        self._mixes = sorted({end for feature in by_day if feature.column.kind for end in _ends(feature)})
        self._hours_at = FLOWS * (1 + len(self.fives))
        self._days_at = self._hours_at + FLOWS * len(self.hours)
        self._mix_at = self._days_at + DAY_CELLS * len(self.days)
        self.cells = self._mix_at + row.MIX_FIELDS * len(self._mixes)

    def mix(self, days: int) -> int:
        """Where channels and types of the shortest window that holds so many days are counted, -1 for nowhere."""
        return next((self._mix_at + row.MIX_FIELDS * n for n, end in enumerate(self._mixes) if end >= days), -1)

    def of_days(self, column: Column, operator: Operator, days: int) -> int:
        """The cell of a window of days."""
        if column.kind == "channel":
            return self.mix(days) + CHANNELS.index(column.member)
        if column.kind == "type":
            return self.mix(days) + row.CHANNEL_COUNT + TYPES.index(column.member)
        return self._days_at + DAY_CELLS * self.days.index(days) + _IN_RING[column, operator]

    def sum_of(self, column: Column, feature: Feature) -> int:
        """The cell of the column's sum in the feature's window."""
        if not feature.by_hour and feature.window_hours != LIFE:
            return self.of_days(column, Operator.SUM, feature.window_hours // 24)
        ring = 0
        if feature.window_hours == HOUR_1:
            ring = FLOWS
        elif feature.by_hour:
            ring = self._hours_at + FLOWS * self.hours.index(feature.window_hours)
        return ring + _IN_RING[column, Operator.SUM]


def _ends(feature: Feature) -> set[int]:
    """Days after which windows of the feature end."""
    return {feature.window_hours // 24, (feature.window_hours + feature.before_hours) // 24}


def _line(feature: Feature, rings: _Rings) -> tuple[int, ...]:
    operator, column = feature.operator, feature.column
    window, before = feature.window_hours // 24, feature.before_hours // 24
    cell, other = 0, -1
    if operator is Operator.SUM and column is columns.NET:
        cell, other = rings.sum_of(columns.IN, feature), rings.sum_of(columns.OUT, feature)
    elif operator is Operator.SUM:
        cell = rings.sum_of(column, feature)
    elif operator is Operator.SHARE:
        cell = rings.of_days(column, Operator.SUM, window)
        other = rings.of_days(columns.COUNT, Operator.SUM, window)
    elif operator is Operator.RATIO:
        cell = rings.of_days(column, Operator.SUM, window)
        other = rings.of_days(column, Operator.SUM, window + before)
    elif operator is Operator.LAST:
        cell = _LATEST[column]
    elif operator in OF_LIFE:
        cell = _IN_LIFE[column]
    elif operator not in GAPS:
        cell = rings.of_days(column, operator, window)
    return operator, cell, other, window, before


FEATURE_SPEC = spec_of(FEATURES)
"""Every declared feature."""


def new_work(spec: Spec = FEATURE_SPEC) -> I8:
    """Room for the days of one customer, and then for the cells of these features or for as much again."""
    return np.zeros(DAYS_ROOM + max(spec.cells, DAYS_ROOM), np.int64)
