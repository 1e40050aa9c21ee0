"""`make mutants`: changes the code a little, many times, and looks whether a test notices.

ARGS="--seed 7 --count 200" draws others; ARGS="--only handlers/aggregates/fold.py:60" makes all those of a file, or
of a line. Prints each change that no test noticed. Fails where more than one in twenty is neither
noticed nor argued to change nothing (equivalent.toml).
"""

import argparse
import os
import random
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

from tests.mutants.children import Done, Ended, Run, done, load
from tests.mutants.mutations import Mutation, mutations
from tests.mutants.reach import reach
from tests.mutants.tree import ROOT

NUMBERS_SHARE = 0.2
NOTICED_SHARE_MIN = 0.95
TEST_SECONDS_MAX = 120
EQUIVALENT = Path(__file__).with_name("equivalent.toml")

WORKERS = [
    f"tests/river/test_{name}.py" for name in ("worker_life", "broken_records", "notes", "two_workers", "outages")
]
"""What a change of streams/ must get past that nothing cheaper has noticed: workers as processes, on a real Kafka."""

Key = tuple[str, str, str, str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", action="append", default=[], metavar="FILE[:LINE]")
    parser.add_argument("--at-once", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--list", action="store_true", help="only says which would be made")
    given = parser.parse_args()
    every = mutations()
    argued = equivalents()
    gone = sorted(set(argued) - {key(one) for one in every})
    for file, function, code, becomes in gone:
        print(f"{EQUIVALENT.name}: there is no longer in {file}, {function or 'its module'}: {code} -> {becomes}")
    chosen = drawn(every, given.only, given.seed, given.count)
    if given.list:
        print(*chosen, sep="\n")
        return 0
    started, ends = time.monotonic(), Counter[str]()
    load()
    with tempfile.TemporaryDirectory(prefix="tracker-mutants-") as folder:
        reached = reach(Path(folder) / "reach", given.at_once)
        print(f"not used, as they fail interpreted or take too long: {', '.join(reached.not_passed) or 'none'}")
        runs = [run(one, reached.tests(one, TEST_SECONDS_MAX)) for one in chosen]
        again = [one.what for one in runs if not one.arguments and _of_workers(one.what)]
        for one in (one.what for one in runs if not one.arguments and not _of_workers(one.what)):
            print(f"no test runs it: {one}", flush=True)
            ends["not run"] += 1
        for ended in done([one for one in runs if one.arguments], Path(folder) / "mutants", given.at_once):
            if ended.ended is Ended.PASSED and _of_workers(ended.what) and key(ended.what) not in argued:
                again.append(ended.what)
            else:
                ends[said(ended, argued)] += 1
        for ended in done([run(one, WORKERS) for one in again], Path(folder) / "workers", given.at_once):
            ends[said(ended, argued)] += 1
    noticed, equivalent = sum(ends[end.value] for end in Ended if end != Ended.PASSED), ends["equivalent"]
    neither = len(chosen) - noticed - equivalent
    minutes = (time.monotonic() - started) / 60
    print(
        f"{len(chosen)} changes: {noticed} noticed, {equivalent} equivalent, {neither} neither; "
        f"seed {given.seed}, {minutes:.0f} minutes"
    )
    print("  " + ", ".join(f"{end}: {count}" for end, count in sorted(ends.items())))
    enough = noticed + equivalent >= NOTICED_SHARE_MIN * len(chosen)
    return 0 if enough and not gone and not ends["argued wrongly"] else 1


def drawn(every: list[Mutation], only: list[str], seed: int, count: int) -> list[Mutation]:
    """What is made: all that is asked for, or `count` at random, one in five of them a number."""
    if only:
        return [one for one in every if one.file in only or f"{one.file}:{one.line}" in only]
    chance = random.Random(seed)
    numbers = [one for one in every if one.is_number]
    others = [one for one in every if not one.is_number]
    many = min(round(NUMBERS_SHARE * count), len(numbers))
    chosen = chance.sample(numbers, many) + chance.sample(others, min(count - many, len(others)))
    return sorted(chosen, key=lambda one: (one.file, one.start, one.new))


def run(one: Mutation, tests: list[str]) -> Run[Mutation]:
    """The tests, on the changed code, up to the first that fails."""
    text = one.applied((ROOT / one.file).read_text("utf-8"))
    return Run(one, ["-x", "--no-header", "--tb=line", *tests] if tests else [], one.file, text)


def said(ended: Done[Mutation], argued: dict[Key, str]) -> str:
    """Says what nobody can be content with; returns what has come of the change."""
    one, noticed = ended.what, ended.ended != Ended.PASSED
    if key(one) in argued:
        if not noticed:
            return "equivalent"
        print(f"argued to change nothing, but a test noticed it: {one}\n{ended.output[-600:]}", flush=True)
        return "argued wrongly"
    if not noticed:
        print(f"not noticed by {ended.output.splitlines()[-1]}: {one}", flush=True)
        return "survived"
    return ended.ended.value


def _of_workers(one: Mutation) -> bool:
    return one.file.startswith("streams/")


def key(one: Mutation) -> Key:
    """How equivalent.toml names it."""
    return one.file, one.function, one.code, one.becomes


def equivalents() -> dict[Key, str]:
    """Why each of them changes nothing."""
    entries = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("equivalent", [])
    return {(one["file"], one["function"], one["code"], one["becomes"]): one["why"] for one in entries}


if __name__ == "__main__":
    sys.exit(main())
