"""The state of N partitions becomes that of M: what each partition is to have, also when the move is cut short."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest

from handlers.contact.history import ACCEPTED, CONTROL, SENT, Contact, ContactHistory
from handlers.engine.rules import Rules
from handlers.intake.booking import REPEATED
from handlers.intake.dedup import BLOCK, Arrivals, DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.joining import StoredFilter, joined_filter, joined_time
from handlers.intake.stream_time import OUTAGES, StreamTime
from handlers.offers.counts import Counts, Ledger, divided, made_to, share_of_budget
from learning.simulator import simulate
from schemas.offer import Offer
from schemas.units import DAY_MS, parse_rfc3339
from serving.partitioner import partition_of
from streams.partition.partition import PARTITIONS, Partition
from streams.partition.repartition import Misplaced, Move, counts_of, moves_of, plan_of
from streams.store.memory_store import MemoryStore
from streams.store.port import Changes, Fenced, Position
from tests.partitions import claimed
from tests.unit.test_partition import record

SAVINGS = Offer("savings", "Savings account", "Put some of it aside?", 5_000, ["salary", "large_credit"], [], 30, 14)
SIMULATED = sorted(simulate(customers=100, days=40, seed=5), key=lambda event: str(event["occurred_at"]))
"""None late, and many customers: a day on which nobody of a partition comes is an outage of its feed."""


class Cut(Exception):
    """Stands for a kill."""


class CutStore(MemoryStore):
    """Can be cut short at any write: before it, or just after it."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1 << 30
        self.before = True
        self.writes = 0

    def commit(self, partition: int, at: Position, offset: int, clock: int, changes: Changes) -> Position:
        self._written(True)
        done = super().commit(partition, at, offset, clock, changes)
        self._written(False)
        return done

    def forget(self, partition: int, customers: Sequence[str]) -> None:
        self._written(True)
        super().forget(partition, customers)
        self._written(False)

    def _written(self, before: bool) -> None:
        if before:
            self.writes += 1
            self.left -= 1
        if self.left == 0 and before == self.before:
            raise Cut


def opened(store: MemoryStore, number: int, partitions: int) -> Partition:
    partition = claimed(store, Rules((SAVINGS,), partitions=partitions), number)
    partition.partitions = partitions
    return partition


def folded(store: MemoryStore, events: Sequence[dict[str, Any]], partitions: int) -> list[str]:
    """Sends events to their partitions, from where the store stands, and a heartbeat to each, by which all have the
    same stream time. Ids of the alerts that are raised."""
    raised, last = [], max(parse_rfc3339(str(event["occurred_at"])) for event in events)
    for number in range(partitions):
        partition = opened(store, number, partitions)
        first = partition.position.offset
        its = [event for event in events if partition_of(str(event["customer_id"]), partitions) == number]
        records = [record(first + at, event) for at, event in enumerate(its)]
        records.append(Record(first + len(its), last, None, None, last))
        for at in range(0, len(records), 100):
            raised += [alert.alert_id for alert in partition.process(records[at : at + 100], None).alerts]
    return raised


def move(store: MemoryStore, made_with: int, partitions: int) -> None:
    """As `tracker repartition` does it in the store."""
    plan = plan_of(store)
    noted = [number for number, its in counts_of(store, partitions).items() if its == partitions]
    if plan is None and noted:
        return
    done = Move(store, made_with, {number: store.claim(number) for number in range(partitions)}, partition_of)
    if plan is None or not plan.parts:
        if plan is None:
            done.check()
        done.begin()
        done.copy()
        plan = plan_of(store)
    assert plan is not None
    if not noted:
        done.apply(plan)
    done.finish(noted)


