"""What is booked of refunds, own transfers, pending transactions and reversals, by figures computed by hand."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.engine.step_input import partition_input
from handlers.intake import dedup
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import EventBatch, Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.profile.customer import profile
from handlers.profile.upgrade import current
from tests.bank import booked, day, offer, offered
from tests.fast import PUBLISHED_AT, TOPIC, Fast

Figures = tuple[Any, ...]


class Bank:
    """One partition with rates that change, which takes what is refused for what it is."""

    def __init__(self) -> None:
        self.seen, self.time, self.engine = DuplicateFilter(), StreamTime(), Engine(TOPIC)
        self.row, self.refused, self.early = b"", [], 0

    def feed(self, stream: Sequence[dict[str, Any]], rates: dict[str, str] | None = None) -> "Bank":
        intake = TransactionIntake(TOPIC, "EUR", {code: Decimal(rate) for code, rate in (rates or {}).items()})
        records = [Record(n, PUBLISHED_AT, b"ann", msgspec.json.encode(one)) for n, one in enumerate(stream)]
        batch: EventBatch = intake.batch(0, records, self.time, self.seen)
        self.refused += [(letter.field, letter.reason) for letter in batch.dead_letters]
        self.early += batch.early_reversals
        stored = {"ann": current(self.row)} if self.row else {}
        self.row = self.engine.step(partition_input(0, batch, stored), Rules()).rows.get("ann", self.row)
        return self

    def figures(self, *names: str, on: float = 50) -> Figures:
        found = profile(self.row, day(on))
        return tuple(found[name] for name in names or ("count_life", "in_life", "out_life"))


def paid(on: float = 1, amount: int = -10_000, kind: str = "card_payment", **more: Any) -> dict[str, Any]:
    return booked(on, amount, kind) | {"event_id": "paid"} | more


def undone(of: str, when: float, amount: int, on: float, event_id: str = "back", **more: Any) -> dict[str, Any]:
    named = {"event_id": of, "occurred_at": day(when)}
    return booked(on, amount, "card_payment") | {"event_id": event_id, "reversal_of": named} | more


THIRTY, TWENTY = undone("paid", 1, 3_000, 3, "r1"), undone("paid", 1, 2_000, 4, "r2")
WHOLE = undone("paid", 1, 10_000, 3, "r1")
AGAIN = undone("r1", 3, -10_000, 9, "r2")
REFUSED = ("amount_minor", "wrong_original")


@pytest.mark.parametrize(
    ("stream", "figures", "refused"),
    [
        ([paid(), WHOLE], (0, 0, 0), []),
        ([paid(), THIRTY, TWENTY], (1, 0, 5_000), []),
        ([paid(), THIRTY, undone("paid", 1, 7_000, 5, "r3")], (0, 0, 0), []),
        ([paid(), THIRTY, undone("paid", 1, 7_001, 5, "r3")], (1, 0, 7_000), [REFUSED]),
        ([paid(), WHOLE, undone("paid", 1, 10_000, 4, "r9")], (0, 0, 0), [REFUSED]),
        ([paid(), undone("paid", 1, -10_000, 3)], (1, 0, 10_000), [REFUSED]),
        ([paid(), WHOLE, AGAIN], (1, 0, 10_000), []),
        ([paid(), WHOLE, AGAIN, undone("r1", 3, -10_000, 10, "r3")], (1, 0, 10_000), [REFUSED]),
        ([paid(), WHOLE, AGAIN, undone("r2", 9, 10_000, 10, "r3")], (0, 0, 0), []),
        ([paid(), WHOLE, AGAIN, undone("paid", 1, 4_000, 10, "r3")], (1, 0, 6_000), []),
        (
            [paid(), WHOLE, AGAIN, undone("paid", 1, 4_000, 10, "r3"), undone("r2", 9, 10_000, 11, "r4")],
            (1, 0, 6_000),
            [REFUSED],
        ),
        (
            [paid(), WHOLE, AGAIN, undone("paid", 1, 10_000, 10, "r3"), undone("r2", 9, 10_000, 11, "r4")],
            (0, 0, 0),
            [REFUSED],
        ),
        ([paid(), THIRTY, undone("r1", 3, -3_000, 9, "r2")], (1, 0, 10_000), []),
        ([paid(), undone("paid", 2, 10_000, 3)], (1, 0, 10_000), [("reversal_of.occurred_at", "wrong_original")]),
        ([paid(), WHOLE | {"account_id": "ann/other"}], (1, 0, 10_000), []),
        ([paid(), WHOLE | {"type": "refund", "channel": "phone"}], (0, 0, 0), []),
        ([WHOLE], (0, 0, 0), []),
        ([WHOLE, paid()], (0, 0, 0), []),
        ([THIRTY, TWENTY, paid()], (1, 0, 5_000), []),
        ([THIRTY, paid(), TWENTY], (1, 0, 5_000), []),
        ([undone("paid", 1, 10_001, 3), paid()], (1, 0, 10_000), []),
        ([paid(amount=500, kind="salary"), undone("paid", 1, -200, 3, type="salary")], (1, 300, 0), []),
        ([paid(amount=0), undone("paid", 1, 0, 3)], (0, 0, 0), []),
    ],
)
def test_a_reversal_undoes_exactly_what_is_left_or_is_refused(
    stream: list[dict[str, Any]], figures: Figures, refused: list[tuple[str, str]]
) -> None:
    bank = Bank().feed(stream)
    assert (bank.figures(), bank.refused) == (figures, refused)
    pieces = Bank()
    for one in stream:
        pieces.feed([one])
    assert (pieces.row, pieces.refused) == (bank.row, bank.refused)
    assert bank.figures("count_90d", "in_90d", "out_90d") == figures


def test_a_reversal_of_what_has_not_come_is_counted() -> None:
    assert Bank().feed([WHOLE]).early == 1


def test_a_reversal_of_what_is_forgotten_takes_away_no_more_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory holds 32 to 64 events; of the day of the payment 100.00 are left after others have come."""
    monkeypatch.setattr(dedup, "BLOCK", 32)
    monkeypatch.setattr(dedup, "EVENTS_MIN", 32)
    monkeypatch.setattr(dedup, "EVENTS_MAX", 64)
    others = [booked(2 + n / 100, -1, "cash") | {"event_id": f"o{n}"} for n in range(200)]
    bank = Bank().feed([paid(), *others])
    bank.feed([undone("paid", 1, 10_001, 5, "r8"), undone("paid", 1, 10_000, 5, "r9", type="purchase")])
    assert bank.figures() == (201, 0, 10_200)
    bank.feed([WHOLE])
    assert bank.figures() == (200, 0, 200)
    bank.feed([undone("paid", 1, 1, 6, "r4")])
    assert (bank.figures(), bank.refused) == ((200, 0, 200), [])


