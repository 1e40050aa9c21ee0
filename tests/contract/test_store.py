"""What every Store does: in memory, on the embedded Valkey, on a real redis-server."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from handlers.intake.dedup import DuplicateChanges, Piece
from handlers.state.row_table import LEDGER
from streams.store.memory_store import MemoryStore
from streams.store.port import FIELDS, NONE_READ, Changes, Fenced, Moved, Offsets, Outgoing, Position, Store
from tests.contract.conftest import KINDS
from tests.live import until

Owner = Callable[[], Store]


def outgoing(text: str) -> Outgoing:
    return Outgoing("customer-alerts", text.encode(), b"{}", [("ce_id", text.encode())])


def test_a_partition_never_claimed_stands_nowhere_and_holds_nothing(store: Store, partition: int) -> None:
    assert store.read(partition) is None
    assert store.next_due(partition) is None
    assert store.due(partition, 10**13, 10) == []
    assert store.outbox(partition, 0, 10) == []
    assert store.depths(partition) == (0, 0)
    assert store.customers(partition) == []


def test_the_first_claim_starts_at_the_beginning(store: Store, partition: int) -> None:
    assert store.claim(partition) == Position(1, 0, 0, 0, 0, 0, 0)
    assert store.read(partition) == Position(1, 0, 0, 0, 0, 0, 0)


def test_a_claim_finds_what_the_owner_before_committed(owner: Owner, partition: int) -> None:
    first, second = owner(), owner()
    at = first.claim(partition)
    at = first.commit(partition, at, 7, 1_700_000_000_123, Changes(outbox=[outgoing("a"), outgoing("b")]))
    assert at == Position(1, 1, 7, 2, 1_700_000_000_123, 0, 0)
    assert first.read(partition) == at
    assert second.claim(partition) == Position(2, 1, 7, 2, 1_700_000_000_123, 0, 0)


def test_partitions_are_apart(store: Store, partition: int) -> None:
    other = 1_000_000 + partition
    at = store.claim(partition)
    store.commit(partition, at, 3, 5, Changes({"c": b"row"}, {"c": 9}, [outgoing("a")]))
    assert store.read(other) is None
    assert store.load(other, ["c"]) == [None]
    assert store.customers(other) == []
    assert store.depths(other) == (0, 0)


def test_rows_come_back_in_the_order_asked_whatever_their_bytes(store: Store, partition: int) -> None:
    rows = {"": b"", "*[x]?{1}:\\": bytes(range(256)), "çédille 客户": b"\r\n$3\r\n", "c" * 64: b"x" * 100_000}
    store.commit(partition, store.claim(partition), 1, 0, Changes(rows))
    asked = [*reversed(rows), "nobody", "c" * 200, *rows, ""]
    assert store.load(partition, asked) == [rows.get(customer) for customer in asked]
    assert store.load(partition, []) == []
    assert sorted(store.customers(partition)) == sorted(rows)


def test_rows_of_several_partitions_come_at_once_commits_still_unanswered_among_them(
    store: Store, partition: int
) -> None:
    other = 2_000_000 + partition
    store.send(other, store.claim(other), 1, 0, Changes({"c": b"theirs"}))
    at = store.send(partition, store.claim(partition), 1, 0, Changes({"c": b"1"}))
    store.send(partition, at, 2, 0, Changes({"c": b"2"}))
    found = store.load_all([(partition, ["d", "c"]), (other, []), (other, ["c"]), (partition, ["c"])])
    assert found == [[None, b"2"], [], [b"theirs"], [b"2"]]
    for _ in range(3):
        store.answered()


def test_rows_asked_for_ahead_are_those_between_the_commits_before_and_after(store: Store, partition: int) -> None:
    other = 2_000_000 + partition
    assert store.ahead() == []
    at = store.send(partition, store.claim(partition), 1, 0, Changes({"c": b"1"}))
    store.ask_ahead([(partition, ["d", "c"]), (other, []), (other, ["c"])])
    at = store.send(partition, at, 2, 0, Changes({"c": b"2"}))
    store.answered()
    assert store.load(partition, ["c"]) == [b"2"]
    assert store.ahead() == [[None, b"1"], [], [None]]
    store.answered()
    assert store.ahead() == []
    store.ask_ahead([(partition, ["c"])])
    store.ask_ahead([])
    store.send(partition, at, 3, 0, Changes())
    store.flush()
    until(store.has_answer)
    store.answered()
    assert store.ahead() == []


def test_an_answer_is_there_when_it_has_come_and_not_before_anything_was_sent(store: Store, partition: int) -> None:
    assert not store.has_answer()
    at = store.send(partition, store.claim(partition), 1, 0, Changes({"c": b"1"}))
    store.send(partition, at, 2, 0, Changes({"c": b"2"}))
    store.flush()
    for _ in range(2):
        until(store.has_answer)
        store.answered()
    assert not store.has_answer()
    store.send(partition, at, 2, 0, Changes({"c": b"3"}))  # what was refused is an answer too
    store.flush()
    until(store.has_answer)
    with pytest.raises(Moved):
        store.answered()


def test_a_sample_is_of_customers_each_once(store: Store, partition: int) -> None:
    rows = {f"c{number}": b"row %d" % number for number in range(500)}
    store.commit(partition, store.claim(partition), 1, 0, Changes({**rows, LEDGER: b"ledger"}))
    some = store.sample(partition, 60)
    assert len(set(some)) == len(some) == 60
    assert set(some) < set(rows.values())
    assert sorted(store.sample(partition, 1_000)) == sorted(rows.values())


def test_a_row_is_replaced_by_the_next_commit(store: Store, partition: int) -> None:
    at = store.commit(partition, store.claim(partition), 1, 0, Changes({"c": b"1", "d": b"1"}))
    store.commit(partition, at, 2, 0, Changes({"c": b"2"}))
    assert store.load(partition, ["c", "d"]) == [b"2", b"1"]


def test_who_is_due_comes_by_time_then_by_customer(store: Store, partition: int) -> None:
    due: dict[str, int | None] = {"é": 5, "b": 5, "a": 5, "late": 2_000_000_000_001, "first": -3, "z": 0}
    at = store.commit(partition, store.claim(partition), 1, 0, Changes(due=due))
    assert store.due(partition, 5, 10) == [("first", -3), ("z", 0), ("a", 5), ("b", 5), ("é", 5)]
    assert store.due(partition, 5, 3) == [("first", -3), ("z", 0), ("a", 5)]
    assert store.due(partition, 4, 10) == [("first", -3), ("z", 0)]
    assert store.due(partition, 5, 0) == []
    assert store.next_due(partition) == -3
    assert store.depths(partition) == (6, 0)
    store.commit(partition, at, 1, 0, Changes(due={"first": None, "z": 6, "never": None, "a": 5}))
    assert store.due(partition, 10**13, 10) == [("a", 5), ("b", 5), ("é", 5), ("z", 6), ("late", 2_000_000_000_001)]
    assert store.next_due(partition) == 5


def test_outbox_entries_are_numbered_on_over_commits(store: Store, partition: int) -> None:
    at = store.claim(partition)
    entries = [Outgoing("t", None, None, []), Outgoing("é", b"", b"\x00\xff", [("h", b"1"), ("h", b"")]), outgoing("c")]
    at = store.commit(partition, at, 1, 0, Changes(outbox=entries[:2]))
    at = store.commit(partition, at, 1, 0, Changes())
    store.commit(partition, at, 2, 0, Changes(outbox=entries[2:]))
    assert store.outbox(partition, 0, 10) == [(1, entries[0]), (2, entries[1]), (3, entries[2])]
    assert store.outbox(partition, 1, 1) == [(2, entries[1])]
    assert store.outbox(partition, 3, 10) == []
    assert store.outbox(partition, 0, 0) == []
    assert store.depths(partition) == (0, 3)


def test_published_entries_leave_the_outbox_with_the_next_commit(store: Store, partition: int) -> None:
    at = store.claim(partition)
    at = store.commit(partition, at, 1, 0, Changes(outbox=[outgoing(str(n)) for n in range(1, 13)]))
    at = store.commit(partition, at, 1, 0, Changes(published=9))
    assert [n for n, _ in store.outbox(partition, 0, 99)] == [10, 11, 12]
    at = store.commit(partition, at, 2, 0, Changes(outbox=[outgoing("13")], published=12))
    assert store.outbox(partition, 0, 99) == [(13, outgoing("13"))]
    at = store.commit(partition, at, 2, 0, Changes(published=13))
    assert store.depths(partition) == (0, 0)
    at = store.commit(partition, at, 3, 0, Changes(outbox=[outgoing("14")]))
    assert store.outbox(partition, 0, 99) == [(14, outgoing("14"))]


def test_what_was_published_before_a_failover_is_not_kept_when_it_is_made_again(store: Store, partition: int) -> None:
    at = store.claim(partition)
    store.commit(partition, at, 1, 0, Changes(outbox=[outgoing("1"), outgoing("2"), outgoing("3")], published=2))
    assert store.outbox(partition, 0, 99) == [(3, outgoing("3"))]


def test_outbox_numbers_go_on_after_those_that_were_given_before_the_store_went_back(
    store: Store, partition: int
) -> None:
    at = store.commit(partition, store.claim(partition), 1, 0, Changes(outbox=[outgoing("1")]))
    at = store.commit(partition, at, 2, 0, Changes(outbox=[outgoing("8"), outgoing("9")], sequence_min=7))
    assert store.outbox(partition, 0, 99) == [(1, outgoing("1")), (8, outgoing("8")), (9, outgoing("9"))]
    assert (at.sequence, store.read(partition)) == (9, at)
    at = store.commit(partition, at, 2, 0, Changes(sequence_min=20))
    assert (at.sequence, store.read(partition)) == (20, at)
    at = store.commit(partition, at, 3, 0, Changes(outbox=[outgoing("21")], sequence_min=7))
    assert store.outbox(partition, 9, 99) == [(21, outgoing("21"))]
    assert store.claim(partition).sequence == 21


WRITES = Changes({"c": b"new", "d": b"new"}, {"c": 99, "e": None}, [outgoing("new")], 1)


def seeded(store: Store, partition: int) -> Position:
    changes = Changes({"c": b"old"}, {"c": 1, "e": 2}, [outgoing("1"), outgoing("2")])
    return store.commit(partition, store.claim(partition), 10, 20, changes)


def everything(store: Store, partition: int) -> object:
    return (
        store.load(partition, ["c", "d"]),
        store.due(partition, 10**13, 99),
        store.outbox(partition, 0, 99),
        store.read(partition),
    )


def test_an_owner_that_was_overtaken_is_fenced_and_writes_nothing(owner: Owner, partition: int) -> None:
    old, new = owner(), owner()
    at = seeded(old, partition)
    new.claim(partition)
    before = everything(new, partition)
    with pytest.raises(Fenced):
        old.commit(partition, at, 11, 21, WRITES)
    assert everything(new, partition) == before


def test_an_owner_that_has_been_fenced_may_claim_again(owner: Owner, partition: int) -> None:
    old, new = owner(), owner()
    at = seeded(old, partition)
    overtaken = new.claim(partition)
    assert old.commit(partition, old.claim(partition), 11, 21, WRITES) == Position(3, 2, 11, 3, 21, 0, 0)
    for epoch in (at, overtaken):
        with pytest.raises(Fenced):
            new.commit(partition, epoch, 12, 22, WRITES)


def test_a_commit_made_twice_moves_once(store: Store, partition: int) -> None:
    at = seeded(store, partition)
    store.commit(partition, at, 11, 21, WRITES)
    before = everything(store, partition)
    with pytest.raises(Moved):
        store.commit(partition, at, 11, 21, WRITES)
    assert everything(store, partition) == before


def nudged(at: Position, field: str, by: int) -> Position:
    """The position with another number in one of its stored fields."""
    numbers = at.numbers
    numbers[FIELDS.index(field)] = max(0, numbers[FIELDS.index(field)] + by)
    return Position.of(numbers)


@pytest.mark.parametrize("field", FIELDS)
def test_a_position_that_differs_from_the_stored_one_anywhere_has_moved(
    store: Store, partition: int, field: str
) -> None:
    at = seeded(store, partition)
    before = everything(store, partition)
    with pytest.raises(Moved):
        store.commit(partition, nudged(at, field, 1), 11, 21, WRITES)
    assert everything(store, partition) == before


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_partition_that_was_lost_altogether_has_moved(store: Store, partition: int, epoch: int) -> None:
    with pytest.raises(Moved):
        store.commit(partition, Position(epoch, 0, 0, 0, 0, 0, 0), 11, 21, WRITES)
    assert store.read(partition) is None
    assert store.load(partition, ["c"]) == [None]


def test_positions_are_exact_up_to_the_largest_64_bit_number(store: Store, partition: int) -> None:
    top = 2**63 - 1
    at = store.commit(partition, store.claim(partition), top, top - 1, Changes())
    at = store.commit(partition, at, top - 2, top, Changes())
    assert store.read(partition) == at == Position(1, 2, top - 2, 0, top, 0, 0)


def test_event_ids_are_remembered_and_forgotten_with_the_commit(store: Store, partition: int) -> None:
    at = store.claim(partition)
    assert store.seen(partition, [0, 1]) == {}
    at = store.commit(partition, at, 1, 0, Changes(seen=DuplicateChanges(2, [Piece(0, 0, b"a" * 16)])))
    assert (at.events, at.oldest) == (2, 0)
    pieces = [Piece(0, 16, b"b" * 8), Piece(1, 0, b"c" * 8)]
    at = store.commit(partition, at, 2, 0, Changes(seen=DuplicateChanges(2, pieces)))
    assert store.read(partition) == at
    assert store.seen(partition, [0, 1, 2]) == {0: b"a" * 16 + b"b" * 8, 1: b"c" * 8}
    with pytest.raises(Moved):
        store.commit(
            partition, at._replace(events=3), 3, 0, Changes(seen=DuplicateChanges(1, [Piece(1, 8, b"d" * 8)], [0]))
        )
    assert store.seen(partition, [0, 1]) == {0: b"a" * 16 + b"b" * 8, 1: b"c" * 8}
    at = store.commit(partition, at, 3, 0, Changes(seen=DuplicateChanges(forgotten=[0])))
    assert (at.events, at.oldest) == (4, 1)
    assert store.seen(partition, [0, 1]) == {1: b"c" * 8}


def test_the_topics_beside_move_on_with_the_commit_and_stay_where_nothing_came(owner: Owner, partition: int) -> None:
    old, new = owner(), owner()
    at = old.commit(partition, old.claim(partition), 7, 0, Changes(beside=Offsets(0, 3, 2)[1:]))
    assert at.offsets == Offsets(7, 3, 2)
    at = old.commit(partition, at, 8, 0, Changes())
    at = old.commit(partition, at, 8, 0, Changes(beside=Offsets(0, 0, 5)[1:]))
    assert old.read(partition) == at
    assert new.claim(partition).offsets == Offsets(8, 3, 5)
    with pytest.raises(Fenced):
        old.commit(partition, at, 8, 0, Changes(beside=Offsets(0, 4, 0)[1:]))
    assert new.claim(partition).offsets == Offsets(8, 3, 5)


def test_commits_that_are_sent_are_answered_in_their_order_whatever_is_asked_meanwhile(
    owner: Owner, partition: int
) -> None:
    store, other = owner(), owner()
    at = first = store.claim(partition)
    for number in range(1, 4):
        at = store.send(partition, at, number, 0, Changes({"c": b"%d" % number}))
    assert store.load(partition, ["c"]) == [b"3"]
    at = store.commit(partition, at, 4, 0, Changes({"c": b"4"}))
    for _ in range(3):
        store.answered()
    assert store.read(partition) == at

    store.send(partition, first, 9, 0, Changes({"c": b"9"}))
    later = store.send(partition, at, 5, 0, Changes({"c": b"5"}))
    store.flush()
    other.claim(partition)
    store.send(partition, later, 6, 0, Changes({"c": b"6"}))
    with pytest.raises(Moved):
        store.answered()
    store.answered()
    with pytest.raises(Fenced):
        store.answered()
    assert store.load(partition, ["c"]) == [b"5"]


def test_a_commit_may_be_large(store: Store, partition: int) -> None:
    names = [f"c{n:05}" for n in range(20_000)]
    at = store.claim(partition)
    rows = {name: name.encode() for name in names}
    at = store.commit(partition, at, 1, 0, Changes(rows, dict(zip(names, range(20_000), strict=True))))
    assert store.load(partition, names) == [name.encode() for name in names]
    assert store.due(partition, 19_999, 10**6) == list(zip(names, range(20_000), strict=True))
    assert sorted(store.customers(partition)) == names
    store.commit(partition, at, 1, 0, Changes(due=dict.fromkeys(names[1:])))
    assert store.due(partition, 19_999, 10**6) == [(names[0], 0)]


def test_all_who_are_due_come_in_their_order_however_many(store: Store, partition: int) -> None:
    assert list(store.all_due(partition)) == []
    due = {f"c{n:04}": n for n in range(2_001)}
    store.commit(partition, store.claim(partition), 1, 0, Changes(due=due))
    assert list(store.all_due(partition)) == list(due.items())


def test_who_is_forgotten_has_no_row_and_no_due_time_and_others_keep_theirs(store: Store, partition: int) -> None:
    names = [f"c{n:04}" for n in range(2_500)]
    due = dict.fromkeys(names, 7)
    store.commit(partition, at := store.claim(partition), 1, 0, Changes(dict.fromkeys(names, b"row"), due))
    for _ in range(2):  # a second time nothing is left to do
        store.forget(partition, [*names[:2_400], "nobody"])
        assert sorted(store.customers(partition)) == names[2_400:]
        assert [name for name, _ in store.all_due(partition)] == names[2_400:]
    found = store.read(partition)
    assert found is not None
    assert found.version == at.version + 1


CUSTOMERS = ["a", "b", "c", "ö"]
SEGMENTS = range(4)
NOBODY = Position(1, 0, 0, 0, 0, 0, 0)
"""What somebody may believe who has never claimed."""

histories = count(10_000)
"""A partition for each history."""

few = st.integers(0, 12)


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """Every kind of change, but for event ids."""
    return Changes(
        draw(st.dictionaries(st.sampled_from([*CUSTOMERS, LEDGER]), st.binary(max_size=8))),
        draw(st.dictionaries(st.sampled_from(CUSTOMERS), st.none() | st.integers(-5, 5))),
        [outgoing(text) for text in draw(st.lists(st.text(max_size=3), max_size=3))],
        draw(st.just(0) | few),
        draw(st.just(0) | few),
        beside=tuple(draw(st.just(0) | few) for _ in NONE_READ),
    )


class History(RuleBasedStateMachine):
    """Two owners of two partitions, and the same done to a MemoryStore. While one of them has asked for commits and not
    heard of them nothing is asked by the other, for in what order Redis would do that nobody can say."""

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._stores = [owner(), owner()]
        self._model = MemoryStore()
        self._numbers = [next(histories), next(histories)]
        self._held: dict[tuple[int, int], Position] = {}
        self._who = 0
        self._waiting = 0
        """Commits that were sent and not asked about."""
        for place in (0, 1):  # by the first claim Redis gets the functions
            self.ownerships(place)

    @property
    def _store(self) -> Store:
        return self._stores[self._who]

    def _believed(self, number: int) -> Position:
        return self._held.get((self._who, number), NOBODY)

    @rule()
    def another_owner(self) -> None:
        while self._waiting:
            self.is_answered()
        self.has_the_rows_asked_for_ahead()
        self._who = 1 - self._who

    @rule(place=st.integers(0, 1))
    def ownerships(self, place: int) -> None:
        number = self._numbers[place]
        found = self._store.claim(number)
        assert found == self._model.claim(number)
        self._held[self._who, number] = found

    @rule(place=st.integers(0, 1), changed=changes(), offset=few, clock=st.integers(-3, 2**62), data=st.data())
    def commits(self, place: int, changed: Changes, offset: int, clock: int, data: st.DataObject) -> None:
        number = self._numbers[place]
        changed.seen = self._seen(number, data)
        at = self._believed(number)
        told = [said(store.commit, number, at, offset, clock, changed) for store in (self._store, self._model)]
        assert told[0] == told[1]
        if isinstance(told[0], Position):
            self._held[self._who, number] = told[0]

    @rule(
        place=st.integers(0, 1),
        field=st.sampled_from(FIELDS),
        by=st.sampled_from([-1, 1]),
        changed=changes(),
    )
    def commits_from_elsewhere(self, place: int, field: str, by: int, changed: Changes) -> None:
        number = self._numbers[place]
        at = self._believed(number)
        at = nudged(at, field, by)
        told = [said(store.commit, number, at, 1, 1, changed) for store in (self._store, self._model)]
        assert told[0] == told[1]
        if isinstance(told[0], Position):
            self._held[self._who, number] = told[0]

    @rule(place=st.integers(0, 1), changed=changes(), offset=few, data=st.data())
    def sends(self, place: int, changed: Changes, offset: int, data: st.DataObject) -> None:
        number = self._numbers[place]
        changed.seen = self._seen(number, data)
        at = self._believed(number)
        found = self._store.send(number, at, offset, 7, changed)
        assert found == self._model.send(number, at, offset, 7, changed)
        self._held[self._who, number] = found
        self._waiting += 1

    @precondition(lambda self: self._waiting)
    @rule(flushed=st.booleans())
    def is_answered(self, flushed: bool = True) -> None:
        if flushed:
            self._store.flush()
            until(self._store.has_answer)
        told = [said(store.answered) for store in (self._store, self._model)]
        assert told[0] == told[1]
        self._waiting -= 1
        assert self._waiting or not self._store.has_answer()

    @rule(asked=st.lists(st.tuples(st.integers(0, 1), st.lists(st.sampled_from(CUSTOMERS), max_size=3)), max_size=3))
    def asks_ahead(self, asked: list[tuple[int, list[str]]]) -> None:
        wanted = [(self._numbers[place], customers) for place, customers in asked]
        for store in (self._store, self._model):
            store.ask_ahead(wanted)

    @rule()
    def has_the_rows_asked_for_ahead(self) -> None:
        assert self._store.ahead() == self._model.ahead()

    @rule(asked=st.lists(st.tuples(st.integers(0, 1), st.lists(st.sampled_from(CUSTOMERS), max_size=3)), max_size=3))
    def loads(self, asked: list[tuple[int, list[str]]]) -> None:
        wanted = [(self._numbers[place], customers) for place, customers in asked]
        assert self._store.load_all(wanted) == self._model.load_all(wanted)

    @rule(place=st.integers(0, 1), customers=st.lists(st.sampled_from(CUSTOMERS), max_size=3))
    def forgets(self, place: int, customers: list[str]) -> None:
        for store in (self._store, self._model):
            store.forget(self._numbers[place], customers)

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        for number in self._numbers:
            assert seen_of(self._store, number) == seen_of(self._model, number)

    def _seen(self, number: int, data: st.DataObject) -> DuplicateChanges:
        """Event ids follow each other in their segments, one commit's those of the one before."""
        held = self._model.seen(number, SEGMENTS)
        pieces = []
        for segment in data.draw(st.lists(st.sampled_from(SEGMENTS), max_size=2, unique=True)):
            start = data.draw(st.integers(0, len(held.get(segment, b""))))
            pieces.append(Piece(segment, start, data.draw(st.binary(min_size=1, max_size=16))))
        forgotten = data.draw(st.lists(st.sampled_from(SEGMENTS), max_size=2, unique=True))
        return DuplicateChanges(data.draw(few), pieces, forgotten)


def said(ask: Callable[..., object], *arguments: object) -> object:
    """The answer, or the kind of refusal."""
    try:
        return ask(*arguments)
    except (Fenced, Moved) as error:
        return type(error)


def seen_of(store: Store, number: int) -> object:
    """Everything that a reader can see of a partition."""
    return (
        store.read(number),
        store.load(number, [*CUSTOMERS, LEDGER, "nobody"]),
        sorted(store.customers(number)),
        sorted(store.sample(number, 99)),
        [store.due(number, until, limit) for until, limit in ((10**13, 99), (0, 2))],
        store.next_due(number),
        list(store.all_due(number)),
        [store.outbox(number, after, limit) for after, limit in ((0, 99), (3, 2))],
        store.depths(number),
        store.seen(number, SEGMENTS),
    )


@pytest.mark.parametrize("owner", [kind for kind in KINDS if kind != "memory"], indirect=True)
def test_any_history_of_two_owners_reads_as_it_does_in_memory(owner: Owner) -> None:
    limits = settings(max_examples=20, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(lambda: History(owner), settings=limits)
