"""What people at the simulated bank do, how often, when and for how much: the tables that the simulator draws from."""

from typing import NamedTuple

import numpy as np

from learning.chance import F8, I8


class Kind(NamedTuple):
    """A kind of transaction. Amounts are in cents for somebody with the typical income."""

    name: str
    type: str
    channel: str
    sign: int
    median: int = 0
    step: int = 1
    """Amounts are multiples of it, and at least one of it."""
    payee: str = ""
    categories: tuple[str, ...] = ()
    product: str = ""


_SHOPS = ("groceries", "restaurants", "fuel", "clothing", "health", "household", "leisure", "travel")

KINDS = (
    # What people do when they please; MIXES has a share for each.
    Kind("shop", "card_payment", "card", -1, 2_600, payee="shop", categories=_SHOPS),
    Kind("cash", "withdrawal", "atm", -1, 7_000, step=2_000),
    Kind("web_shop", "purchase", "online", -1, 4_500, payee="shop", categories=_SHOPS[3:]),
    Kind("app_shop", "purchase", "mobile", -1, 2_200, payee="shop", categories=_SHOPS[1:]),
    Kind("web_transfer", "transfer_out", "online", -1, 9_000, step=100, payee="person"),
    Kind("app_transfer", "transfer_out", "mobile", -1, 4_000, step=100, payee="person"),
    Kind("phone_transfer", "transfer_out", "phone", -1, 12_000, step=100, payee="person"),
    Kind("received", "transfer_in", "automatic", 1, 5_000, step=100, payee="person"),
    Kind("cash_in", "deposit", "counter", 1, 15_000, step=1_000),
    Kind("counter_cash", "withdrawal", "counter", -1, 30_000, step=5_000),
    Kind("bill", "bill_payment", "online", -1, 6_500, payee="company"),
    Kind("sent_home", "remittance", "online", -1, 20_000, step=1_000, payee="family"),
    # What comes by itself.
    Kind("salary", "salary", "automatic", 1, payee="employer"),
    Kind("pension", "pension", "automatic", 1, payee="pension-fund"),
    Kind("invoice", "transfer_in", "automatic", 1, payee="client"),
    Kind("windfall", "transfer_in", "automatic", 1, payee="payer"),
    Kind("rent", "bill_payment", "automatic", -1, payee="landlord", categories=("rent",)),
    Kind("utilities", "bill_payment", "automatic", -1, payee="utility", categories=("utilities",)),
    Kind("premium", "insurance_premium", "automatic", -1, payee="insurer", product="insurance"),
    Kind("instalment", "loan_payment", "automatic", -1, payee="bank", product="loan"),
    Kind("loan", "transfer_in", "automatic", 1, payee="bank", product="loan"),
    Kind("to_savings", "transfer_out", "automatic", -1, payee="self", product="savings"),
    Kind("saved", "transfer_in", "automatic", 1, payee="self", product="savings"),
    Kind("moved_away", "transfer_out", "online", -1, payee="other-bank"),
    # What the bank books.
    Kind("interest", "interest", "automatic", 1, product="savings"),
    Kind("fee", "fee", "automatic", -1),
)

KIND_INDEX = {kind.name: i for i, kind in enumerate(KINDS)}
"""A kind's place in KINDS, by name."""

CHOSEN = KIND_INDEX["salary"]
"""Kinds before this one are done when people please."""

SHOPPING = (KIND_INDEX["shop"], KIND_INDEX["web_shop"], KIND_INDEX["app_shop"])
"""Kinds that shops sometimes report late and sometimes take back."""

SIGN: I8 = np.array([kind.sign for kind in KINDS])
MEDIAN: I8 = np.array([kind.median for kind in KINDS])
STEP: I8 = np.array([kind.step for kind in KINDS])
AT_COUNTER = np.array([kind.channel == "counter" for kind in KINDS])

TYPICAL_INCOME = 230_000
"""Cents a month. Medians of amounts are those of people who have it."""


def _cumulative(*rows: tuple[int, ...]) -> F8:
    """Each row of shares as its running sum, ending with 1."""
    shares = np.array(rows, dtype=np.int64)
    running: F8 = np.cumsum(shares, axis=1) / np.sum(shares, axis=1, keepdims=True)
    return running


# shop, cash, web shop, app shop, web, app and phone transfer, received, cash in, counter cash, bill, sent home
_BRANCH = (34, 22, 1, 0, 4, 0, 6, 4, 12, 12, 5)
_MIXED = (46, 12, 9, 3, 10, 4, 1, 6, 2, 1, 6)
_MOBILE = (38, 4, 10, 16, 3, 16, 0, 9, 1, 0, 3)

MIXES = _cumulative(*((*mix, home) for home in (0, 12) for mix in (_BRANCH, _MIXED, _MOBILE)))
"""Shares of the chosen kinds, (6, CHOSEN): people of the branch, of both, of the phone; then those who send home."""

WEEKS = np.array(
    [
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        [0.8, 0.8, 0.8, 0.9, 1.2, 1.5, 1.0],
        [1.2, 1.2, 1.2, 1.2, 1.3, 0.6, 0.3],
    ]
)
"""How busy each day is from Monday on, (3, 7): even, at the week's end, on working days."""

HOURS = _cumulative(
    (0, 0, 0, 0, 0, 1, 4, 9, 14, 16, 15, 12, 9, 7, 6, 5, 4, 3, 2, 2, 1, 1, 0, 0),
    (0, 0, 0, 0, 0, 0, 1, 4, 5, 5, 6, 9, 15, 12, 6, 6, 8, 12, 12, 8, 5, 3, 2, 1),
    (2, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 7, 7, 6, 6, 7, 9, 12, 14, 13, 11, 8, 5),
)
"""When people do things, by hour of the day (UTC), (3, 24): mornings, noon and after work, evenings."""
