"""`python -m tests.faults.broken`: builds that are broken on purpose must not pass; says which rows caught which.

Each is a change of a few words in a copy of the program, which the rows are then run against.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.faults.rows import ROWS
from tests.faults.servers import ROOT

CODE = ("schemas", "handlers", "streams", "learning", "serving", "commands", "deploy", "tests")


class Broken(NamedTuple):
    """Words of a file that are replaced; each must be there once."""

    what: str
    changes: tuple[tuple[str, str, str], ...]


_SEND = "                done = portion.claim.partition.send(task, outcome)\n"
_NO_LOOKBACK = ("streams/publisher.py", "if mark.back is not None and not backlog.said:", "if False:")

BUILDS = {
    "no-fence": Broken(
        "a commit is taken whoever owns the partition and wherever it stands",
        (("streams/commit.lua", "if verdict ~= 'OK' then return verdict end", ""),),
    ),
    "offset-apart": Broken(
        "the rows are written in one call, the offset and which events were seen in another, after it",
        (
            (
                "streams/redis_store.py",
                "        line.send(_commit(partition, at, new, changes))\n",
                "        from dataclasses import replace\n"
                "        from handlers.seen import SeenChanges\n"
                "        stays = at._replace(sequence=new.sequence)\n"
                "        self._call(partition, _commit(partition, at, stays, replace(changes, seen=SeenChanges())))\n"
                "        line.send(_commit(partition, stays, new, Changes(seen=changes.seen)))\n",
            ),
        ),
    ),
    "published-first": Broken(
        "the outbox leaves for Kafka before the commit that it belongs to, and nobody looks at what is there already",
        (
            _NO_LOOKBACK,
            (
                "streams/partition.py",
                "        self.position = commit(self.number, before, offset, outcome.clock, changes)\n",
                "        self.early(list(enumerate(outbox, before.sequence + 1)))\n"
                "        self.position = commit(self.number, before, offset, outcome.clock, changes)\n",
            ),
            (
                "streams/partition.py",
                "        self._trimmed = 0\n",
                "        self._trimmed = 0\n        self.early = lambda entries: None\n",
            ),
            (
                "streams/loop.py",
                _SEND,
                "                def early(entries, claim=portion.claim):\n"
                "                    at = claim.partition.position\n"
                "                    self._publisher.add(claim, entries, at.offsets, at.clock)\n"
                "                    time.sleep(0.3 if entries else 0)\n"
                "                portion.claim.partition.early = early\n" + _SEND,
            ),
        ),
    ),
    "no-lookback": Broken(
        "after the store has gone back nobody looks at what is published already",
        (_NO_LOOKBACK,),
    ),
    "any-layout": Broken(
        "rows of a layout that is not known are read as if it were",
        (("handlers/upgrade.py", "if row and row[0] == VERSION:", "if row and row[0] >= VERSION:"),),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.broken", description=__doc__)
    parser.add_argument("--build", action="append", choices=list(BUILDS))
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS])
    parser.add_argument("--seeds", type=int, default=14)
    given = parser.parse_args()
    missed = []
    for name in given.build or BUILDS:
        caught = [row for row in given.row or [row.name for row in ROWS] if fails(BUILDS[name], row, given.seeds)]
        print(f"{name}: {BUILDS[name].what}: caught by {', '.join(caught) or 'NOTHING'}", flush=True)
        if not caught:
            missed.append(name)
    return 1 if missed else 0


def fails(broken: Broken, row: str, seeds: int) -> bool:
    """Whether the row finds anything wrong with the broken program."""
    with tempfile.TemporaryDirectory(prefix="tracker-broken-") as folder:
        tree = Path(folder)
        for part in CODE:
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "var").symlink_to(ROOT / "var")
        for file, old, new in broken.changes:
            text = (tree / file).read_text("utf-8")
            if text.count(old) != 1:
                raise ValueError(f"{file} has not once: {old}")
            (tree / file).write_text(text.replace(old, new), "utf-8")
        command = [sys.executable, "-m", "tests.faults", "--row", row, "--seeds", str(seeds)]
        environment = os.environ | {"PYTHONPATH": str(tree)}
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or "\nrow " not in "\n" + done.stdout:
        raise RuntimeError(done.stdout + done.stderr)
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
