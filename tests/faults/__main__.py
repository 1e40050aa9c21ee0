"""`make faults`: does every fault to real servers and prints what was lost and doubled. Ends with 1 if anything was.

ARGS="--row kill --seed 17" runs one seed of one row again; --seeds N sets how many each row tries.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.faults.audit import Figures
from tests.faults.rows import ROWS
from tests.faults.world import Row, Seed, World, missing
from tests.servers import missing_for

HEAD = (
    f"{'row':<16}{'seeds':>6}{'events':>9}{'lost':>6}{'doubled':>9}{'alerts':>8}{'lost':>6}{'doubled':>9}{'other':>7}"
)
CHECKS_MAX = 12


def main() -> int:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__, epilog="rows: " + ", ".join(names))
    parser.add_argument("--row", action="append", choices=names, help="only this row; may be given several times")
    parser.add_argument("--seed", type=int, help="only this seed")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, help="seeds a row")
    given = parser.parse_args()
    rows = [row for row in ROWS if given.row is None or row.name in given.row]
    lacking = sorted({line for row in rows for line in missing(row)})
    lacking += [reason for server in ("kafka", "redis_server") if (reason := missing_for(server))]
    for line in lacking:
        print(f"missing: {line}", file=sys.stderr)
    if lacking:
        return 1
    failed = 0
    print(HEAD, flush=True)
    with World() as world:
        for row in rows:
            numbers = (
                [given.seed] if given.seed is not None else range(given.first, given.first + (given.seeds or row.seeds))
            )
            failed += not tried(world, row, numbers)
    return 1 if failed else 0


def tried(world: World, row: Row, numbers: Iterable[int]) -> bool:
    """Runs the seeds of a row and prints its line of the table. False if any figure is not zero."""
    started = time.monotonic()
    total, broken, times = Figures(), 0, Counter[str](dict.fromkeys(row.happens, 0))
    seeds = [Seed(world, number, random.Random(number)) for number in numbers]
    with ThreadPoolExecutor(row.at_once) as pool:
        for seed, (figures, error) in zip(seeds, pool.map(lambda seed: _run(row, seed), seeds), strict=True):
            total = total.plus(figures)
            broken += error is not None
            times.update(seed.times)
            if error is not None or not figures.right:
                print(f"row {row.name}, seed {seed.number}: {error or figures}")
                for note in seed.notes[:CHECKS_MAX]:
                    print(f"    {note[:2_000]}")
                print(f'    again: make faults ARGS="--row {row.name} --seed {seed.number}"', flush=True)
    line = f"{row.name:<16}{len(seeds):>6}" + "".join(
        f"{value:>{width}}" for value, width in zip(total, (9, 6, 9, 8, 6, 9, 7), strict=True)
    )
    happened = ", ".join(f"{what} {count:,}" for what, count in times.items())
    ended = f"; {broken} DID NOT FINISH" if broken else ""
    print(f"{line}  {time.monotonic() - started:6.0f} s  {row.words}: {happened}{ended}", flush=True)
    return total.right and not broken


def _run(row: Row, seed: Seed) -> tuple[Figures, str | None]:
    try:
        return row.done(seed), None
    except Exception as error:  # noqa: BLE001 - a seed that fails must not hide the others
        seed.notes += traceback.format_exc().splitlines()[-8:]
        return Figures(), f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
