"""Numbers that the console shows: where a key falls, what an offer brings, how often one may ask."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.offers.catalog import Catalogue
from handlers.offers.counts import Ledger
from schemas.offer import Offer
from schemas.policy import Policy
from serving.campaigns import campaigns, lift, wilson
from serving.limits import RateLimit
from serving.partitioner import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest#testMurmur2, as signed numbers.
OF_KAFKA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("text", "expected"), OF_KAFKA.items())
def test_murmur2_is_the_one_of_kafka(text: str, expected: int) -> None:
    assert murmur2(text.encode()) == expected % 2**32


@given(st.text(min_size=1, max_size=64), st.integers(1, 1024))
def test_a_key_falls_on_a_partition_that_there_is(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_the_sign_of_the_hash_does_not_count() -> None:
    """As Utils.toPositive: 21 has the hash -973932308, so 1173551340, which leaves 3 when divided by 7."""
    assert partition_of("21", 7) == 3


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe 1998, Statistics in Medicine 17, 857-872, table I: 81 of 263, without continuity correction."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_lift_has_newcombes_interval() -> None:
    """Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10: 56/70 less 48/80, and 10/10 less 0/20."""
    found = lift(56, 70, 48, 80)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    found = lift(10, 10, 0, 20)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.6791, 1.0), abs=5e-5)


def test_a_campaign_adds_up_its_partitions() -> None:
    offer = Offer(offer_id="card", product="Card", text="Take it", value_minor=100, when=["salary"], budget=5)
    ledgers = [Ledger(None), Ledger(None)]
    for place, ledger in enumerate(ledgers):
        for _ in range(place + 1):
            ledger.made("card", 1, 1, control=False, catalogue={"card": offer})
        ledger.made("card", 1, 1, control=True, catalogue={"card": offer})
    ledgers[0].taken("card", 1, 2, control=False)
    ledgers[1].made("gone", 1, 1, control=False, catalogue={"card": offer})
    card, gone = campaigns(Catalogue((offer,), Policy()), ledgers)
    assert (card.sent, card.taken, card.control_made, card.control_taken) == (3, 1, 2, 0)
    assert (card.budget, card.budget_left) == (5, 2)
    assert card.lift == lift(1, 3, 0, 2)
    assert (gone.offer_id, gone.product, gone.sent, gone.lift) == ("gone", None, 1, None)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=200), st.integers(1, 20))
def test_a_caller_never_gets_more_than_the_rate_and_one_burst(moments: list[float], rate: int) -> None:
    now = 0.0
    limit = RateLimit(rate, lambda: now)
    given_at = []
    for moment in sorted(moments):
        now = moment
        if limit.wait_seconds("someone") == 0:
            given_at.append(moment)
    for start, first in enumerate(given_at):
        for count, last in enumerate(given_at[start:], 1):
            assert count <= 4 * rate + (last - first) * rate + 1e-6


def test_a_refused_caller_may_ask_again_after_the_time_that_was_said() -> None:
    now = 0.0
    limit = RateLimit(2, lambda: now, burst=1)
    assert limit.wait_seconds("a") == 0
    assert limit.wait_seconds("b") == 0, "others have a bucket of their own"
    wait = limit.wait_seconds("a")
    assert wait == pytest.approx(0.5)
    now += wait
    assert limit.wait_seconds("a") == 0


def test_who_has_long_been_quiet_has_saved_one_burst_and_no_more() -> None:
    now = 0.0
    limit = RateLimit(2, lambda: now)
    assert limit.wait_seconds("a") == 0
    now = 3_600.0
    assert [limit.wait_seconds("a") == 0 for _ in range(10)] == [True] * 8 + [False] * 2


def test_intervals_grow_narrower_with_more_trials() -> None:
    widths = [high - low for low, high in (wilson(n // 10, n) for n in (10, 100, 1_000, 10_000))]
    assert all(wider > narrower for wider, narrower in pairwise(widths))
