"""A few seeds of the rows that matter most; `make faults` tries all of them."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.audit import Figures
from tests.faults.rows import ROWS
from tests.faults.world import Seed, World

pytestmark = [pytest.mark.kafka, pytest.mark.redis_server]

BY_NAME = {row.name: row for row in ROWS}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as servers:
        yield servers


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("kill", 4), ("redis-went-back", 3), ("duplicates", 2), ("new-layout", 1), ("repartition-killed", 1)],
)
def test_nothing_is_lost_and_nothing_doubled(world: World, name: str, seeds: int) -> None:
    row = BY_NAME[name]
    tried = [Seed(world, number, random.Random(number)) for number in range(1, seeds + 1)]
    with ThreadPoolExecutor(seeds) as pool:
        figures = list(pool.map(row.done, tried))
    total = Figures()
    for each in figures:
        total = total.plus(each)
    notes = [note for seed in tried for note in seed.notes]
    assert total.right, f"{total}\n" + "\n".join(notes)
    assert total.events > 0
    assert total.alerts > 0
