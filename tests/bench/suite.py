"""`make bench`: the tracker on a real Kafka and a real Redis of its own, beside the rulers; one table, one JSON file.

    python -m tests.bench.suite [--quick]

Ends with 1 if an alert was lost.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson
import psutil
from rich.console import Console
from rich.table import Table

from commands.benchmark.run import Findings, Measure, Plan, run
from commands.benchmark.stage import Stage
from commands.benchmark.workload import Workload
from commands.embedded import EmbeddedRedis
from tests.bench import decisions, rulers
from tests.servers import Kafka, missing_for

RESULTS = Path("var/bench")
SKEW = 0.8
"""One event in 60 is the busiest customer's, among 100,000."""

FAUST_PARTITIONS = 8
HEAP = "-Xms4g -Xmx4g -Xmn3g"
"""Of the broker: it then stops to collect once in a minute of 20,000 events/s."""

ONE, TWO = "one worker, pair", "two workers, pair"

out, err = Console(width=None if sys.stdout.isatty() else 200), Console(stderr=True)

_ALL = tuple(Measure)
_BACKLOG = (Measure.THROUGHPUT,)


class Scenario(NamedTuple):
    name: str
    plan: Plan
    measures: tuple[Measure, ...]


def scenarios(quick: bool) -> list[Scenario]:
    """The first is the one whose figures are the headlines."""
    if quick:
        base = Plan(200_000, 100_000, 0.0, True, 1, 4, 5.0, seed=1)
        return [
            Scenario("headline", base, (Measure.THROUGHPUT, Measure.LATENCY, Measure.REPLAY)),
            *pairs(base, 1),
        ]
    base = Plan(1_000_000, 100_000, 0.0, True, 1, 4, 90.0, seed=1)
    large = replace(base, customers=1_000_000, events=2_000_000)
    return [
        Scenario("headline", base, _ALL),
        Scenario("new customers", replace(base, customers_known=False), _BACKLOG),
        Scenario("skewed", replace(base, skew=SKEW), _BACKLOG),
        Scenario("two workers, skewed", replace(base, workers=2, skew=SKEW), _BACKLOG),
        Scenario("1,000,000 customers", large, (Measure.THROUGHPUT, Measure.CRASH)),
        Scenario("1,000,000, skewed", replace(large, skew=SKEW), _BACKLOG),
        Scenario("1,000,000, two workers", replace(large, workers=2), _BACKLOG),
        Scenario("1 partition", replace(base, partitions=1), _BACKLOG),
        Scenario("8 partitions", replace(base, partitions=8), _BACKLOG),
        Scenario("64 partitions", replace(base, partitions=64), _BACKLOG),
        Scenario("20,000 customers", replace(base, customers=20_000), _BACKLOG),
        Scenario("four workers", replace(base, workers=4), _BACKLOG),
        *pairs(base, 3),
    ]


def pairs(base: Plan, count: int) -> list[Scenario]:
    """One worker and two, in turn: they differ by less than the same run does from one time to the next."""
    plans = {ONE: base, TWO: replace(base, workers=2)}
    return [Scenario(f"{name} {k}", plan, _BACKLOG) for k in range(1, count + 1) for name, plan in plans.items()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, in under three minutes")
    quick = parser.parse_args().quick
    for server in ("kafka", "redis_server"):
        if reason := missing_for(server):
            err.print(f"[red]{reason}[/]")
            return 1
    found: list[tuple[str, Findings]] = []
    os.environ.setdefault("KAFKA_HEAP_OPTS", HEAP)
    with Kafka() as kafka:
        headline, *others = scenarios(quick)
        # A broker compiles its code while it runs, through millions of records: the headlines are not to pay for that,
        # nor what is compared with them.
        for name, plan, measures in (*others, headline):
            with EmbeddedRedis("redis-server") as server:
                say = lambda text, name=name: err.print(f"[dim]{datetime.now(UTC):%H:%M:%S} {name}: {text}[/]")  # noqa: E731
                found.append((name, run(kafka.bootstrap_servers, server.url, plan, measures, say)))
        found.insert(0, found.pop())
        err.print("[dim]rulers[/]")
        with EmbeddedRedis("redis-server") as server:
            beside = rule(kafka.bootstrap_servers, server.url, found[0][1].plan, 20_000 if quick else 60_000)
    err.print("[dim]decisions[/]")
    deciding = decisions.decisions()
    results = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": psutil.cpu_count(),
        "runs": [{"name": name, **each.json()} for name, each in found],
        "rulers": beside,
        "ratios": ratios(found, beside),
        "decisions": [one._asdict() for one in deciding],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}{'-quick' if quick else ''}.json"
    file.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    show(found, beside, results["ratios"])
    out.print(decisions.table(deciding))
    out.print(f"All figures: {file}")
    lost = sum(latency.missing for _, each in found for latency in each.latencies)
    if lost:
        err.print(f"[red]{lost} alerts were lost[/]")
    return 1 if lost else 0