def test_money_of_another_currency_is_undone_as_it_was_counted_whatever_the_rate_is_by_now() -> None:
    """100 USD at 0.90 are 90 EUR; of them 25 USD are a quarter, and 75 the rest, also at 0.95."""
    bank = Bank().feed([paid(currency="USD")], {"USD": "0.90"})
    assert bank.figures() == (1, 0, 9_000)
    bank.feed([undone("paid", 1, 2_500, 3, "r1", currency="USD")], {"USD": "0.95"})
    assert bank.figures() == (1, 0, 6_750)
    bank.feed([undone("paid", 1, 7_500, 4, "r2", currency="USD")], {"USD": "0.80"})
    assert bank.figures("count_life", "in_life", "out_life", "net_life") == (0, 0, 0, 0)
    bank.feed([undone("paid", 1, 1, 5, "r3", currency="USD")], {"USD": "0.80"})
    bank.feed([paid(2) | {"event_id": "euros"}, undone("euros", 2, 100, 3, "r4", currency="USD")], {"USD": "0.95"})
    assert bank.refused == [REFUSED, ("currency", "wrong_original")]


def test_what_was_pending_is_booked_in_its_place_with_its_own_amount() -> None:
    """A hotel holds 200.00 on day 1 and books 150.00 on day 4: one payment of 150.00, on day 1."""
    held = paid(amount=-20_000, status="pending")
    named = {"event_id": "paid", "occurred_at": day(1)}
    settled = booked(4, -15_000, "card_payment") | {"event_id": "settled", "replaces": named}
    bank = Bank().feed([held, settled, settled])
    assert bank.figures("count_life", "out_life", "active_days_90d") == (1, 15_000, 1)
    assert bank.figures("out_30d", on=30.9) == (0,)  # day 1 is 30 days ago
    assert bank.feed([undone("settled", 4, 15_000, 6)]).figures() == (0, 0, 0)
    alone = Bank().feed([settled])
    assert alone.figures() == (1, 0, 15_000)


def test_a_pending_transaction_may_be_booked_under_its_own_id() -> None:
    held = paid(amount=-20_000, status="pending")
    bank = Bank().feed([held, held, paid(4, amount=-21_000, status="booked"), paid(4, amount=-21_000)])
    assert (bank.figures(), bank.refused) == ((1, 0, 21_000), [])
    released = Bank().feed([held, undone("paid", 1, 20_000, 2)])
    assert released.figures() == (0, 0, 0)


