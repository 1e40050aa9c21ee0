"""The list of mistakes made on purpose stays true to the code, and its runner is red whenever it should be."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.broken.__main__ import reported, tried
from tests.broken.mistake import Mistake, errors, subjects

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = "def twice(number):\n    return number * 2\n\n\ndef thrice(number):\n    return number * 3\n"
TESTS = """
from program import thrice, twice


def test_twice():
    assert twice(2) == 4


def test_thrice():
    assert thrice(2) == 7


def test_nothing():
    assert twice(0) == 0
"""
HALF = Mistake("half", "It halves.", "program.py", "number * 2", "number / 2", "test_program.py::test_twice")


def test_every_mistake_can_be_made_and_names_a_test_that_is_there() -> None:
    assert errors([each for listed in subjects().values() for each in listed], ROOT) == {}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of two functions, with tests of which one is wrong."""
    root = tmp_path_factory.mktemp("small") / "main"
    (root / "tests" / "broken").mkdir(parents=True)
    shutil.copy(ROOT / "tests/broken/report.py", root / "tests/broken")
    (root / "program.py").write_text(PROGRAM)
    (root / "test_program.py").write_text(TESTS)
    (root / ".gitignore").write_text("var/\n__pycache__/\n")
    (root / "pytest.ini").write_text("[pytest]\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def test_a_mistake_is_noticed_if_its_test_fails_and_the_tree_stays_as_it_is(tree: Path) -> None:
    (verdict,) = tried([HALF], tree)
    assert verdict.kind == "noticed", verdict
    assert reported([verdict]) == 0
    assert (tree / "program.py").read_text() == PROGRAM


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"noticed_by": "test_program.py::test_nothing"}, "missed", "passes though: It halves."),
        ({"old": "number"}, "error", "has 4 times, not once"),
        ({"old": "number * 4"}, "error", "has 0 times, not once"),
        ({"file": "no.py"}, "error", "there is no no.py"),
        ({"new": "number *"}, "error", "is no Python"),
        ({"noticed_by": "test_program.py::test_that_is_not_there"}, "error", "there is no test"),
        ({"noticed_by": "test_program.py::test_thrice"}, "error", "on the right code"),
        ({"noticed_by": "test_program.py::test_twice[5]"}, "error", "on the right code"),
        ({"old": "def thrice", "new": "def three_times"}, "error", "pytest ended with 4"),
    ],
    ids=["unnoticed", "twice", "gone", "no file", "no Python", "no test", "test wrong", "no case", "no import"],
)
def test_it_is_red(tree: Path, changed: dict[str, str], kind: str, words: str) -> None:
    (verdict,) = tried([HALF._replace(**changed)], tree)
    assert (verdict.kind, words in verdict.words) == (kind, True), verdict
    assert reported([verdict]) == 1


def test_two_mistakes_of_one_name_are_refused(tree: Path) -> None:
    assert errors([HALF, HALF], tree) == {"half": "2 entries have this name"}
