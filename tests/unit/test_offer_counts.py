"""What one partition has offered, and how often it was taken."""

from handlers.offers.counts import Ledger, share_of_budget
from tests.bank import booked, day, offer, outcome, salary
from tests.fast import Fast

OLD, NEW = "offer-000", "offer-999"


def test_of_more_than_256_offers_the_one_longest_untouched_that_the_catalogue_no_longer_has_is_forgotten() -> None:
    ledger = Ledger(None)
    catalogue = {OLD: offer(OLD)}
    for number in range(256):
        ledger.made(f"offer-{number:03}", 0, 1_000 + number, control=False, catalogue=catalogue)
    ledger.taken("offer-001", 0, 9_000, control=False)
    assert all(ledger.of(f"offer-{number:03}").spent == 1 for number in range(256))
    ledger.made(NEW, 0, 10_000, control=False, catalogue=catalogue)
    kept = [ledger.of(name).spent for name in (OLD, "offer-001", "offer-002", "offer-003", NEW)]
    assert kept == [1, 1, 0, 1, 1]


def test_what_is_taken_counts_in_the_segment_in_which_it_was_offered() -> None:
    ledger = Ledger(None)
    for segment in (0, 21):
        ledger.made("savings", segment, 1, control=False, catalogue={})
    ledger.taken("savings", 21, 2, control=False)
    assert ledger.of("savings").cells == {0: (1, 0), 21: (1, 1)}
    assert ledger.of("savings").made == (2, 1)
    again = Ledger(ledger.encoded())
    assert (again.of("savings").cells, again.of("savings").touched_at) == ({0: (1, 0), 21: (1, 1)}, 2)


def test_an_outcome_teaches_the_segment_that_the_customer_had_when_the_offer_was_made() -> None:
    """Known for less than a year when it is made (segment 0), and longer when it is accepted."""
    run = Fast(offers=(offer(),)).feed([booked(0, -5, "purchase"), salary(364)])
    run.feed([booked(366, -5, "purchase"), outcome("accepted", 366, "savings", run.alerts[0])])
    assert run.ledger().of("savings").cells == {0: (1, 1)}
    run.feed([salary(370)])
    assert run.ledger().of("savings").cells == {0: (1, 1), 10: (1, 0)}


def test_what_is_left_of_a_budget_goes_to_the_partitions_that_follow_the_one_of_the_offers_id() -> None:
    """Three of eight partitions get one more; small budgets of different offers start at different partitions."""
    shares = {
        name: [share_of_budget(offer(name, budget=3), 8, number) for number in range(8)]
        for name in ("a", "b", "c", "d")
    }
    for parts in shares.values():
        first = next(n for n in range(8) if parts[n] == 1 and parts[n - 1] == 0)
        assert [parts[(first + n) % 8] for n in range(8)] == [1, 1, 1, 0, 0, 0, 0, 0]
    assert len({tuple(parts) for parts in shares.values()}) > 1


def test_a_return_takes_back_the_alert_of_this_silence_and_not_an_older_one_again() -> None:
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    run = Fast(offers=()).feed(visits).feed([day(36), booked(37, -5, "purchase")])
    again = [booked(on, -5, "purchase") for on in range(38, 70, 3)]
    run.feed(again).feed([day(100), booked(101, -5, "purchase")])
    assert [alert.status for alert in run.alerts] == ["raised", "retracted", "raised", "retracted"]
    assert run.alerts[1].supersedes == run.alerts[0].alert_id
    assert run.alerts[3].supersedes == run.alerts[2].alert_id
