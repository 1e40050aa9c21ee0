"""A real Prometheus over the tracker's rules, made quicker in one stated way."""

import json
import re
import shutil
import tempfile
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from commands.embedded import START_SECONDS_MAX, TiedProcess, free_port

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"

QUICKER = 60
"""Every duration in the rules, and every threshold of a metric in seconds, is divided by that: a minute is a second."""

FEWER = 10_000
"""The threshold of records waiting is divided by that."""

SCRAPE_MS, EVALUATE_MS = 800, 400
"""A scrape that takes longer has failed, which begins the time of every alert that waits anew."""

_SECONDS = {"s": 1, "m": 60, "h": 3_600}


def quicker(rules: str) -> str:
    """The text of the rules with that done to it, and nothing else."""

    def duration(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) * _SECONDS[found[3]] * 1_000 // QUICKER}ms{found[4]}"

    def seconds(found: re.Match[str]) -> str:
        return f"{found[1]}{float(found[2]) / QUICKER:g}"

    def records(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) // FEWER}"

    rules = re.sub(r"(\[)(\d+)([smh])(\])", duration, rules)
    rules = re.sub(r"(for: )(\d+)([smh])(\n)", duration, rules)
    rules = re.sub(r"(_seconds\)? > )(\d+)\b", seconds, rules)
    return re.sub(r"(tracker_lag_events\)\) > )(\d+)", records, rules)


class Prometheus:
    """Scrapes the addresses that it is given, and evaluates the rules."""

    def __init__(self) -> None:
        with ExitStack() as undo:
            self._folder = Path(tempfile.mkdtemp(prefix="tracker-prometheus-"))
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            (self._folder / "rules.yml").write_text(quicker(RULES.read_text("utf-8")))
            self.scrape()
            config = {
                "global": {"scrape_interval": f"{SCRAPE_MS}ms", "evaluation_interval": f"{EVALUATE_MS}ms"},
                "rule_files": ["rules.yml"],
                "scrape_configs": [
                    {
                        "job_name": "tracker",
                        "scrape_timeout": f"{SCRAPE_MS}ms",
                        "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
                    }
                ],
            }
            (self._folder / "prometheus.yml").write_text(json.dumps(config))
            port = free_port()
            self._url = f"http://127.0.0.1:{port}"
            command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
            command += [f"--web.listen-address=127.0.0.1:{port}"]
            there = ["env", f"--chdir={self._folder}", *command]
            self._process = TiedProcess(there, self._folder / "output")
            undo.callback(self._process.stop)
            self._process.wait_until(self._answers, START_SECONDS_MAX)
            self._undo = undo.pop_all()

    def scrape(self, *addresses: str) -> None:
        """From now on these (host:port), and no others."""
        new = self._folder / "targets.new"
        new.write_text(json.dumps([{"targets": list(addresses)}]))
        new.rename(self._folder / "targets.json")

    def fired(self, seconds: float) -> set[tuple[str, str]]:
        """Alerts that have fired at any time within the last so many seconds: name and, where the rule keeps it apart,
        instance, else ""."""
        window = f"{max(1, round(seconds * 1_000))}ms"
        found = self.query(f'count by (alertname, instance) (count_over_time(ALERTS{{alertstate="firing"}}[{window}]))')
        return {(one["metric"]["alertname"], one["metric"].get("instance", "")) for one in found}

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(f"query?query={urllib.parse.quote(expression)}")["result"]
        return found

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self._url}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)["data"]

    def _answers(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self._url}/-/ready", timeout=1).status == 200)
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._undo.close()
