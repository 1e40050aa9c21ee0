"""`make broken`: mistakes made on purpose, each in a copy of the tree, each with the test that must notice it.

Ends with 1 if a mistake is noticed by nothing, if the words that it replaces are no longer there exactly once, or if
its test is not there or fails on the right code.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.broken.mistake import Mistake, errors, subjects
from tests.broken.tree import Said, Tree
from tests.servers import missing_for

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2
SECONDS_MAX = 180
"""For one mistake, servers included."""
ROW_SECONDS_MAX = 900
"""For one mistake that a row of `make faults` must notice."""
RIGHT_SECONDS_MAX = 1_800
SERVERS = ("kafka", "redis_server")


class Verdict(NamedTuple):
    """What became of a mistake. Kind: noticed, missed, error, left out."""

    mistake: Mistake
    kind: str
    words: str = ""
    seconds: float = 0.0


def main() -> int:
    given = _arguments()
    chosen = [
        mistake
        for subject, listed in subjects().items()
        for mistake in listed
        if given.only is None or {subject, mistake.name} & set(given.only)
    ]
    rows = [mistake for mistake in chosen if mistake.is_row]
    if not (given.rows or given.only or given.list):
        chosen = [mistake for mistake in chosen if not mistake.is_row]
        print(f'{len(rows)} mistakes that a row of `make faults` must notice are left out; make broken ARGS="--rows"')
    if not chosen:
        print("no such mistake; --list says which there are", file=sys.stderr)
        return 1
    if given.list:
        for mistake in chosen:
            print(f"{mistake.name}: {mistake.wrong} {mistake.file}, noticed by {mistake.noticed_by}")
        return 0
    (ROOT / "var" / "broken").mkdir(parents=True, exist_ok=True)
    with (ROOT / "var" / "broken" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("make broken is running already in this directory", file=sys.stderr)
            return 1
        return reported(tried(chosen, ROOT))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make broken", description=__doc__)
    parser.add_argument("--only", action="append", help="a mistake's or a subject's name; may be given several times")
    parser.add_argument("--rows", action="store_true", help="those too that a row of `make faults` must notice: long")
    parser.add_argument("--list", action="store_true", help="say what there is and run nothing")
    return parser.parse_args()


def reported(verdicts: Sequence[Verdict]) -> int:
    """Prints the summary; the status to end with."""
    of = {kind: [each for each in verdicts if each.kind == kind] for kind in ("noticed", "missed", "error", "left out")}
    for verdict in (*of["missed"], *of["error"]):
        print(f"NOT GOOD {verdict.mistake.name}: {verdict.words}")
    for verdict in of["left out"]:
        print(f"left out {verdict.mistake.name}: {verdict.words}")
    slowest = ", ".join(
        f"{each.mistake.name} {each.seconds:.0f} s" for each in sorted(verdicts, key=lambda each: -each.seconds)[:3]
    )
    print(
        f"{len(of['noticed'])} of {len(verdicts)} mistakes noticed; {len(of['missed'])} noticed by nothing, "
        f"{len(of['error'])} not tried for an error, {len(of['left out'])} left out; slowest: {slowest}"
    )
    return 1 if of["missed"] or of["error"] else 0


def tried(mistakes: Sequence[Mistake], root: Path) -> list[Verdict]:
    """Tries each; prints a line for each as it comes."""
    verdicts = [_shown(Verdict(each, *why)) for each in mistakes if (why := _not_to_be_tried(each, mistakes, root))]
    left = [each for each in mistakes if each not in {verdict.mistake for verdict in verdicts}]
    trees: SimpleQueue[Tree] = SimpleQueue()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for tree in pool.map(lambda number: Tree(root, number), range(1, AT_ONCE + 1)):
            trees.put(tree)

        def one(mistake: Mistake) -> Verdict:
            tree = trees.get()
            try:
                return _shown(_verdict(mistake, tree))
            finally:
                trees.put(tree)

        wrong = _wrong_on_the_right_code(left, trees, pool)
        verdicts += [_shown(Verdict(each, "error", wrong[each.name])) for each in left if each.name in wrong]
        left = [each for each in left if each.name not in wrong]
        # The long ones first, so that none of them is alone at the end.
        left.sort(key=lambda each: (not each.is_row, not each.servers))
        return verdicts + list(pool.map(one, left))


def _not_to_be_tried(mistake: Mistake, mistakes: Sequence[Mistake], root: Path) -> tuple[str, str] | None:
    found = errors(mistakes, root).get(mistake.name)
    if found:
        return "error", found
    if mistake.servers or mistake.is_row:
        lacking = [reason for server in SERVERS if (reason := missing_for(server))]
        if lacking:
            return "error" if os.environ.get("CI") == "true" else "left out", "; ".join(lacking)
    return None


def _wrong_on_the_right_code(
    mistakes: Sequence[Mistake], trees: "SimpleQueue[Tree]", pool: ThreadPoolExecutor
) -> dict[str, str]:
    """By the name of a mistake, why what should notice it proves nothing: it doesn't pass where nothing is wrong."""
    started = time.monotonic()

    def tests(interpreted: bool) -> dict[str, str]:
        ids = sorted({each.noticed_by for each in mistakes if each.interpreted == interpreted and not each.is_row})
        if not ids:
            return {}
        tree = trees.get()
        try:
            said = tree.tests(ids, interpreted, RIGHT_SECONDS_MAX, SECONDS_MAX)
        finally:
            trees.put(tree)
        return {id: why for id in ids if (why := _not_passed(id, said))}

    def row(key: tuple[str, bool]) -> tuple[str, str | None]:
        tree = trees.get()
        try:
            return key[0], _not_passed(key[0], tree.row(*key, ROW_SECONDS_MAX))
        finally:
            trees.put(tree)

    found: dict[bool, dict[str, str]] = dict(zip((False, True), pool.map(tests, (False, True)), strict=True))
    for arguments, why in pool.map(
        row, sorted({(each.noticed_by, each.interpreted) for each in mistakes if each.is_row})
    ):
        for of in found.values() if why else ():
            of[arguments] = str(why)
    print(f"the right code was tried for {time.monotonic() - started:.0f} s", flush=True)
    return {
        each.name: f"on the right code, {each.noticed_by}: {found[each.interpreted][each.noticed_by]}"
        for each in mistakes
        if each.noticed_by in found[each.interpreted]
    }