def everything(store: MemoryStore, partitions: int) -> object:
    return [
        (
            (position := store.read(number)) and position._replace(epoch=0, version=0),
            sorted((name, store.load(number, [name])[0]) for name in store.customers(number)),
            store.load(number, ["\0ledger", "\0time", PARTITIONS]),
            list(store.all_due(number)),
            position and store.seen(number, range(position.oldest, position.events // BLOCK + 1)),
        )
        for number in range(partitions)
    ]


@pytest.mark.parametrize(("made_with", "partitions"), [(1, 2), (1, 3), (2, 3), (4, 6)])
def test_it_goes_on_as_if_there_had_been_so_many_partitions_from_the_start(made_with: int, partitions: int) -> None:
    half = len(SIMULATED) // 2
    grown, always = MemoryStore(), MemoryStore()
    raised = folded(grown, SIMULATED[:half], made_with), folded(always, SIMULATED[:half], partitions)
    assert sorted(raised[0]) == sorted(raised[1])
    move(grown, made_with, partitions)
    again = SIMULATED[half - 200 : half]  # which must be known
    raised = folded(grown, again + SIMULATED[half:], partitions), folded(always, again + SIMULATED[half:], partitions)
    assert sorted(raised[0]) == sorted(raised[1])
    assert len(raised[0]) > 5
    for number in range(partitions):
        names = sorted(always.customers(number))
        assert sorted(grown.customers(number)) == names
        assert grown.load(number, names) == always.load(number, names)
        assert list(grown.all_due(number)) == list(always.all_due(number))


def test_cut_short_at_any_write_and_begun_again_it_comes_to_the_same() -> None:
    whole = CutStore()
    folded(whole, SIMULATED, 2)
    folded_writes = whole.writes
    move(whole, 2, 3)
    wanted, writes = everything(whole, 3), whole.writes - folded_writes
    assert writes > 15
    for before in (True, False):
        for left in range(1, writes + 1):
            store = CutStore()
            folded(store, SIMULATED, 2)
            store.left, store.before = left, before
            with pytest.raises(Cut):
                move(store, 2, 3)
            move(store, 2, 3)
            assert everything(store, 3) == wanted, (left, before)
            assert plan_of(store) is None
            assert len(moves_of(store)) == 1


def test_until_it_is_done_every_partition_but_those_that_are_says_another_number() -> None:
    """So no worker begins in the middle: each looks at what its partition says, or any other where it says nothing."""
    for left in count(1):
        store = CutStore()
        folded(store, SIMULATED[:500], 1)
        store.left = left
        try:
            move(store, 1, 3)
        except Cut:
            partitions = [opened(store, number, 3) for number in range(3)]
            noted = counts_of(store, 3)
            assert {p.number for p in partitions if p.made_with() == 3} == {n for n, its in noted.items() if its == 3}
            assert all(p.made_with() == noted.get(p.number, 1 if 1 in noted.values() else 3) for p in partitions)
            assert noted.get(0) != 3 or len(noted) == 3
        else:
            return


def test_a_worker_that_claims_a_partition_meanwhile_stops_it() -> None:
    store = MemoryStore()
    folded(store, SIMULATED[:500], 1)
    done = Move(store, 1, {number: store.claim(number) for number in range(2)}, partition_of)
    done.begin()
    store.claim(1)
    with pytest.raises(Fenced):
        done.copy()


def test_customers_where_the_partitioner_does_not_send_them_are_named_by_number() -> None:
    store = MemoryStore()
    folded(store, SIMULATED[:500], 2)
    stray = next(name for name in (f"x{n}" for n in count()) if partition_of(name, 2) == 1)
    store.commit(0, store.claim(0), 1, 0, Changes({stray: store.load(0, store.customers(0)[:1])[0] or b""}))
    done = Move(store, 2, {number: store.claim(number) for number in range(4)}, partition_of)
    with pytest.raises(Misplaced, match=r"1 customers \(1 of them in partition 0\)"):
        done.check()


def known(hashes: Iterable[int], oldest: int = 0) -> StoredFilter:
    """A filter that has seen these, the first of them in segment `oldest`."""
    pairs = np.array([(key, 0) for key in hashes], np.int64).reshape(-1, 2)
    whole = len(pairs) // BLOCK
    segments = {
        oldest + n: pairs[n * BLOCK : (n + 1) * BLOCK].tobytes() + np.int64(1_000 + n).tobytes() for n in range(whole)
    }
    segments[oldest + whole] = pairs[whole * BLOCK :].tobytes()
    return StoredFilter(oldest * BLOCK + len(pairs), oldest, segments, 2_000)


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ((3, 0), [(5, 0)]),
        ((0, 0), [(BLOCK + 5, 2)]),
        ((0, 0), [(5, 0), (BLOCK, 0), (2, 0)]),
        ((3, 0), [(5, 4)]),
        ((BLOCK + 3, 1), [(BLOCK + 5, 4), (BLOCK - 2, 0)]),
        ((3, 0), [(BLOCK - 3, 0)]),
    ],
)
def test_a_joined_filter_remembers_what_all_do_and_nothing_before_it_is_told_to(
    own: tuple[int, int], others: list[tuple[int, int]]
) -> None:
    filters, first = [], 1
    for places, oldest in (own, *others):
        filters.append(known(range(first, first + places), oldest))
        first += places
    joined = joined_filter(filters[0], filters[1:])
    segments = {number: bytearray(data) for number, data in filters[0].segments.items()}
    for piece in joined.pieces:
        held = segments.setdefault(piece.segment, bytearray())
        assert len(held) >= piece.start
        held[piece.start : piece.start + len(piece.data)] = piece.data
    for filter_, there, seen in (
        (DuplicateFilter(filters[0].events, filters[0].oldest, segments), 1, own[0]),  # type: ignore[arg-type]
        (DuplicateFilter(joined.events, joined.oldest, segments), 2, first - 1),  # type: ignore[arg-type]
    ):
        assert remembered(filter_, range(1, first + 5)) == seen, there
    complete = own[1] == 0 and all(oldest == 0 for _, oldest in others)
    assert (joined.oldest == 0) == complete


