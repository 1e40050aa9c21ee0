"""What a row keeps of a customer, column by column: for how long, and which operators can be computed over it.

A feature is an operator over a column in a window (features.py). What is declared here can be computed, by evaluate.py
and by the Redis library profile.lua alike; anything else is refused when it is declared.
"""

from enum import IntEnum
from typing import NamedTuple

from handlers.state.retention import BALANCE_DAYS, DAY_KEPT, HOUR_KEPT, MIX_DAYS
from schemas.transaction import CHANNELS, TYPES


class Operator(IntEnum):
    """How a figure is made of a column. Numbers are known to evaluate.py, names in small letters to profile.lua."""

    SUM = 0
    MAX = 1
    MIN = 2
    DAYS_POSITIVE = 3
    """Days on which the column is above 0."""
    SHARE = 4
    """The column's sum in the count of all transactions; missing where that is 0."""
    RATIO = 5
    """The sum per day of the window over the sum per day of the days before it; missing where these have none."""
    GAP_MEAN = 6
    """Of the days between days that are positive and follow each other, in the window that ends with the last."""
    GAP_SD = 7
    """Standard deviation (population) of those."""
    GAP_Q90 = 8
    """0.9 quantile of those (inverse CDF)."""
    SINCE = 9
    """Days, with their fraction."""
    DAYS_SINCE = 10
    """Whole UTC days."""
    RATE = 11
    """Per 30 days of tenure, at least 30."""
    LAST = 12
    """Latest known, over all accounts."""


GAPS = (Operator.GAP_MEAN, Operator.GAP_SD, Operator.GAP_Q90)
OF_LIFE = (Operator.SINCE, Operator.DAYS_SINCE, Operator.RATE, Operator.LAST)
"""Operators without a window."""


class Column(NamedTuple):
    """A column of the row. `days` and `hours` say how far back it is kept by UTC day and by hour, `life` whether it is
    kept over the customer's life. `kind` and `member` are those of a count by channel or by type."""

    name: str
    operators: tuple[Operator, ...]
    days: int = 0
    hours: int = 0
    life: bool = False
    is_money: bool = False
    kind: str = ""
    member: str = ""

    @property
    def kept(self) -> str:
        """For how long the row keeps it, in words."""
        spans = [f"for {self.hours} h by hour"] * bool(self.hours) + [f"for {self.days} d by UTC day"] * bool(self.days)
        return " and ".join([*spans, *["over the customer's life"] * self.life])


def _counted(kind: str, member: str) -> Column:
    operators = (Operator.SUM, Operator.SHARE, Operator.RATIO)
    return Column(f"{kind}_{member}", operators, days=MIX_DAYS, kind=kind, member=member)


_FLOW = (Operator.SUM, Operator.RATIO)

COUNT = Column("count", (*_FLOW, Operator.RATE), DAY_KEPT, HOUR_KEPT, life=True)
IN = Column("in", _FLOW, DAY_KEPT, HOUR_KEPT, life=True, is_money=True)
OUT = Column("out", _FLOW, DAY_KEPT, HOUR_KEPT, life=True, is_money=True)
NET = Column("net", (Operator.SUM,), DAY_KEPT, HOUR_KEPT, life=True, is_money=True)
OWN = Column("own", (Operator.DAYS_POSITIVE, *GAPS), DAY_KEPT)
"""Transactions that the customer made."""
CREDIT = Column("credit", (Operator.MAX,), MIX_DAYS, is_money=True)
"""Single credits: of a day none is larger than what is left of that day's after reversals."""
BALANCE = Column("balance", (Operator.MAX, Operator.MIN, Operator.LAST), BALANCE_DAYS, is_money=True)
"""Of single accounts in a window; the latest, which is kept for ever, is the sum of those that are not in debt."""
DEBT = Column("debt", (Operator.LAST,), life=True, is_money=True)
ACCOUNTS = Column("accounts", (Operator.LAST,), life=True)
FIRST = Column("first", (Operator.SINCE, Operator.DAYS_SINCE), life=True)
"""Moment of the first transaction."""
LAST_OWN = Column("last_own", (Operator.SINCE, Operator.DAYS_SINCE), life=True)
"""Moment of the latest transaction that the customer made."""
BY_CHANNEL = tuple(_counted("channel", name) for name in CHANNELS)
BY_TYPE = tuple(_counted("type", name) for name in TYPES if name != "balance")
"""`balance` is no transaction."""

COLUMNS = (COUNT, IN, OUT, NET, OWN, CREDIT, BALANCE, DEBT, ACCOUNTS, FIRST, LAST_OWN, *BY_CHANNEL, *BY_TYPE)
