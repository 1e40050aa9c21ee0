"""The simulated bank: the same for a seed, in order, with balances that add up and a truth that the events bear out."""

import tracemalloc
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise

import msgspec
import pytest

from learning.habits import CHOSEN, KINDS, MIXES
from learning.people import FATES, PRODUCTS
from learning.simulator import START, Truth, ground_truth, simulate
from schemas.transaction import CHANNELS, NO_FLOW_TYPES, TYPES, Original, Transaction

CUSTOMERS, DAYS, SEED = 600, 120, 11
BANK_MADE = ("interest", "fee")


class Event(Transaction, frozen=True):
    """A transaction whose moments are datetimes, as RFC 3339 text is read."""

    occurred_at: datetime

    @property
    def own(self) -> bool:
        return self.type not in BANK_MADE and self.reversal_of is None


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return [msgspec.convert(event, Event, strict=True) for event in simulate(CUSTOMERS, DAYS, SEED)]


@pytest.fixture(scope="module")
def truths() -> dict[str, Truth]:
    return {truth.customer_id: truth for truth in ground_truth(CUSTOMERS, DAYS, SEED)}


@pytest.fixture(scope="module")
def own(events: list[Event]) -> dict[str, list[Event]]:
    """What each customer did, by time."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.occurred_at):
        if event.own:
            found[event.customer_id].append(event)
    return found


def test_every_event_is_a_canonical_transaction_of_a_known_type_and_channel(events: list[Event]) -> None:
    for event in simulate(50, 40, SEED):
        msgspec.convert(event, Transaction, strict=True)
        assert str(event["occurred_at"]).endswith("Z")
    assert len({event.event_id for event in events}) == len(events)
    assert {event.type for event in events} == set(TYPES) - {"other", *NO_FLOW_TYPES}
    assert {event.channel for event in events} == set(CHANNELS) - {"other"}
    assert {event.currency for event in events} == {"EUR"}
    assert all(event.amount_minor != 0 for event in events)


def test_a_customer_makes_60_to_80_transactions_in_120_days_in_the_mean(events: list[Event]) -> None:
    assert 60 <= len(events) / CUSTOMERS <= 80
    assert len({event.customer_id for event in events}) == CUSTOMERS


def test_one_seed_gives_one_stream_on_any_machine() -> None:
    digest = sha256()
    for event in simulate(40, 50, seed=7):
        digest.update(msgspec.json.encode(event, order="sorted"))
    assert digest.hexdigest() == "9943a4a709bc2491d7f670591694a5c4d57cd1d01abea4b82f2525947ade70c6"


def test_another_seed_gives_another_stream() -> None:
    def amounts(seed: int) -> list[object]:
        return [event["amount_minor"] for event in islice(simulate(40, 10, seed), 50)]

    assert amounts(7) == amounts(7)
    assert amounts(7) != amounts(8)


def test_events_come_in_the_order_of_time_but_for_the_few_that_are_late(events: list[Event]) -> None:
    newest, lateness = events[0].occurred_at, []
    for event in events:
        if event.occurred_at < newest:
            lateness.append(newest - event.occurred_at)
        newest = max(newest, event.occurred_at)
    assert 0.002 < len(lateness) / len(events) < 0.01
    assert max(lateness) <= timedelta(days=3)
    assert max(lateness) > timedelta(days=1)


def test_every_event_lies_within_the_days_asked_for() -> None:
    start = date(2024, 2, 20)
    days = {str(event["occurred_at"])[:10] for event in simulate(100, 12, SEED, start)}
    assert days == {(start + timedelta(day)).isoformat() for day in range(12)}


def test_an_account_s_balances_follow_from_its_amounts(events: list[Event]) -> None:
    accounts: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: int(event.event_id.rsplit("-", 1)[1])):
        accounts[event.account_id].append(event)
    for booked in accounts.values():
        for before, event in pairwise(booked):
            assert before.occurred_at <= event.occurred_at
            assert before.balance_minor is not None
            assert event.balance_minor == before.balance_minor + event.amount_minor


def test_some_customers_have_two_accounts_and_no_account_has_two_customers(events: list[Event]) -> None:
    accounts = {(event.customer_id, event.account_id) for event in events}
    assert len({account for _, account in accounts}) == len(accounts)
    counts = Counter(Counter(customer for customer, _ in accounts).values())
    assert set(counts) == {1, 2}
    assert 0.2 < counts[2] / CUSTOMERS < 0.5


def test_a_reversal_undoes_an_event_that_came_before_it_exactly_and_once(events: list[Event]) -> None:
    seen: dict[str, Event] = {}
    undone: set[str] = set()
    for event in events:
        if event.reversal_of is not None:
            original = seen[event.reversal_of.event_id]
            assert event.reversal_of == Original(original.event_id, original.occurred_at)
            assert event.amount_minor == -original.amount_minor
            assert event.occurred_at > original.occurred_at
            assert (event.customer_id, event.account_id) == (original.customer_id, original.account_id)
            assert (event.type, event.channel) == (original.type, original.channel)
            undone.add(original.event_id)
        seen[event.event_id] = event
    assert len(undone) == sum(event.reversal_of is not None for event in events)
    assert 0.001 < len(undone) / len(events) < 0.02


def test_salaries_and_pensions_come_on_one_day_of_each_month(own: dict[str, list[Event]]) -> None:
    paid = 0
    for did in own.values():
        days = [event.occurred_at.date() for event in did if event.type in ("salary", "pension")]
        assert len({(day.year, day.month) for day in days}) == len(days)
        # a payday of 31 falls on a shorter month's last day
        assert len({31 if (day + timedelta(1)).day == 1 and day.day > 25 else day.day for day in days}) <= 2
        assert len({day.day for day in days if (day + timedelta(1)).day != 1}) <= 1
        paid += bool(days)
    assert paid > 0.6 * CUSTOMERS


def test_the_truth_has_every_fate_and_product_once_for_each_customer(truths: dict[str, Truth]) -> None:
    assert list(truths) == [f"sim-c-{i}" for i in range(CUSTOMERS)]
    fates = Counter(truth.fate for truth in truths.values())
    assert set(fates) == set(FATES)
    assert fates["stays"] > 0.7 * CUSTOMERS
    assert {truth.product for truth in truths.values()} == {*PRODUCTS, None}
    for truth in truths.values():
        assert (truth.turns_on is None) == (truth.gone_on is None) == (truth.fate == "stays")
        assert (truth.product_on is None) == (truth.product is None)
        assert truth.product is None or truth.fate == "stays"
        assert truth.product_on is None or START <= truth.product_on < START + timedelta(DAYS)


def test_nothing_of_their_own_happens_once_customers_are_gone(
    own: dict[str, list[Event]], truths: dict[str, Truth]
) -> None:
    gone = [truth for truth in truths.values() if truth.gone_on is not None]
    assert gone
    for truth in gone:
        assert truth.gone_on is not None
        assert all(event.occurred_at.date() < truth.gone_on for event in own[truth.customer_id])


def test_who_leaves_abruptly_is_as_busy_as_ever_until_then(
    own: dict[str, list[Event]], truths: dict[str, Truth]
) -> None:
    before, last = 0, 0
    for truth in truths.values():
        if truth.fate == "leaves_abruptly":
            assert truth.turns_on == truth.gone_on
            before += rate(own[truth.customer_id], truth.turns_on, -30, -15)
            last += rate(own[truth.customer_id], truth.turns_on, -15, 0)
    assert last > 0.75 * before > 0


def test_who_drifts_away_does_less_and_less(own: dict[str, list[Event]], truths: dict[str, Truth]) -> None:
    """Counted over those whose 30 first days of fading lie within the simulation."""
    before, after = 0, 0
    for truth in truths.values():
        if truth.fate == "drifts_away" and truth.turns_on and truth.turns_on <= START + timedelta(DAYS - 30):
            before += rate(own[truth.customer_id], truth.turns_on, -30, 0)
            after += rate(own[truth.customer_id], truth.turns_on, 0, 30)
            assert truth.gone_on is not None
            assert 30 <= (truth.gone_on - truth.turns_on).days <= 75
    assert 0.3 * before < after < 0.85 * before


def test_who_stays_is_still_there_at_the_end(own: dict[str, list[Event]], truths: dict[str, Truth]) -> None:
    staying = [truth.customer_id for truth in truths.values() if truth.fate == "stays"]
    end = datetime.combine(START, datetime.min.time(), UTC) + timedelta(DAYS)
    assert all(own[customer][-1].occurred_at > end - timedelta(days=32) for customer in staying)


def test_a_product_shows_from_its_day_on_and_not_before(events: list[Event], truths: dict[str, Truth]) -> None:
    first: dict[tuple[str, str], date] = {}
    for event in sorted(events, key=lambda event: event.occurred_at):
        if event.product is not None:
            first.setdefault((event.customer_id, event.product), event.occurred_at.date())
    for truth in truths.values():
        if truth.product is not None:
            assert first[truth.customer_id, truth.product] == truth.product_on


def test_a_large_credit_comes_a_week_before_savings_are_opened(
    own: dict[str, list[Event]], truths: dict[str, Truth]
) -> None:
    opened = [truth for truth in truths.values() if truth.product == "savings"]
    assert opened
    for truth in opened:
        assert truth.product_on is not None
        on = [event for event in own[truth.customer_id] if event.occurred_at.date() == truth.product_on - timedelta(7)]
        assert any(event.amount_minor > 0 and (event.counterparty or "").startswith("payer") for event in on)


def test_memory_grows_with_customers_and_not_with_days() -> None:
    def peak(days: int) -> int:
        tracemalloc.start()
        for _ in simulate(200, days, SEED):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(5)
    assert peak(160) < 1.5 * peak(40)


def test_every_way_of_living_has_a_share_for_every_kind_that_people_choose() -> None:
    assert MIXES.shape == (6, CHOSEN)
    assert [kind.median > 0 for kind in KINDS] == [place < CHOSEN for place in range(len(KINDS))]


@pytest.mark.parametrize(("customers", "days", "seed"), [(0, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_a_bank_without_customers_days_or_a_seed_is_refused(customers: int, days: int, seed: int) -> None:
    with pytest.raises(ValueError, match=r"at least one customer and one day|non-negative"):
        next(iter(simulate(customers, days, seed)))
    with pytest.raises(ValueError, match=r"at least one customer and one day|non-negative"):
        next(iter(ground_truth(customers, days, seed)))


def test_the_smallest_bank_runs() -> None:
    assert all(event["customer_id"] == "sim-c-0" for event in simulate(1, 1, 0))
    assert [truth.customer_id for truth in ground_truth(1, 1, 0)] == ["sim-c-0"]


def rate(did: list[Event], turn: date | None, first: int, last: int) -> int:
    """Events from the day `first` to the day `last` (left out), counted from the turn."""
    assert turn is not None
    return sum(first <= (event.occurred_at.date() - turn).days < last for event in did)
