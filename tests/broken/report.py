"""A plugin of pytest: writes what became of each test, a line of JSON each, to the file that BROKEN_REPORT names."""

import json
import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" and report.passed:
        return
    said = str(report.longrepr).rstrip().splitlines()[-1:] if report.failed else []
    line = {"test": report.nodeid, "when": report.when, "outcome": report.outcome, "said": "".join(said)}
    with Path(os.environ["BROKEN_REPORT"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