@pytest.mark.parametrize("kind", ["refund", "returned_payment", "own_transfer", "card_payment", "purchase"])
def test_what_comes_back_is_neither_income_nor_the_customers_doing(kind: str) -> None:
    large = (offer(when=("large_credit", "new_channel", "tier_up")),)
    run = Fast(offers=large).feed([booked(0, 100, "salary"), booked(5, 90_000, kind, channel="mobile")])
    assert offered(run.alerts) == []
    found = profile(run.rows["ann"], day(6))
    shown = [found[name] for name in ("count_life", "in_life", "out_life", "largest_credit_30d", "active_days_30d")]
    assert shown == [2, 100, 0, 100, 1]
    assert found["silence_days"] == 6
    name = kind if kind in ("refund", "returned_payment", "own_transfer") else "refund"
    assert found[f"share_type_{name}_90d"] == 0.5


def test_a_balance_is_reported_without_a_transaction() -> None:
    run = Fast(offers=()).feed([booked(0, -5, "purchase", balance=700), booked(3, 0, "balance", balance=400)])
    found = profile(run.rows["ann"], day(4))
    assert (found["balance"], found["balance_low_30d"]) == (400, 400)
    assert (found["count_life"], found["active_days_30d"], found["silence_days"]) == (1, 1, 4)
    first = Fast(offers=()).feed([booked(3, 0, "balance", balance=400)])
    found = profile(first.rows["ann"], day(4))
    assert (found["balance"], found["count_life"], found["tenure_days"]) == (400, 0, None)


def test_events_of_two_accounts_or_customers_may_have_one_id() -> None:
    one = booked(0, -5, "purchase", account="a") | {"event_id": "1"}
    run = Fast(offers=()).feed(
        [one, one | {"account_id": "ann/b"}, one | {"customer_id": "bob", "account_id": "ann/a"}, one]
    )
    counts = {name: profile(run.rows[name], day(1))["count_life"] for name in ("ann", "bob")}
    assert counts == {"ann": 2, "bob": 1}


def test_an_offer_is_taken_back_with_the_credit_that_brought_it_and_the_next_one_is_large() -> None:
    large = (offer(when=("large_credit",)),)
    usual, mistake = booked(0, 100, "salary"), booked(10, 900_000, "transfer_in") | {"event_id": "paid"}
    back = undone("paid", 10, -900_000, 10.1, type="transfer_in")
    run = Fast(offers=large).feed([usual, mistake, back, booked(40, 5_000, "transfer_in")])
    assert [alert.status for alert in run.alerts] == ["raised", "retracted", "raised"]
    raised, retracted, real = run.alerts
    assert (retracted.supersedes, retracted.reasons[0].code) == (raised.alert_id, "reversed")
    assert real.cause.event_id != raised.cause.event_id


ids, amounts = st.sampled_from(["a", "b", "c", "d"]), st.integers(-400, 400)
moves = st.tuples(ids, amounts, st.one_of(st.none(), ids), st.booleans(), st.booleans())


@settings(max_examples=300)
@given(st.lists(moves, max_size=14), st.lists(st.sampled_from(["1", "0.5", "2", "1.37"]), min_size=1, max_size=3))
def test_no_sequence_of_bookings_and_reversals_makes_a_figure_negative(
    sequence: list[tuple[str, int, str | None, bool, bool]], rates: list[str]
) -> None:
    bank = Bank()
    for number, (name, amount, of, foreign, replaces) in enumerate(sequence):
        one = booked(number, amount, "card_payment" if amount < 0 or of else "salary")
        one |= {"event_id": name, "currency": "USD" if foreign else "EUR"}
        if of is not None:
            earlier = [n for n, each in enumerate(sequence[:number]) if each[0] == of]
            at = day(earlier[0] if earlier else number)
            one["replaces" if replaces else "reversal_of"] = {"event_id": of, "occurred_at": at}
        bank.feed([one], {"USD": rates[number % len(rates)]})
        found = profile(bank.row, day(number)) if bank.row else {}
        wrong = {
            key: value
            for key, value in found.items()
            if value is not None and value < 0 and not key.startswith(("net_", "trend_"))
        }
        assert not wrong
        for window in ("30d", "90d", "180d"):
            flows = [found.get(f"{flow}_{window}") for flow in ("count", "in", "out")]
            assert flows == [found.get(f"{flow}_life") for flow in ("count", "in", "out")]
