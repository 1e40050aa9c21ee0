"""Runs the rulers on the same servers as the tracker, in the same run."""

import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from commands.benchmark.latency import at_rate
from commands.benchmark.run import RATES
from commands.benchmark.stage import Stage
from commands.benchmark.throughput import publish
from commands.benchmark.workload import Workload
from commands.embedded import TiedProcess

START_SECONDS_MAX = 60
FAUST_SECONDS_MAX = 600


def faust_table(stage: Stage, workload: Workload, events: int) -> dict[str, float]:
    """Events a second, and µs of processor time an event, of an agent and a Table over a backlog.

    Its own topics, a changelog among them, stay: the broker goes when the run ends.
    """
    publish(stage, workload.part(events))
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        command = [sys.executable, "-m", "tests.bench.faust_table", str(events), folder]
        said = subprocess.run(command, capture_output=True, text=True, timeout=FAUST_SECONDS_MAX, check=True).stdout
    figures: dict[str, float] = orjson.loads(said[said.index("{") :].splitlines()[0])
    return figures


def echo(stage: Stage, workload: Workload, seconds: float) -> list[dict[str, Any]]:
    """Latencies of a bare consume-and-produce loop, at the same loads with the same sender and subscriber."""
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        log = Path(folder, "echo")
        process = TiedProcess([sys.executable, "-m", "tests.bench.echo"], log)
        try:
            process.wait_until(lambda: b"ready" in log.read_bytes(), START_SECONDS_MAX)
            return [asdict(at_rate(stage, workload, rate, seconds)) for rate in RATES]
        finally:
            process.stop()
