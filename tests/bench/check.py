"""`make bench-check`: an event must not cost much more processor time than it did in the commit before.

    python -m tests.bench.check [BASE]

Runs `tracker replay` over the same seeded workload with the code of this tree and of BASE (by default the latest tag,
else the first parent of HEAD) in turn, on one machine: what is compared is processor time, never a clock on the wall.
A short and a long file are replayed, and the difference counts: starting is left out.

A busy neighbour makes one of a pair look half as dear again, but seldom pair after pair: what is judged is the median
of PAIRS ratios. Ends with 1 where it is above RATIO_MAX.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from commands.benchmark.workload import Workload

RATIO_MAX = 1.2
PAIRS = 5
SHORT, LONG = 5_000, 605_000
CUSTOMERS = 50_000
ROOT = Path(__file__).parents[2]
KEPT = ROOT / "var/bench-base"
"""Trees of commits compared with, by their hash: each must compile its kernels once."""


def main() -> int:
    base = commit_of(sys.argv[1] if len(sys.argv) > 1 else latest())
    if not base:
        print("there is no commit to compare with: fetch the history, or name one", file=sys.stderr)
        return 1
    other = exported(base)
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        workload = Workload(1, CUSTOMERS, 0.0)
        files = [Path(folder, "short.jsonl"), Path(folder, "long.jsonl")]
        for file, events in zip(files, (SHORT, LONG), strict=True):
            file.write_bytes(b"".join(value + b"\n" for _, value in workload.part(events).values()))
        for tree in (other, ROOT):  # compiles what is not compiled yet
            replay(tree, files[0])
        ratios = []
        for _ in range(PAIRS):
            before, now = cost(other, files), cost(ROOT, files)
            print(f"{now:.2f} µs of processor time an event, {now / before:.2f} times the {before:.2f} of {base[:12]}")
            ratios.append(now / before)
    if median(ratios) > RATIO_MAX:
        print(f"too slow: {median(ratios):.2f} times as dear; {RATIO_MAX} times is let pass", file=sys.stderr)
        return 1
    return 0


def cost(tree: Path, files: list[Path]) -> float:
    """Processor time of an event with the code of `tree`, µs."""
    short, long = (replay(tree, file) for file in files)
    return (long - short) / (LONG - SHORT) * 1e6


def replay(tree: Path, file: Path) -> float:
    """Processor seconds, user and system, of `tracker replay` with the code of `tree`."""
    command = [sys.executable, "-m", "commands", "replay", str(file), "--alerts", os.devnull, "--profiles", os.devnull]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    environment["PYTHONPATH"] = str(tree)
    before = os.times()
    subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def exported(commit: str) -> Path:
    """The tree of a commit."""
    tree = KEPT / commit
    if not tree.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=KEPT))
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(partial)], input=archive, check=True)
        partial.rename(tree)
    return tree


def latest() -> str:
    """The latest tag before HEAD; where there is none, HEAD's first parent."""
    said = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "HEAD^"], cwd=ROOT, capture_output=True, text=True
    )
    return said.stdout.strip() or "HEAD^"


def commit_of(name: str) -> str:
    """Its hash, empty if there is no such commit."""
    command = ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
