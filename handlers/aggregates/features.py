"""Every aggregate of a customer, declared once: to add one is to add a line to FEATURES. It says which operator
is applied to which column of the row (columns.py) in which window; one that the row cannot answer is refused here.

The profile that is served, the reasons in alerts, conditions in the offer catalogue, training columns and
docs/features.md all come from this table. evaluate.py computes what it declares.

A window of W made of tiles of g is the W/g tiles that end with the tile holding the moment of reading: 30 d is today
(UTC) and the 29 days before it; 24 h is this hour and the 23 before it; 1 h is this 5-minute tile and the 11 before it.
"""

from dataclasses import dataclass
from enum import IntEnum

from handlers.aggregates.columns import (
    ACCOUNTS,
    BALANCE,
    BY_CHANNEL,
    BY_TYPE,
    COUNT,
    CREDIT,
    DEBT,
    FIRST,
    IN,
    LAST_OWN,
    NET,
    OF_LIFE,
    OUT,
    OWN,
    Column,
    Operator,
)
from schemas.transaction import NOT_OWN_TYPES, TYPES


class Unit(IntEnum):
    """How the value is to be read. Whole-numbered units are exact 64-bit integers, the others are doubles."""

    COUNT = 0
    MINOR = 1
    DAYS = 2
    WHOLE_DAYS = 3
    SHARE = 4
    RATIO = 5
    PER_30_DAYS = 6


EXACT_UNITS = (Unit.COUNT, Unit.MINOR, Unit.WHOLE_DAYS)
_UNITS = {
    Operator.DAYS_POSITIVE: Unit.COUNT,
    Operator.SHARE: Unit.SHARE,
    Operator.RATIO: Unit.RATIO,
    Operator.GAP_MEAN: Unit.DAYS,
    Operator.GAP_SD: Unit.DAYS,
    Operator.GAP_Q90: Unit.WHOLE_DAYS,
    Operator.SINCE: Unit.DAYS,
    Operator.DAYS_SINCE: Unit.WHOLE_DAYS,
    Operator.RATE: Unit.PER_30_DAYS,
}
"""By operator; the others give what the column is in."""

HOUR_1, HOURS_24, DAYS_7, DAYS_30, DAYS_60, DAYS_90, DAYS_180, LIFE = 1, 24, 168, 720, 1440, 2160, 4320, 0
"""Windows, in hours; 0 is the whole life of the customer."""


class UnanswerableFeature(ValueError):
    """A declared feature asks for what the row does not keep. The message names the feature, what it asks for and what
    the row keeps."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One aggregate: an operator over a column in a window. Raises UnanswerableFeature if it cannot be computed.

    `before_hours` is for RATIO alone: the days before the window that it is held against. Of a column that is not kept
    by hour, and for every operator but SUM, a window is one of whole UTC days.
    """

    name: str
    operator: Operator
    column: Column
    window_hours: int
    meaning: str
    before_hours: int = 0

    def __post_init__(self) -> None:
        if reason := self._unanswerable():
            raise UnanswerableFeature(f"feature {self.name} cannot be computed: {reason}")

    @property
    def unit(self) -> Unit:
        """What the value is in."""
        return _UNITS.get(self.operator, Unit.MINOR if self.column.is_money else Unit.COUNT)

    @property
    def exact(self) -> bool:
        """Whether the value is an integer."""
        return self.unit in EXACT_UNITS

    @property
    def by_hour(self) -> bool:
        """Whether it is read from tiles of an hour or of five minutes, not of a day."""
        return self.operator is Operator.SUM and 0 < self.window_hours <= self.column.hours

    def _unanswerable(self) -> str:
        """The reason, empty if there is none."""
        column, operator, hours = self.column, self.operator.name.lower(), self.window_hours
        asked = f"it asks for the {operator} of {column.name}"
        if self.operator not in column.operators:
            others = ", ".join(known.name.lower() for known in column.operators)
            return f"{asked}; what the row keeps of {column.name} answers {others}"
        if self.operator in OF_LIFE:
            return f"{asked} in a window; {operator} has none, write LIFE" if hours or self.before_hours else ""
        if (self.operator is Operator.RATIO) != (self.before_hours > 0):
            return f"{asked}; ratio, and nothing else, is held against before_hours"
        keeps = f"the row keeps {column.name} {column.kept}"
        if hours == LIFE and self.operator is Operator.SUM and column.life:
            return ""
        if hours == LIFE:
            return f"{asked} over the customer's life; {keeps}"
        if hours < 0:
            return f"{asked} over {hours} h; a window is at least an hour"
        if self.by_hour:
            return ""
        if hours % 24 or self.before_hours % 24:
            return f"{asked} over {hours} h; {keeps}, so a window is of whole days"
        if hours + self.before_hours > 24 * column.days:
            return f"{asked} over {(hours + self.before_hours) // 24} d; {keeps}"
        return ""


