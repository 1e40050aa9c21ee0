"""A copy of the tree that mistakes are made in, and what tests say there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

from tests.broken.mistake import Change, broken

COMPILED = ("handlers", "streams")
"""Folders with kernels."""


class Said(NamedTuple):
    """What became of a run: by the id of each test its outcome (passed, failed, error, skipped) and its last words."""

    outcomes: dict[str, tuple[str, str]]
    status: int | None
    """None: it did not end in time."""
    text: str


class Tree:
    """A copy at var/broken/NUMBER/main, with `../shared` beside it.

    It stays, and files keep their time of change, so that Python and Numba know again what they have compiled.
    """

    def __init__(self, root: Path, number: int) -> None:
        self.path = root / "var" / "broken" / str(number) / "main"
        self._root = root
        self.path.mkdir(parents=True, exist_ok=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            check=True,
        ).stdout.decode()
        files = {name for name in listed.split("\0") if name and (root / name).is_file()}
        for name in files:
            self._copied(name)
        for old in self.path.rglob("*"):
            name = str(old.relative_to(self.path))
            kept = name in files or "__pycache__" in old.parts or name.startswith("var")
            if not kept and old.is_file():
                old.unlink()
        self._take_kernels()
        for link, to in ((self.path / "var", root / "var"), (self.path.parent / "shared", root.parent / "shared")):
            if not link.is_symlink() and to.exists():
                link.symlink_to(to)

    @contextmanager
    def changed(self, changes: Sequence[Change]) -> Iterator[None]:
        """The tree with these mistakes in it."""
        files = {file for file, _, _ in changes}
        try:
            for file in files:
                text = broken((self._root / file).read_text("utf-8"), file, changes)
                if file.endswith(".py"):
                    compile(text, file, "exec")
                (self.path / file).write_text(text, "utf-8")
            yield
        finally:
            for file in files:
                self._copied(file)

    def tests(self, ids: Sequence[str], interpreted: bool, seconds: int, seconds_a_test: int) -> Said:
        """Runs tests, in one process."""
        report = self.path.parent / "report"
        report.unlink(missing_ok=True)
        options = ["-p", "tests.broken.report", "-p", "no:cacheprovider", "-q", f"--timeout={seconds_a_test}"]
        more = {"BROKEN_REPORT": str(report)} | ({"NUMBA_DISABLE_JIT": "1"} if interpreted else {})
        status, text = self._run(["-m", "pytest", *options, *ids], more, seconds)
        outcomes: dict[str, tuple[str, str]] = {}
        for line in report.read_text("utf-8").splitlines() if report.exists() else []:
            found = json.loads(line)
            outcome = "error" if found["outcome"] == "failed" and found["when"] != "call" else found["outcome"]
            if outcomes.get(found["test"], ("passed", ""))[0] == "passed":
                outcomes[found["test"]] = (outcome, found["said"])
        return Said(outcomes, status, text)

    def row(self, arguments: str, interpreted: bool, seconds: int) -> Said:
        """Runs a row of `make faults`."""
        more = {"NUMBA_DISABLE_JIT": "1"} if interpreted else {}
        status, text = self._run(["-m", "tests.faults", *arguments.split()], more, seconds)
        outcome = {0: "passed", 1: "failed"}.get(-1 if status is None else status, "error")
        return Said({arguments: (outcome if "\nrow " in "\n" + text else "error", text[-400:])}, status, text)

    def _take_kernels(self) -> None:
        """Copies what Numba has compiled: it keeps a directory's kernels under a hash of the directory's path."""
        folders = {
            file.parent.relative_to(self._root) for part in COMPILED for file in (self._root / part).rglob("*.py")
        }
        for kernels in (self._root / "handlers/__pycache__").glob("kernels-*"):
            copy = self.path / kernels.relative_to(self._root)
            for folder in sorted(folders):
                known, here = (_numbas_name(of / folder) for of in (self._root, self.path))
                if (kernels / known).is_dir():
                    shutil.copytree(kernels / known, copy / here, dirs_exist_ok=True)

    def _copied(self, name: str) -> None:
        source, copy = self._root / name, self.path / name
        if not copy.exists() or _stamp(copy) != _stamp(source):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy2(source, copy)

    def _run(self, arguments: Sequence[str], more: dict[str, str], seconds: int) -> tuple[int | None, str]:
        """With a time limit for it and all that it has started; none of that outlives it."""
        inherited = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.path,
            env=inherited | {"PYTHONPATH": str(self.path)} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            text, _ = process.communicate(timeout=seconds)
            return process.returncode, text
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _numbas_name(directory: Path) -> str:
    """The name that Numba gives a directory in a cache; another one would only mean that kernels are compiled anew."""
    return f"{directory.name}_{sha1(str(directory).encode()).hexdigest()}"