def remembered(found: DuplicateFilter, hashes: range) -> int:
    keys = np.array(hashes, np.int64)
    _, verdicts, _ = found.sift(Arrivals.simple(keys, np.full(len(keys), 3_000, np.int64)), StreamTime(2_000))
    return int(np.count_nonzero(verdicts == REPEATED))


def test_time_is_that_of_the_slowest_and_outages_are_those_of_all() -> None:
    times = []
    for clock, outages in ((50, [(30, 40), (1, 5)]), (60, [(35, 45)]), (0, [])):
        time = StreamTime(clock * DAY_MS)
        for place, (start, end) in enumerate(outages):
            time.state[OUTAGES + 2 * place : OUTAGES + 2 * place + 2] = start * DAY_MS, end * DAY_MS
        times.append((clock * DAY_MS, time.take()))
    clock, stored = joined_time(times)
    found = StreamTime(clock, stored)
    assert found.clock == 50 * DAY_MS
    assert (found.outages[:6] // DAY_MS).tolist() == [30, 45, 1, 5, 0, 0]
    assert joined_time(times[:1]) == times[0]
    assert joined_time([(0, None)]) == (0, b"")


def contact(segment: int, mode: int, answer: int) -> Contact:
    return Contact(b"", "card", "Card", 0, 0, 7, 0, mode, segment, answer)


def test_a_ledger_is_divided_by_who_goes_where_and_what_is_left_of_a_budget_stays() -> None:
    ledger = Ledger(None)
    ledger._offers["card"] = Counts(8, {11: (6, 2), 12: (2, 0)}, (4, 1), 99)
    counted: list[dict[str, Counts]] = [{}, {}]
    mine = ContactHistory([contact(11, SENT, ACCEPTED), contact(11, SENT, 0), contact(12, CONTROL, 0)])
    made_to(mine, counted[1])
    found = [Ledger(row).of("card") for row in divided([ledger.encoded(), None], counted)]
    assert sum(each.spent for each in found) == 8
    assert [each.touched_at for each in found] == [99, 99]
    cells = [each.cells.get(11, (0, 0)) for each in found]
    assert sorted(cells) in ([(2, 0), (4, 2)], [(2, 1), (4, 1)])
    assert cells[1][0] == 4
    assert cells[1][1] >= 1
    assert tuple(map(sum, zip(*(each.control for each in found), strict=True))) == (4, 1)
    offer = Offer("card", "Card", "?", 1, budget=13)
    left = [(share_of_budget(offer, 2, place) or 0) - each.spent for place, each in enumerate(found)]
    assert sum(left) == 13 - 8
    assert min(left) >= 0


def test_where_nothing_was_offered_there_is_no_ledger() -> None:
    assert divided([None, b""], [{}, {}]) == [b"", b""]
