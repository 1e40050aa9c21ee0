"""Who takes what next: learned before the split only, and not measured on a handful."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from learning import berka
from learning.history import History
from learning.takeup import Taken, takeups
from schemas.units import DAY_MS, parse_rfc3339
from tests.learning.conftest import UNTIL

BERKA = Path(__file__).parents[2] / ".." / "shared" / "data" / "berka"
MIDDLE = datetime.fromtimestamp(UNTIL / 1_000, UTC)


def nothing(events: int) -> None:
    """No progress to show."""


def savers(shift_days: int) -> list[Taken]:
    """Every fifth customer takes savings, half of them before the split, half of them `shift_days` after it."""
    taken = []
    for number, k in enumerate(range(0, 250, 5)):
        days = (-40, -20, 5 + shift_days, 10 + shift_days)[number % 4]
        taken.append(Taken(f"sim-c-{k}", "savings", MIDDLE + timedelta(days)))
    return taken


def test_what_is_taken_after_the_split_is_not_learned_from(history: History) -> None:
    (found,) = takeups(history, savers(0), UNTIL, 60, nothing)
    (later,) = takeups(history, savers(30), UNTIL, 60, nothing)
    assert found == later  # the same takers within 60 days, on other days
    assert found.takers == sum(1 for taken in savers(0) if taken.taken_at > MIDDLE)
    assert found.customers == 250 - sum(1 for taken in savers(0) if taken.taken_at < MIDDLE)
    assert found.lift_interval[0] <= found.lift <= found.lift_interval[1]
    assert found.hit_rate == pytest.approx(found.lift * found.takers / found.customers)


def test_too_few_takers_are_not_measured(history: History) -> None:
    taken = savers(0)[:8]
    assert takeups(history, taken, UNTIL, 60, nothing) == []


@pytest.mark.skipif(not BERKA.is_dir(), reason="the Berka bank is not at ../shared/data/berka")
def test_berkas_products_are_loans_and_cards_of_owners() -> None:
    rows = list(berka.products(BERKA))
    split = parse_rfc3339("1994-04-20T00:00:00Z")
    loans = [row for row in rows if row["product"] == "loan"]
    assert len(loans) == 682
    assert len(rows) == 682 + 892
    assert sum(split <= parse_rfc3339(str(row["taken_at"])) < split + 183 * DAY_MS for row in loans) > 59
