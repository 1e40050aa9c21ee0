"""Who has left, by the bank's definition: labels of training and backtests. Silence always counts; a bank may add more.

A customer has left within a horizon after a moment who, whichever of it the definition names,
- makes no own transaction in it;
- held at least the floor at the moment, over all accounts whose balance is known, and holds less at the horizon's end;
- closes one of the products in it (customer events).
"""

from collections.abc import Sequence

import numpy as np

from handlers.churn.model import Leaving
from handlers.kernel.jit import F8, I8, NONE
from learning.history import History, HistoryError
from learning.label_plan import Plan, full_history_days
from learning.snapshots import Snapshot, silent_within
from schemas.units import DAY_MS, rfc3339

SILENCE = Leaving()
"""Nothing counts but silence."""


class Labels:
    """Labels of one history under one definition."""

    def __init__(self, history: History, leaving: Leaving) -> None:
        self._history = history
        self._leaving = leaving
        self._balances = None if leaving.balance_below_minor is None else Balances(history)

    def left(self, snapshot: Snapshot, horizon_days: int) -> F8:
        """1 for customers of the snapshot who have left within the horizon after it, else 0, (n,)."""
        left = silent_within(self._history, snapshot, horizon_days) > 0
        until = snapshot.at + horizon_days * DAY_MS
        floor = self._leaving.balance_below_minor
        if self._balances is not None and floor is not None:
            before = self._balances.at(snapshot.customer, snapshot.at)
            after = self._balances.at(snapshot.customer, until)
            left |= (before != NONE) & (before >= floor) & (after < floor)
        gone = [
            closing.customer
            for closing in self._history.closings
            if closing.product in self._leaving.closed_products and snapshot.at <= closing.at < until
        ]
        labels: F8 = (left | np.isin(snapshot.customer, gone)).astype(np.float64)
        return labels


class Balances:
    """What customers held over all their accounts, to be asked for a moment; as the feature `balance`, but that
    accounts are never forgotten. Events that came late count from when they occurred."""

    def __init__(self, history: History) -> None:
        with_balance = history.balance != NONE
        self._at, self._balance = history.at[with_balance], history.balance[with_balance]
        ids = np.ascontiguousarray(history.account[with_balance]).view(f"S{history.account.shape[1] * 8}").ravel()
        owner = history.customer[with_balance]
        pairs = np.empty(len(ids), [("owner", np.int64), ("id", ids.dtype)])
        pairs["owner"], pairs["id"] = owner, ids
        known, account = np.unique(pairs, return_inverse=True)
        self._owner: I8 = known["owner"]
        self._start = int(self._at.min()) if len(self._at) else 0
        self._span = (int(self._at.max()) - self._start if len(self._at) else 0) + 2
        key = account.astype(np.int64) * self._span + (self._at - self._start)
        order = np.argsort(key, kind="stable")
        self._key, self._balance = key[order], self._balance[order]

    def at(self, customers: I8, moment: int) -> I8:
        """Minor units held just before `moment` (epoch ms), (n,); NONE where no balance was known."""
        since = min(max(moment - self._start, 0), self._span - 1)
        accounts = np.arange(len(self._owner))
        last = np.searchsorted(self._key, accounts * self._span + since) - 1
        known = (last >= 0) & (np.append(self._key, -1)[last] // self._span == accounts)
        size = 1 + int(max(customers.max(initial=0), self._owner.max(initial=0)))
        total, count = np.zeros(size, np.int64), np.zeros(size, np.int64)
        np.add.at(total, self._owner[known], np.maximum(self._balance[last[known]], 0))
        np.add.at(count, self._owner[known], 1)
        held: I8 = np.where(count[customers] > 0, total[customers], NONE)
        return held


def check(history: History, plan: Plan, leaving: Leaving, until: int, horizon_days: int) -> None:
    """Raises HistoryError where the definition can't be learned from the history before `until`."""
    if leaving == SILENCE:
        return
    if plan.carried:
        raise HistoryError(
            f"the history before {rfc3339(until)[:10]} is too short: what is more than silence is learned at"
            f" {horizon_days} days itself, for which {full_history_days(horizon_days)} days of history are needed"
        )
    if leaving.balance_below_minor is not None and not (history.balance != NONE).any():
        raise HistoryError("no transaction tells a balance: leaving by a balance can't be learned")
    for product in leaving.closed_products:
        if not any(closing.product == product for closing in history.closings):
            raise HistoryError(f"nobody closes {product} in the history (customer-events, product_closed)")


def described(leaving: Leaving, horizon_days: int) -> str:
    """The definition in words."""
    parts = [f"no own transaction in {horizon_days} days"]
    if leaving.balance_below_minor is not None:
        parts.append(f"a balance that falls below {leaving.balance_below_minor} minor units by then")
    if leaving.closed_products:
        parts.append(f"closing {' or '.join(leaving.closed_products)} by then")
    return ", or ".join(parts)


def definition(balance_below_minor: int | None, closed_products: Sequence[str]) -> Leaving:
    """The definition in one form, so that equal ones are equal."""
    return Leaving(balance_below_minor, sorted(set(closed_products)))
