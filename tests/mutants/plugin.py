"""What pytest does otherwise while the code is changed on purpose, or while it is found out which lines a test runs.

Property tests draw the same examples each time, fewer than they do elsewhere (interpreted kernels are slow), and don't
shrink what they find.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import Phase, settings

EXAMPLES_MAX = 15
SECONDS_MAX = 30
"""Of one test, on a processor: what runs longer fails."""
COVERAGE_TO = "MUTANTS_COVERAGE"
"""Names the file to write to which lines each test runs; nothing is measured without it."""

settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=False,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        test = getattr(item, "obj", None)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None:
            fewer = settings(own, max_examples=min(own.max_examples, EXAMPLES_MAX))
            test._hypothesis_internal_use_settings = fewer  # type: ignore[union-attr]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(*_: object) -> None:
    pytest.fail(f"more than {SECONDS_MAX} s on a processor")


class Measured:
    """Measures each test: its lines, its seconds on a processor and by the clock, and whether it passes."""

    def __init__(self, root: Path, to: Path) -> None:
        self._root, self._to = root, to
        self._coverage = Coverage(data_file=None, source_dirs=[str(root / part) for part in ("handlers", "streams")])
        self._coverage.start()
        self._tests: dict[str, dict[str, object]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        processor, clock = time.process_time(), time.monotonic()
        self._tests[item.nodeid] = {"passed": False}
        try:
            return (yield)
        finally:
            self._tests[item.nodeid]["processor"] = round(time.process_time() - processor, 3)
            self._tests[item.nodeid]["clock"] = round(time.monotonic() - clock, 3)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._tests[report.nodeid]["passed"] = True

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = {}
        for file in data.measured_files():
            name = Path(file).relative_to(self._root).as_posix()
            for line, tests in data.contexts_by_lineno(file).items():
                for test in tests:
                    lines.setdefault(test, {}).setdefault(name, []).append(line)
        self._to.write_text(json.dumps({"tests": self._tests, "lines": lines}), "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGPROF, _too_long)
    if to := os.environ.get(COVERAGE_TO):
        config.pluginmanager.register(Measured(Path.cwd(), Path(to)))
