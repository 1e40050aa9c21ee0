"""Bytes of Redis a customer: people with 30 active days in 90, laid out exactly as the worker writes them.

A thousand histories are folded by the same handlers; more people repeat them under ids of their own.
"""

from typing import NamedTuple

import numpy as np

from commands.benchmark.servers import stored_bytes
from commands.benchmark.stage import Stage
from commands.benchmark.workload import CHANNELS, EVENT, HISTORIES, PAYEE, START_MS, TYPES, customer_id
from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from learning.chance import Chance
from schemas.units import DAY_MS, HOUR_MS
from streams.store.port import Changes

DAYS, ACTIVE_DAYS = 90, 30
"""One active day in every three, on any of them: nobody is a case of churn."""

PER_DAY_MAX = 3
"""Transactions on an active day: one to that many, evenly. One in ten is on a second account."""

_SALARY_EVERY = 20
_OPENING, _CLOSING = 7 * HOUR_MS, 22 * HOUR_MS
_FIRST_NUMBER = 9_000_000_000
"""Beyond every event of a workload."""
_ROWS_A_COMMIT = 2_000


class History(NamedTuple):
    """What is stored of one customer at the end of the 90 days."""

    row: bytes
    due: int | None
    """Epoch ms."""


def lay_out(stage: Stage, customers: int, seed: int) -> float:
    """Gives every customer of a workload a past that ends where the workload begins. For partitions that nobody owns.

    Returns the bytes of Redis a customer, with its part of keys, tables and the due set.
    """
    pasts = histories(seed)
    positions = [stage.state.claim(number) for number in range(stage.partitions)]
    before = stored_bytes(stage.client)
    for number, position in enumerate(positions):
        theirs = range(number, customers, stage.partitions)
        for start in range(0, len(theirs), _ROWS_A_COMMIT):
            some = {customer_id(one).decode(): pasts[one % HISTORIES] for one in theirs[start : start + _ROWS_A_COMMIT]}
            rows, due = {name: kept.row for name, kept in some.items()}, {name: kept.due for name, kept in some.items()}
            position = stage.state.commit(number, position, 0, START_MS, Changes(rows, due))
    return (stored_bytes(stage.client) - before) / max(customers, 1)


def histories(seed: int) -> list[History]:
    """The same for a seed."""
    records = [Record(offset, START_MS, None, line) for offset, line in enumerate(_lines(seed))]
    batch = TransactionIntake("transactions", "EUR", {}, keyed=False).batch(0, records, StreamTime(), DuplicateFilter())
    assert not batch.dead_letters
    batch.clock_end = START_MS
    outcome = Engine("transactions").step(partition_input(0, batch, {}), Rules())
    names = [customer_id(number).decode() for number in range(HISTORIES)]
    return [History(outcome.rows[name], outcome.due.get(name)) for name in names]


def _lines(seed: int) -> list[bytes]:
    chance = Chance(seed, 20_000)
    every = DAYS // ACTIVE_DAYS
    days = np.arange(ACTIVE_DAYS) * every + chance.whole(HISTORIES * ACTIVE_DAYS, 0, every - 1).reshape(HISTORIES, -1)
    times = chance.whole(HISTORIES * ACTIVE_DAYS, 1, PER_DAY_MAX)
    customer = np.repeat(np.repeat(np.arange(HISTORIES), ACTIVE_DAYS), times)
    day = np.repeat(days.reshape(-1), times)
    events = len(customer)
    at = START_MS - DAYS * DAY_MS + day * DAY_MS + chance.whole(events, _OPENING, _CLOSING)
    kind = chance.whole(events, 0, len(TYPES) - 2)
    amount = np.where(kind == len(TYPES) - 2, 1, -1) * chance.whole(events, 100, 9_000)
    salary = chance.whole(events, 1, _SALARY_EVERY) == 1
    kind[salary], amount[salary] = len(TYPES) - 1, 200_000
    account = 1 + (chance.whole(events, 1, 10) == 1)
    lines = []
    for number in np.argsort(at, kind="stable").tolist():
        who, what = int(customer[number]), int(kind[number])
        channel = CHANNELS[who % len(CHANNELS)]
        paid = int(amount[number])
        words = (
            _FIRST_NUMBER + number,
            customer_id(who),
            who,
            account[number],
            at[number],
            paid,
            TYPES[what],
            channel,
            10**6 + paid,
            PAYEE,
        )
        lines.append(EVENT % words)
    return lines