def _not_passed(id: str, said: Said) -> str | None:
    """None: the test (with all its parameters) passed."""
    outcomes = {test: outcome for test, outcome in said.outcomes.items() if _is_of(test, id)}
    if not outcomes:
        return "there is no such test, or it could not be run: " + said.text[-600:]
    for outcome, words in outcomes.values():
        if outcome not in ("passed", "skipped"):
            return f"{outcome}: {words}"
    return None if any(outcome == "passed" for outcome, _ in outcomes.values()) else "it is skipped here"


def _is_of(test: str, id: str) -> bool:
    return test == id or test.startswith((f"{id}[", f"{id}::"))


def _verdict(mistake: Mistake, tree: Tree) -> Verdict:
    started = time.monotonic()
    try:
        with tree.changed(mistake.changes):
            if mistake.is_row:
                said = tree.row(mistake.noticed_by, mistake.interpreted, ROW_SECONDS_MAX)
            else:
                said = tree.tests([mistake.noticed_by], mistake.interpreted, SECONDS_MAX, SECONDS_MAX * 2 // 3)
    except SyntaxError as error:
        return Verdict(mistake, "error", f"is no Python: {error}")
    seconds = time.monotonic() - started
    failed = [words for outcome, words in said.outcomes.values() if outcome in ("failed", "error")]
    if failed and said.status == 1:
        return Verdict(mistake, "noticed", failed[0], seconds)
    if said.outcomes and said.status == 0 and not failed:
        return Verdict(mistake, "missed", f"{mistake.noticed_by} passes though: {mistake.wrong}", seconds)
    why = "it did not end in time" if said.status is None else f"pytest ended with {said.status}"
    return Verdict(mistake, "error", f"{why}: {said.text[-800:]}", seconds)


def _shown(verdict: Verdict) -> Verdict:
    words = f": {verdict.words[:110]}" if verdict.kind == "noticed" else ""
    print(f"{verdict.kind:<8} {verdict.seconds:4.0f} s  {verdict.mistake.name}{words}", flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
