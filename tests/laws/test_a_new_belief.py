"""A new belief is its package and four files beside it: done in a copy of the tree, where all laws then run over it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).with_name("milestones")
FOLDERS = ("schemas", "handlers", "streams", "learning", "serving", "commands", "deploy", "tests")

BESIDE: dict[str, tuple[tuple[str, str], ...]] = {
    "schemas/alert.py": (('"next_best_offer"]', '"next_best_offer", "milestone"]'),),
    "pyproject.toml": (
        ('"churn | offers"', '"churn | offers | milestones"'),
        ('"handlers.churn", "handlers.offers"', '"handlers.churn", "handlers.offers", "handlers.milestones"'),
    ),
    "handlers/engine/beliefs.py": (
        ("from handlers.offers import section as offers\n", "from handlers.milestones import section as milestones\n"),
        ("from handlers.offers.decide", "from handlers.milestones.decide import MilestoneDecider\n"),
        (
            "\n\nBELIEFS: ",
            "\n\ndef _milestones(step: Deciding) -> Decider:\n    return MilestoneDecider(step.histories)\n",
        ),
        (
            ")\n\nKNOWN",
            '    Belief("milestones", milestones.SECTION, ("milestone",), milestones.REACHED | milestones.STAYS_AWAY,'
            " _milestones),\n",
        ),
    ),
    "handlers/engine/advance.py": (
        (
            "from handlers.offers.prefilter",
            "from handlers.milestones.hooks import after_visit, week_passed\n"
            "from handlers.milestones.section import MILESTONES, STAYS_AWAY, WEEK_DUE\n",
        ),
        (
            "_sooner(s.sections[CHURN, DUE], s.sections[OFFERS, PRODUCT_DUE])",
            "_sooner(s.sections[MILESTONES, WEEK_DUE], ",
        ),
        (
            "                if not is_silence:\n",
            "                if not is_silence and s.sections[MILESTONES, WEEK_DUE] == due:\n"
            "                    head[FINDING_BITS], head[FINDING_AT] = STAYS_AWAY, due\n"
            "                    week_passed(s)\n"
            "                    continue\n",
        ),
        ("            if running:\n", "            bits |= after_visit(s, changed)\n"),
    ),
}
"""What is written into which files: each time before these words, which stand there once; in the first two in their
place."""


def plugged_in(tree: Path) -> None:
    """A copy of the program with the belief of tests."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "milestones"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    shutil.copytree(PACKAGE, tree / "handlers" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, changes in BESIDE.items():
        text = (ROOT / file).read_text("utf-8")
        for words, new in changes:
            assert text.count(words) == 1, f"{file}: {words}"
            closed = ")" if words.startswith("_sooner(") else ""
            text = text.replace(words, new if file in ("schemas/alert.py", "pyproject.toml") else new + words + closed)
        (tree / file).write_text(text, "utf-8")


def test_a_new_belief_is_its_package_and_four_files_and_keeps_all_laws(tmp_path: Path) -> None:
    plugged_in(tmp_path)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def ran(*command: str | Path) -> str:
        found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
        assert found.returncode == 0, found.stdout[-4_000:] + found.stderr[-2_000:]
        return found.stdout

    tests = ("tests/laws/test_beliefs.py", "tests/unit/test_doors.py")
    said = ran(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests)
    laws = re.findall(r"(test_\w+)\[milestones\] PASSED", said)
    assert len(laws) == len(re.findall(r"\[churn\] PASSED", said)) >= 5
    assert len(re.findall(r"\[milestones\]", said)) == len(laws)
    ran(Path(sys.executable).with_name("lint-imports"), "--no-cache")


def test_the_count_is_what_the_design_says() -> None:
    lines = (ROOT / "docs/design.md").read_text("utf-8").splitlines()
    row = next(line for line in lines if line.startswith("| belief | 4"))
    count, files = row.split("|")[2:4]
    assert int(count) == len(BESIDE) <= 4
    assert set(re.findall(r"`([\w/.]+)`", files)) == set(BESIDE)
