"""pytest in children of this process, which has what comes from outside loaded already: a child starts in no time."""

import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Generic, NamedTuple, NoReturn, TypeVar

import pytest

from tests.mutants.tree import ROOT, copy_of_tree, write

SECONDS_MAX = 600
"""Of a child, by the clock and on a processor. What runs longer is ended."""

_LOADED = (
    "numpy", "numba", "hypothesis", "msgspec", "orjson", "confluent_kafka.admin", "redis.cluster", "faust",
    "prometheus_client", "pydantic_settings", "sklearn.linear_model", "scipy.optimize", "pyarrow.parquet",
    "typer.testing", "rich.table", "tests.mutants.plugin",
)  # fmt: skip
_OWN = ("tests", "schemas", "handlers", "streams", "learning", "serving", "commands", "deploy")

What = TypeVar("What")


class Ended(Enum):
    """What has become of the tests."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COLLECTED = "not collected"
    NEVER = "never"


class Run(NamedTuple, Generic[What]):
    """Tests to run (arguments of pytest), after a file of the tree has been given another text, if it is to be."""

    what: What
    arguments: Sequence[str]
    file: str = ""
    text: str = ""
    environment: tuple[tuple[str, str], ...] = ()


class Done(NamedTuple, Generic[What]):
    """A run, what has become of it, and what pytest has printed."""

    what: What
    ended: Ended
    output: str


class _Child(NamedTuple, Generic[What]):
    run: Run[What]
    tree: Path
    output: Path
    until: float


def load() -> None:
    """Imports what all tests use and no change touches. Kernels are interpreted from here on."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    for name in _LOADED:
        importlib.import_module(name)


def done(runs: Iterable[Run[What]], folder: Path, at_once: int) -> Iterator[Done[What]]:
    """Makes the runs, so many at a time, each in a copy of the repository in `folder`; gives each when it has ended."""
    trees = [copy_of_tree(folder, f"{number}") for number in range(at_once)]
    waiting, working = iter(runs), dict[int, _Child[What]]()
    while True:
        while trees and (run := next(waiting, None)) is not None:
            child = _started(run, trees.pop())
            working[child[0]] = child[1]
        if not working:
            return
        number, status = os.waitpid(-1, os.WNOHANG)
        if number in working:
            run, tree, output, _ = working.pop(number)
            _kill(number)  # servers that it has left
            if run.file:
                write(tree / run.file, (ROOT / run.file).read_text("utf-8"))
            trees.append(tree)
            yield Done(run.what, _ended(status), output.read_text("utf-8", "replace"))
            continue
        for number in [number for number, child in working.items() if time.monotonic() > child.until]:
            _kill(number)
        time.sleep(0.02)


def _started(run: Run[What], tree: Path) -> tuple[int, _Child[What]]:
    if run.file:
        write(tree / run.file, run.text)
    output = tree.parent / f"{tree.name}.txt"
    child = os.fork()
    if child == 0:
        _become_pytest(run, tree, output)
    return child, _Child(run, tree, output, time.monotonic() + SECONDS_MAX)


def _become_pytest(run: Run[What], tree: Path, output: Path) -> NoReturn:
    code = 3
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX + 5))
        log = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(run.environment, PYTHONPATH=str(tree))
        os.chdir(tree)
        sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
        for name in [name for name in sys.modules if name.split(".")[0] in _OWN]:
            del sys.modules[name]
        code = int(pytest.main(["-q", "-p", "tests.mutants.plugin", "-p", "no:cacheprovider", *run.arguments]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _ended(status: int) -> Ended:
    if os.WIFSIGNALED(status):
        return Ended.NEVER
    return {0: Ended.PASSED, 1: Ended.FAILED}.get(os.WEXITSTATUS(status), Ended.NOT_COLLECTED)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