_WINDOWS = {"1h": HOUR_1, "24h": HOURS_24, "7d": DAYS_7, "30d": DAYS_30, "90d": DAYS_90, "180d": DAYS_180, "life": LIFE}
_FLOWS = (
    (COUNT, "Transactions"),
    (IN, "Money in"),
    (OUT, "Money out (a positive figure)"),
    (NET, "Money in less money out"),
)

FEATURES: tuple[Feature, ...] = (
    *(
        Feature(
            f"{column.name}_{window}",
            Operator.SUM,
            column,
            hours,
            f"{meaning} {'ever' if hours == LIFE else 'in ' + window}",
        )
        for window, hours in _WINDOWS.items()
        for column, meaning in _FLOWS
    ),
    Feature("recency_days", Operator.SINCE, LAST_OWN, LIFE, "Days since the customer's last own transaction"),
    Feature("silence_days", Operator.DAYS_SINCE, LAST_OWN, LIFE, "Whole UTC days since the last active day"),
    Feature("tenure_days", Operator.SINCE, FIRST, LIFE, "Days since the first transaction"),
    Feature("frequency", Operator.RATE, COUNT, LIFE, "Transactions ever per 30 days of tenure"),
    Feature("active_days_30d", Operator.DAYS_POSITIVE, OWN, DAYS_30, "Active days in 30 d"),
    Feature("active_days_90d", Operator.DAYS_POSITIVE, OWN, DAYS_90, "Active days in 90 d"),
    Feature("gap_mean_days", Operator.GAP_MEAN, OWN, DAYS_180, "Mean gap between active days"),
    Feature("gap_sd_days", Operator.GAP_SD, OWN, DAYS_180, "Standard deviation (population) of those gaps"),
    Feature("gap_q90_days", Operator.GAP_Q90, OWN, DAYS_180, "0.9 quantile of those gaps (inverse CDF)"),
    *(
        Feature(f"share_{each.name}_90d", Operator.SHARE, each, DAYS_90, f"Share by channel {each.member}")
        for each in BY_CHANNEL
    ),
    *(
        Feature(f"share_{each.name}_90d", Operator.SHARE, each, DAYS_90, f"Share of type {each.member}")
        for each in BY_TYPE
    ),
    Feature("largest_credit_30d", Operator.MAX, CREDIT, DAYS_30, "Largest credit in 30 d"),
    Feature("largest_credit_90d", Operator.MAX, CREDIT, DAYS_90, "Largest credit in 90 d"),
    Feature("balance", Operator.LAST, BALANCE, LIFE, "Latest known balance over all accounts"),
    Feature("accounts", Operator.LAST, ACCOUNTS, LIFE, "Accounts whose balance is known"),
    Feature("debt", Operator.LAST, DEBT, LIFE, "Latest known balance over all accounts in debt, positive"),
    Feature("balance_low_30d", Operator.MIN, BALANCE, DAYS_30, "Lowest account balance reported in 30 d"),
    Feature("balance_high_30d", Operator.MAX, BALANCE, DAYS_30, "Highest account balance reported in 30 d"),
    *(
        Feature(
            f"trend_{column.name}",
            Operator.RATIO,
            column,
            DAYS_30,
            f"{meaning} in 30 d against the 60 d before",
            before_hours=DAYS_60,
        )
        for column, meaning in ((COUNT, "Transactions"), (IN, "Money in"), (OUT, "Money out"))
    ),
)
"""An active day is a UTC day with a transaction that the customer made: any type but interest and fee, which the bank
books by itself, and refund, returned_payment and own_transfer, which count among the transactions, but neither as
money in nor as money out. Gaps are the differences in days between active days that follow each other, among the tiles
of the 180 d that end with the last active day. A trend is the 30 d figure per day over the per-day figure of the 60 d
before; missing where those 60 d have none. A share is missing where 90 d hold no transaction, a largest credit where
they hold no credit, a balance where none was ever reported."""

INDEX: dict[str, int] = {feature.name: i for i, feature in enumerate(FEATURES)}
"""A feature's place in FEATURES, by name."""

NOT_OWN = tuple(map(TYPES.index, NOT_OWN_TYPES))
"""Types that are not the customer's doing, by their places; a day with nothing else is not an active day."""
