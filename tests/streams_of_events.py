"""Random streams of canonical transactions, drawn by hypothesis so that failures shrink to few and small events."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas.transaction import AMOUNT_LIMIT, CHANNELS, TYPES
from tests.oracle import DAY, HOUR, MINUTE

Transaction = dict[str, Any]

START = 1_709_164_800_000
"""2024-02-29T00:00:00Z."""


class Step(NamedTuple):
    """What one event is made from, relative to the events before it."""

    wait: int
    """How much later than the newest event so far, ms."""
    late: int
    """How much earlier than that it occurred, ms."""
    amount: int
    type: str
    channel: str
    account: int
    balance: int | None
    undoes: int | None
    """Which of the events that may still be taken back it takes back, counted from the newest; None for none."""


_waits = st.one_of(
    st.integers(0, 3),
    st.integers(0, 5 * MINUTE),
    st.integers(0, 3 * HOUR),
    st.integers(0, 3 * DAY),
    st.integers(0, 45 * DAY),
    st.integers(0, 250 * DAY),
    st.sampled_from((0, 5 * MINUTE, HOUR, DAY, 30 * DAY, 90 * DAY, 180 * DAY)),
)
_lates = st.one_of(
    st.just(0),
    st.just(0),
    st.just(0),
    st.integers(0, 2 * HOUR),
    st.integers(0, 10 * DAY),
    st.integers(0, 200 * DAY),
)
_amounts = st.one_of(
    st.integers(-100_000, 100_000),
    st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT),
    st.sampled_from((0, 1, -1, AMOUNT_LIMIT, -AMOUNT_LIMIT)),
)
_balances = st.one_of(st.none(), st.integers(-100_000, 100_000), st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT))
_types = st.one_of(st.sampled_from(("card_payment", "salary", "interest", "fee")), st.sampled_from((*TYPES, "barter")))
_channels = st.sampled_from((*CHANNELS, "pigeon"))
_undoes = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 5))

_steps = st.builds(
    Step,
    _waits,
    _lates,
    _amounts,
    _types,
    _channels,
    st.one_of(st.integers(0, 2), st.integers(0, 20)),
    _balances,
    _undoes,
)
_visits = st.builds(
    lambda step, days, times: [step._replace(wait=days * DAY, late=0, type="purchase", undoes=None)] * times,
    _steps,
    st.integers(1, 9),
    st.integers(3, 8),
)
_pieces = st.one_of(_steps.map(lambda step: [step]), _steps.map(lambda step: [step]), _visits)
"""Single events of any kind, and the regular visits that give a customer a rhythm to fall out of."""
_lists = st.one_of(st.lists(_pieces, min_size=1, max_size=8), st.lists(_pieces, min_size=8, max_size=16))
plans = _lists.map(lambda pieces: [step for piece in pieces for step in piece])
"""Steps of one customer, in the order of arrival."""


def spelled(customer: str, plan: Sequence[Step], start: int = START, distinct: bool = False) -> list[Transaction]:
    """The transactions of one customer that the steps tell, in order of arrival.

    A reversal is never before its original, and each event is taken back once at most. With `distinct`, no two
    events have the same occurred_at.
    """
    newest = start
    standing: list[Transaction] = []
    moments: set[int] = set()
    stream: list[Transaction] = []
    for number, step in enumerate(plan):
        newest += step.wait
        at = newest - step.late
        original = standing.pop(-1 - step.undoes % len(standing)) if standing and step.undoes is not None else None
        if original is not None:
            at = max(at, original["occurred_at"])
        while distinct and at in moments:
            at += 1
        newest = max(newest, at)
        moments.add(at)
        transaction: Transaction = {
            "event_id": f"{customer}-{number}",
            "customer_id": customer,
            "account_id": f"{customer}/{step.account}",
            "occurred_at": at,
            "amount_minor": step.amount,
            "currency": "EUR",
            "type": step.type,
            "channel": step.channel,
        }
        if step.balance is not None:
            transaction["balance_minor"] = step.balance
        if step.type == "balance" and original is None:
            transaction |= {"amount_minor": 0, "balance_minor": step.balance or 0}
        elif original is None:
            standing.append(transaction)
        else:
            transaction |= {name: original[name] for name in ("account_id", "type", "channel")}
            transaction["amount_minor"] = -original["amount_minor"]
            transaction["reversal_of"] = {name: original[name] for name in ("event_id", "occurred_at")}
        stream.append(transaction)
    return stream


def histories(customer: str = "C1", distinct: bool = False) -> st.SearchStrategy[list[Transaction]]:
    """Streams of one customer: bursts, rhythms, long silences, late events, reversals, extremes, many accounts."""
    return plans.map(lambda plan: spelled(customer, plan, distinct=distinct))


@st.composite
def crowds(draw: st.DrawFn) -> list[Transaction]:
    """Streams of one to four customers, interleaved in any way: a customer's neighbours may be years ahead."""
    streams = [iter(draw(histories(f"C{customer}"))) for customer in range(draw(st.integers(1, 4)))]
    chance = draw(st.randoms(use_true_random=False))
    together: list[Transaction] = []
    while streams:
        stream = chance.choice(streams)
        transaction = next(stream, None)
        if transaction is None:
            streams.remove(stream)
        else:
            together.append(transaction)
    return together


def newest_moment(stream: Sequence[Transaction]) -> int:
    """The latest occurred_at."""
    return max(int(transaction["occurred_at"]) for transaction in stream)


def sample() -> list[Transaction | int]:
    """A fixed stream of six customers over a year, with a heartbeat at its end: regular ones, some of whom leave."""
    chance = random.Random(1994)
    stream: list[Transaction] = []
    for customer in range(6):
        plan = []
        for _ in range(80):
            wait = chance.choice((0, 7 * MINUTE, DAY, 2 * DAY, 3 * DAY)) if chance.random() < 0.95 else 50 * DAY
            late = chance.choice((HOUR, DAY, 30 * DAY, 190 * DAY)) if chance.random() < 0.1 else 0
            amount = chance.choice((-AMOUNT_LIMIT, 0, 50_000, AMOUNT_LIMIT, *range(-900, 900, 7)))
            balance = chance.choice((None, 0, -AMOUNT_LIMIT, AMOUNT_LIMIT, 12_345))
            undoes = chance.randrange(3) if chance.random() < 0.05 else None
            kind, channel = chance.choice(TYPES), chance.choice(CHANNELS)
            plan.append(Step(wait, late, amount, kind, channel, chance.randrange(20), balance, undoes))
        stream += spelled(f"C{customer}", plan)
    stream.sort(key=lambda transaction: transaction["occurred_at"] // DAY)
    return [*stream, newest_moment(stream) + 400 * DAY]