def rule(kafka: str, redis_url: str, plan: Plan, faust_events: int) -> dict[str, Any]:
    """The rulers' figures."""
    with Stage(kafka, redis_url, plan.partitions) as stage:
        latencies = rulers.echo(stage, Workload(plan.seed, plan.customers, plan.skew), plan.seconds)
    with Stage(kafka, redis_url, FAUST_PARTITIONS) as stage:
        table = rulers.faust_table(stage, Workload(plan.seed, plan.customers, plan.skew), faust_events)
    return {"echo": latencies, "faust_table": {"events": faust_events, **table}}


def ratios(found: list[tuple[str, Findings]], beside: dict[str, Any]) -> dict[str, float]:
    """Two workers beside one, in the median of pairs; the tracker beside the rulers: how many times as many events, how
    many times the latency."""
    headline, rates = found[0][1], {name: each.throughput.events_per_s for name, each in found if each.throughput}
    one, two = ([rate for name, rate in rates.items() if name.startswith(words)] for words in (ONE, TWO))
    compared = {
        "events_per_s_of_two_workers_to_one": median(b / a for a, b in zip(one, two, strict=True)),
        "events_per_s_to_faust_table": rates[found[0][0]] / beside["faust_table"]["events_per_s"],
    }
    for ours, theirs in zip(headline.latencies, beside["echo"], strict=True):
        compared[f"p99_to_echo_at_{ours.rate:.0f}"] = ours.p99_ms / theirs["p99_ms"]
    return compared


def show(found: list[tuple[str, Findings]], beside: dict[str, Any], compared: dict[str, float]) -> None:
    """The one table; steps and CPU are µs an event."""
    table = Table("run", box=None)
    heads = ("events/s", "worker µs", "Redis µs", "broker µs", "poll", "decode", "load", "decide", "commit", "publish")
    for head in (*heads, "worker MiB", "Redis B/customer", "cores elsewhere"):
        table.add_column(head, justify="right")
    for name, each in found:
        if (t := each.throughput) is None:
            continue
        cells = (t.worker_cpu_us, t.redis_cpu_us, t.broker_cpu_us, *t.steps_us.values())
        table.add_row(
            name,
            f"{t.events_per_s:,.0f}",
            *("-" if us is None else f"{us:.2f}" for us in cells),
            f"{t.memory_bytes / 2**20:,.0f}",
            "-" if each.redis_bytes_per_customer is None else f"{each.redis_bytes_per_customer:,.0f}",
            "-" if t.cores_elsewhere is None else f"{t.cores_elsewhere:.1f}",
        )
    faust = beside["faust_table"]
    table.add_row("Faust, agent and Table", f"{faust['events_per_s']:,.0f}", f"{faust['cpu_us_per_event']:.2f}")
    out.print(table, crop=False, overflow="ignore", no_wrap=True)
    latencies = Table("latency, ms", "p50", "p99", "p99.9", "max", "alerts", "missing", box=None)
    for name, each in found:
        for one in each.latencies:
            row = (one.p50_ms, one.p99_ms, one.p999_ms, one.max_ms)
            latencies.add_row(
                f"{name} at {one.rate:,.0f}/s", *map("{:.1f}".format, row), f"{one.alerts:,}", f"{one.missing}"
            )
    for one in beside["echo"]:
        row = (one["p50_ms"], one["p99_ms"], one["p999_ms"], one["max_ms"])
        latencies.add_row(f"bare echo at {one['rate']:,.0f}/s", *map("{:.1f}".format, row), f"{one['alerts']:,}", "")
    out.print(latencies)
    for name, each in found:
        if each.crash is not None:
            out.print(f"{name}: crash to first new event {each.crash.to_first_event_s:.1f} s, ", end="")
            out.print(f"to caught up {each.crash.to_caught_up_s:.1f} s")
        if (r := each.rebalance) is not None:
            out.print(f"{name}: longest latency {r.join_max_ms:,.0f} ms when a worker joins, ", end="")
            out.print(f"{r.leave_max_ms:,.0f} ms when it leaves, {r.steady_max_ms:,.0f} ms before")
        if each.replay_events_per_s is not None:
            out.print(
                f"{name}: replay {each.replay_events_per_s:,.0f} events/s; start to first event {each.start_s:.1f} s"
            )
    for what, times in compared.items():
        out.print(f"{what.replace('_', ' ')}: {times:.2f} times")


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    err.print(f"[dim]{time.monotonic() - started:,.0f} s[/]")
    sys.exit(code)
