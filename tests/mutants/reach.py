"""Which tests run which lines of the code, found out once for each test file and state of the code."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tests.mutants import plugin
from tests.mutants.children import Ended, Run, done
from tests.mutants.mutations import MUTATED, Mutation
from tests.mutants.plugin import COVERAGE_TO
from tests.mutants.tree import ROOT

FOLDERS = ("unit", "laws", "contract")
LEFT_OUT = (
    "test_deploy", "test_servers", "test_bench", "test_mutants", "test_broken", "test_workload", "test_simulator",
    "test_berka", "test_cdnow", "test_simulated_bank", "test_berka_figures", "test_drift", "test_overdue",
)  # fmt: skip
"""They look at neither handlers/ nor streams/, or at what whole banks come to, for minutes where kernels are
interpreted."""

_CODE, _SUFFIXES = ("schemas", "handlers", "streams", "learning", "commands"), (".py", ".lua", ".toml")

KEPT = ROOT / "var" / "mutants"

Found = dict[str, Any]


def reach(folder: Path, at_once: int, say: Any = print) -> "Reach":
    """Of the tests of this repository; runs those test files that have not been run on this state of the code."""
    KEPT.mkdir(parents=True, exist_ok=True)
    files = {file: KEPT / f"{file.stem}-{_state(file)}.json" for file in _test_files()}
    missing = [file for file, kept in files.items() if not kept.exists()]
    for file in KEPT.glob("*.json"):  # of states that have passed
        if file not in files.values():
            file.unlink()
    for ended in done((_run(file, files[file]) for file in missing), folder, at_once):
        if ended.ended is Ended.NOT_COLLECTED:
            raise RuntimeError(f"{ended.what}\n{ended.output[-3000:]}")
        if ended.ended is Ended.NEVER:
            files[ROOT / ended.what].write_text('{"tests": {}, "lines": {}}', "utf-8")
        say(f"which lines it runs: {ended.what}: {ended.ended.value}: {ended.output.splitlines()[-1]}")
    return Reach([json.loads(kept.read_text("utf-8")) for kept in files.values()])


class Reach:
    """Which tests run which lines."""

    def __init__(self, found: Iterable[Found]) -> None:
        self._costs: dict[str, float] = {}
        self._lines: dict[tuple[str, int], set[str]] = {}
        self.not_passed: list[str] = []
        """Tests that fail interpreted, or take too long; they are not used."""
        for one in found:
            passed = {name for name, test in one["tests"].items() if test["passed"]}
            self.not_passed += sorted(set(one["tests"]) - passed)
            for name in passed:
                self._costs[name] = one["tests"][name]["processor"] + one["tests"][name]["clock"]
            for name, files in one["lines"].items():
                for file, lines in files.items():
                    for line in lines:
                        self._lines.setdefault((file, line), set()).update({name} & passed)

    def tests(self, one: Mutation, seconds_max: float) -> list[str]:
        """Tests that run the changed line, the quickest first, as many as fit into so many seconds."""
        first, last = one.statement
        found = self._tests(one.file, [one.line]) or self._tests(one.file, range(first, last + 1))
        if not found:
            found = self._of_names(one.file, one.line)
        tests, seconds = [], 0.0
        for name in sorted(found, key=lambda name: (self._costs[name], name)):
            seconds += self._costs[name]
            if tests and seconds > seconds_max:
                break
            tests.append(name)
        return tests

    def _tests(self, file: str, lines: Iterable[int]) -> set[str]:
        return set().union(*(self._lines.get((file, line), ()) for line in lines))

    def _of_names(self, file: str, line: int) -> set[str]:
        """Of what runs only when a module is imported: the tests that run lines with the names that it gives."""
        wanted, met, found = list(self._assigned(file, line)), set[str](), set[str]()
        while wanted:
            name = wanted.pop()
            if name in met:
                continue
            met.add(name)
            for place, text in self._code:
                if re.search(rf"\b{name}\b", text):
                    tests = self._tests(*_one(place))
                    found |= tests
                    if not tests:
                        wanted += self._assigned(*place)
        return found

    def _assigned(self, file: str, line: int) -> list[str]:
        return [name for first, last, names in self._assignments[file] for name in names if first <= line <= last]

    @cached_property
    def _code(self) -> list[tuple[tuple[str, int], str]]:
        return [
            ((file, number), line)
            for file in self._assignments
            for number, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), 1)
        ]

    @cached_property
    def _assignments(self) -> dict[str, list[tuple[int, int, list[str]]]]:
        """Of each file, first and last line of what gives names on its level or a class's, and the names."""
        files = [file for part in MUTATED for file in sorted((ROOT / part).rglob("*.py"))]
        return {file.relative_to(ROOT).as_posix(): list(_names_given(file)) for file in files}


def _names_given(file: Path) -> Iterator[tuple[int, int, list[str]]]:
    tree = ast.parse(file.read_text("utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in (*tree.body, *(inner for outer in classes for inner in outer.body)):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            yield node.lineno, node.end_lineno or node.lineno, names


def _one(place: tuple[str, int]) -> tuple[str, list[int]]:
    return place[0], [place[1]]


def _test_files() -> list[Path]:
    files = [file for part in FOLDERS for file in sorted((ROOT / "tests" / part).glob("test_*.py"))]
    return [file for file in files if file.stem not in LEFT_OUT]


def _state(file: Path) -> str:
    """Of all that a test file's outcome may depend on."""
    code = [path for part in _CODE for path in (ROOT / part).rglob("*") if path.is_file() and path.suffix in _SUFFIXES]
    support = [*(ROOT / "tests").glob("*.py"), *file.parent.glob("conftest.py"), Path(plugin.__file__)]
    digest = blake2b(digest_size=8)
    for path in sorted({*code, *support, file}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(file: Path, to: Path) -> Run[str]:
    name = file.relative_to(ROOT).as_posix()
    return Run(name, [name, "-m", "not kafka"], environment=((COVERAGE_TO, str(to)),))
