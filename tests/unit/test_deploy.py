"""What runs the tracker elsewhere agrees with the program, and the tools that will read it accept it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from commands.main import run as program
from deploy import dashboard
from streams.ops.metrics import Metrics
from streams.ops.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
OF_PROMETHEUS_ITSELF = {"up"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true",
    reason="promtool is not installed (Debian's package prometheus has it)",
)


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def rules() -> Iterator[Mapping[str, Any]]:
    for group in yaml(PROMETHEUS / "rules.yml")["groups"]:
        yield from group["rules"]


def panels() -> list[Mapping[str, Any]]:
    return [panel for panel in json.loads(dashboard.document())["panels"] if panel["type"] != "row"]


def dashboard_queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def samples() -> dict[str, str]:
    """The metric behind every sample name that a worker can send, a partition's and the churn model's included."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.partition(0)
    metrics.churn_drift("score")
    return {sample.name: metric.name for metric in registry.collect() for sample in metric.samples}


def metrics_in(query: str) -> set[str]:
    """Names of metrics in PromQL; labels and their values are none."""
    bare = re.sub(r'\{[^}]*\}|"[^"]*"|(by|on|ignoring) \([^)]*\)', " ", query)
    return set(re.findall(r"\b(?:tracker|process)[\w:]*\b|\bup\b", bare))


def services() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml(ROOT / "docker-compose.yml")["services"]
    return found


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def installed(name: str) -> Path:
    """A tool of the development dependencies, beside the interpreter."""
    return Path(sys.executable).parent / name


def test_every_metric_in_rules_and_dashboard_is_one_that_workers_send() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    queries = [rule["expr"] for rule in rules()] + dashboard_queries()
    unknown = {name for query in queries for name in metrics_in(query)} - samples().keys() - recorded
    assert unknown <= OF_PROMETHEUS_ITSELF


def test_every_metric_of_the_tracker_is_on_the_dashboard() -> None:
    of = samples()
    shown = {of[name] for query in dashboard_queries() for name in metrics_in(query) & of.keys()}
    assert {name for name in of.values() if name.startswith("tracker_")} <= shown


def test_every_panel_says_what_it_shows() -> None:
    silent = {panel["title"] for panel in panels() if not panel["description"]}
    assert silent <= {"Workers down"}


def test_the_dashboard_file_is_what_the_code_makes() -> None:
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.document(), "run python -m deploy.dashboard"


def test_every_alert_says_what_is_wrong_what_it_means_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"].keys() == {"summary", "description", "runbook"}, rule["alert"]
            assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]


def test_every_alert_is_made_to_fire_in_the_rule_tests() -> None:
    tests = (PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8")
    fired = set(re.findall(r'alertname="(\w+)", alertstate="firing"', tests))
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_every_setting_that_help_texts_and_runbooks_name_exists() -> None:
    texts = (PROMETHEUS / "rules.yml").read_text(encoding="utf-8") + dashboard.document()
    named = {name.removeprefix(PREFIX).lower() for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", texts)}
    assert named
    assert named <= Settings.model_fields.keys()


def test_the_settings_in_compose_and_image_are_ones_that_a_worker_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    given = dict(re.findall(rf"\b({PREFIX}[A-Z_]+)=(\S+)", image))
    given |= services()["worker-1"]["environment"]
    assert {name.removeprefix(PREFIX).lower() for name in given} <= Settings.model_fields.keys()
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().kafka_bootstrap_servers == "kafka:9092"


def test_prometheus_scrapes_the_workers_that_compose_starts() -> None:
    (job,) = yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    port = re.search(r"TRACKER_WEB_PORT=(\d+)", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
    assert port
    workers = {f"{name}:{port[1]}" for name, service in services().items() if service.get("command") == ["worker"]}
    assert set(job["static_configs"][0]["targets"]) == workers
    assert len(workers) == 2


def test_every_command_that_compose_and_runbooks_name_exists() -> None:
    shells = " && ".join(command for service in services().values() for command in service.get("command", []))
    quoted = "\n".join(re.findall(r"`(tracker [^`]+)`", (PROMETHEUS / "rules.yml").read_text(encoding="utf-8")))
    lines = re.findall(r"\btracker ([^&|\n]+)", shells + "\n" + quoted)
    assert len(lines) == 7
    for line in [*lines, "worker"]:
        command: Any = typer.main.get_command(program)
        words = line.split()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if re.match("-+[a-z]", word)} <= options, line


def test_every_image_is_pinned_to_a_version() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for image in [*bases, *(service["image"] for service in services().values())]:
        assert re.search(r":v?\d+\.\d+\.\d+", image), image


def test_no_service_may_gain_privileges_or_take_the_whole_machine() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert service.get("read_only", name == "kafka"), name


def test_files_that_compose_mounts_exist() -> None:
    mounts = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])]
    local = [mount for mount in mounts if mount.startswith(".")]
    local += [config["file"] for config in yaml(ROOT / "docker-compose.yml")["configs"].values()]
    assert local
    assert [path for path in local if not (ROOT / path).exists()] == []


def test_compose_follows_the_specification() -> None:
    run(installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_dockerfile_has_nothing_to_object_to() -> None:
    run(installed("hadolint"), "deploy/Dockerfile")


@needs_promtool
def test_prometheus_accepts_configuration_and_rules() -> None:
    run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    run("promtool", "check", "rules", PROMETHEUS / "rules.yml")


@needs_promtool
def test_each_alert_fires_on_its_trouble_and_stays_silent_otherwise() -> None:
    run("promtool", "test", "rules", PROMETHEUS / "rules_test.yml")


@needs_promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [{"record": f"query:{place}", "expr": query} for place, query in enumerate(dashboard_queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": queries}]}), encoding="utf-8")
    run("promtool", "check", "rules", file)
