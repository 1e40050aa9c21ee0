"""Every aggregate of a customer, declared once: to add one is to add a line to FEATURES.

The profile that is served, the reasons in alerts, conditions in the offer catalogue, training columns and
docs/features.md all come from this table. evaluate.py computes what it declares.

A window of W made of tiles of g is the W/g tiles that end with the tile holding the moment of reading: 30 d is today
(UTC) and the 29 days before it; 24 h is this hour and the 23 before it; 1 h is this 5-minute tile and the 11 before it.
"""

from enum import IntEnum
from typing import NamedTuple

from schemas.transaction import CHANNELS, NOT_OWN_TYPES, TYPES


class Measure(IntEnum):
    """What is computed over a window. The numbers are known to evaluate.py and to profile.lua only."""

    COUNT = 0
    IN = 1
    OUT = 2
    NET = 3
    LARGEST_CREDIT = 4
    ACTIVE_DAYS = 5
    CHANNEL_SHARE = 6
    TYPE_SHARE = 7
    BALANCE_LOW = 8
    BALANCE_HIGH = 9
    TREND_COUNT = 10
    TREND_IN = 11
    TREND_OUT = 12
    GAP_MEAN = 13
    GAP_SD = 14
    GAP_Q90 = 15
    RECENCY = 16
    TENURE = 17
    FREQUENCY = 18
    SILENCE = 19
    BALANCE = 20
    ACCOUNTS = 21
    DEBT = 22


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

HOUR_1, HOURS_24, DAYS_7, DAYS_30, DAYS_90, DAYS_180, LIFE = 1, 24, 168, 720, 2160, 4320, 0
"""Windows, in hours; 0 is the whole life of the customer."""


class Feature(NamedTuple):
    """One aggregate. `part` is the place in CHANNELS or TYPES that a share is about."""

    name: str
    measure: Measure
    window_hours: int
    unit: Unit
    meaning: str
    part: int = 0

    @property
    def exact(self) -> bool:
        """Whether the value is an integer."""
        return self.unit in EXACT_UNITS


_WINDOWS = {"1h": HOUR_1, "24h": HOURS_24, "7d": DAYS_7, "30d": DAYS_30, "90d": DAYS_90, "180d": DAYS_180, "life": LIFE}
_FLOWS = (
    ("count", Measure.COUNT, Unit.COUNT, "Transactions"),
    ("in", Measure.IN, Unit.MINOR, "Money in"),
    ("out", Measure.OUT, Unit.MINOR, "Money out (a positive figure)"),
    ("net", Measure.NET, Unit.MINOR, "Money in less money out"),
)

FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"{flow}_{window}", measure, hours, unit, f"{meaning} {'ever' if hours == LIFE else 'in ' + window}")
        for window, hours in _WINDOWS.items()
        for flow, measure, unit, meaning in _FLOWS
    ),
    Feature("recency_days", Measure.RECENCY, LIFE, Unit.DAYS, "Days since the customer's last own transaction"),
    Feature("silence_days", Measure.SILENCE, LIFE, Unit.WHOLE_DAYS, "Whole UTC days since the last active day"),
    Feature("tenure_days", Measure.TENURE, LIFE, Unit.DAYS, "Days since the first transaction"),
    Feature("frequency", Measure.FREQUENCY, LIFE, Unit.PER_30_DAYS, "Transactions ever per 30 days of tenure"),
    Feature("active_days_30d", Measure.ACTIVE_DAYS, DAYS_30, Unit.COUNT, "Active days in 30 d"),
    Feature("active_days_90d", Measure.ACTIVE_DAYS, DAYS_90, Unit.COUNT, "Active days in 90 d"),
    Feature("gap_mean_days", Measure.GAP_MEAN, DAYS_180, Unit.DAYS, "Mean gap between active days"),
    Feature("gap_sd_days", Measure.GAP_SD, DAYS_180, Unit.DAYS, "Standard deviation (population) of those gaps"),
    Feature("gap_q90_days", Measure.GAP_Q90, DAYS_180, Unit.WHOLE_DAYS, "0.9 quantile of those gaps (inverse CDF)"),
    *(
        Feature(f"share_channel_{name}_90d", Measure.CHANNEL_SHARE, DAYS_90, Unit.SHARE, f"Share by channel {name}", i)
        for i, name in enumerate(CHANNELS)
    ),
    *(
        Feature(f"share_type_{name}_90d", Measure.TYPE_SHARE, DAYS_90, Unit.SHARE, f"Share of type {name}", i)
        for i, name in enumerate(TYPES)
        if name != "balance"  # is no transaction
    ),
    Feature("largest_credit_30d", Measure.LARGEST_CREDIT, DAYS_30, Unit.MINOR, "Largest credit in 30 d"),
    Feature("largest_credit_90d", Measure.LARGEST_CREDIT, DAYS_90, Unit.MINOR, "Largest credit in 90 d"),
    Feature("balance", Measure.BALANCE, LIFE, Unit.MINOR, "Latest known balance over all accounts"),
    Feature("accounts", Measure.ACCOUNTS, LIFE, Unit.COUNT, "Accounts whose balance is known"),
    Feature("debt", Measure.DEBT, LIFE, Unit.MINOR, "Latest known balance over all accounts in debt, positive"),
    Feature(
        "balance_low_30d",
        Measure.BALANCE_LOW,
        DAYS_30,
        Unit.MINOR,
        "Lowest account balance reported in 30 d",
    ),
    Feature(
        "balance_high_30d",
        Measure.BALANCE_HIGH,
        DAYS_30,
        Unit.MINOR,
        "Highest account balance reported in 30 d",
    ),
    Feature("trend_count", Measure.TREND_COUNT, DAYS_30, Unit.RATIO, "Transactions in 30 d against the 60 d before"),
    Feature("trend_in", Measure.TREND_IN, DAYS_30, Unit.RATIO, "Money in in 30 d against the 60 d before"),
    Feature("trend_out", Measure.TREND_OUT, DAYS_30, Unit.RATIO, "Money out in 30 d against the 60 d before"),
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
