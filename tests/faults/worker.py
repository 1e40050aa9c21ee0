"""A running worker of a scene: forked from a warm process, killed, paused, and asked how it is."""

import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from threading import Lock

import msgspec
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.faults import steps
from tests.faults.servers import ROOT, until

_forking = Lock()


def _forkserver() -> ForkServerContext:
    """Forks workers from a process that has imported and compiled everything and has no thread."""
    os.environ["PYTHONPATH"] = str(ROOT)
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.steps"])
    return context


def fork(
    environment: Mapping[str, str],
    kill: steps.Kill | steps.Cut | None,
    clock: Path | None,
    log: Path,
    small_transactions: bool,
) -> "Worker":
    """A new worker, whose settings are in `environment`. Its clock is wrong by the seconds that the file says."""
    with _forking:
        process = CONTEXT.Process(target=steps.forked, args=(environment, kill, clock, log, small_transactions))
        process.start()
    return Worker(process, log)


def fork_repartition(environment: Mapping[str, str], kill: steps.Kill | None, log: Path) -> "Worker":
    """`tracker repartition`, whose settings are in `environment`."""
    with _forking:
        process = CONTEXT.Process(target=steps.forked_repartition, args=(environment, kill, log))
        process.start()
    return Worker(process, log)


class Worker:
    """A running worker. What it says is in `log`."""

    def __init__(self, process: ForkServerProcess, log: Path) -> None:
        self.process, self.log = process, log

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid or 0, number)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def alive(self) -> bool:
        return self.process.is_alive()

    def killed(self) -> bool:
        """Whether it has ended by SIGKILL; one that crashed has not."""
        return not self.alive() and self.wait(0) == -signal.SIGKILL

    def wait(self, seconds_max: float) -> int:
        """Its exit code, negative for a signal. Raises TimeoutError."""
        self.process.join(seconds_max)
        if self.process.exitcode is None:
            raise TimeoutError(f"the worker has not ended within {seconds_max:g} s")
        return self.process.exitcode

    def large_batches(self, over: int = 100) -> int:
        """How many batches had more records than that, which must be one of the bounds that /metrics has."""
        return self.count("tracker_batch_events_count") - self.count("tracker_batch_events_bucket", le=f"{over:.1f}")

    def crashed(self) -> bool:
        """Whether it has ended by an error that nobody did to it."""
        return " CRITICAL " in self.said()

    def problems(self) -> list[str]:
        """What /healthz says is wrong; empty when nothing is, or while it can't be asked."""
        page = self._page("healthz")
        return [] if page is None else [str(problem) for problem in msgspec.json.decode(page)["problems"]]

    def notices(self) -> list[str]:
        """What /healthz says beside problems; empty while it can't be asked."""
        page = self._page("healthz")
        return [] if page is None else [str(notice) for notice in msgspec.json.decode(page)["notices"]]

    def count(self, metric: str, **labels: str) -> int:
        """What /metrics says of a counter or gauge (`tracker_recoveries_total`), added up over the series with these
        labels; 0 where there is none, or while it can't be asked."""
        page = self._page("metrics")
        families = text_string_to_metric_families(page.decode()) if page is not None else ()
        samples = (sample for family in families for sample in family.samples if sample.name == metric)
        return int(sum(sample.value for sample in samples if labels.items() <= sample.labels.items()))

    def ready(self) -> bool:
        """Whether /readyz says so; False while it can't be asked."""
        page = self._page("readyz")
        return page is not None and msgspec.json.decode(page)["status"] == "ready"

    def complains(self, words: str, seconds_max: float = 40) -> bool:
        """Waits until /healthz names a problem with these words in it; False if it does not."""
        try:
            until(lambda: any(words in problem for problem in self.problems()), seconds_max, words)
        except TimeoutError:
            return False
        return True

    def _page(self, name: str) -> bytes | None:
        """What it answers there; None while it can't be asked."""
        found = re.search(r"^ready (http://\S+)$", self.said(), re.MULTILINE)
        if found is None:
            return None
        try:
            return urllib3.request("GET", f"{found[1]}/{name}", timeout=5, retries=False).data
        except urllib3.exceptions.HTTPError:
            return None

    def says(self, words: str) -> int:
        """How many lines of its log hold these words."""
        return sum(words in line for line in self.said().splitlines())

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


CONTEXT = _forkserver()
