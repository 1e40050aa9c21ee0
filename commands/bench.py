"""`tracker bench`: how fast it is, on any Kafka and Redis, with every guarantee on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, get_args

import typer
from rich.table import Table

from commands.benchmark.footprint import lay_out
from commands.benchmark.latency import Latency, at_rate
from commands.benchmark.stage import Stage, Worker
from commands.benchmark.throughput import Throughput, from_backlog
from commands.benchmark.workload import EVENT_BYTES, Workload
from commands.console import err, out, print_json

Measure = Literal["throughput", "latency", "memory"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
RATES = (5_000.0, 20_000.0)
"""Events a second, open loop; the last one's figures are the headline's."""


@dataclass(slots=True)
class Findings:
    """What was measured; None or empty for what was not."""

    redis_bytes_per_customer: float | None = None
    throughput: Throughput | None = None
    latencies: list[Latency] = field(default_factory=list)


def bench(
    kafka: Annotated[str, typer.Option(metavar="HOST:PORT", help="Brokers, separated by commas.")],
    redis: Annotated[str, typer.Option(metavar="URL", help="redis://host:port/db; must hold no tracker's state.")],
    events: Annotated[int, typer.Option(min=10_000, help="Events of the backlog.")] = 1_000_000,
    customers: Annotated[int, typer.Option(min=1_000, help="At least a hundredth of the events.")] = 100_000,
    skew: Annotated[float, typer.Option(min=0, max=2, help="Zipf exponent of who transacts; 0 is evenly.")] = 0.0,
    known: Annotated[
        bool, typer.Option(help="Customers have a past, 30 active days in 90; without it they are new.")
    ] = True,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes, on this machine.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=1024, help="Of the topic of transactions.")] = 8,
    seconds: Annotated[float, typer.Option(min=1, help="How long each fixed load lasts.")] = 30.0,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Measure this alone: {', '.join(MEASURES)}; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the workload.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Last line: all figures as one line of JSON.")] = False,
) -> None:
    """Measure the tracker on this Kafka and this Redis, with topics, group and keys of its own, removed at the end.

    Throughput is from a backlog; latency from produce to alert visible to a read_committed subscriber, at fixed loads
    that do not wait for anything. Settings TRACKER_* hold for the workers that are started.
    """
    if customers * 100 < events:
        raise typer.BadParameter("at least a hundredth of --events", param_hint="--customers")
    wanted = set(only or MEASURES)
    if unknown := wanted - set(MEASURES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: write {', '.join(MEASURES)}", param_hint="--only")
    workload = Workload(seed, customers, skew)
    found = Findings()
    with Stage(kafka, redis, partitions) as stage:
        guarantees = stage.guarantees()
        if known or "memory" in wanted:
            with saying("laying out customers"):
                found.redis_bytes_per_customer = lay_out(stage, customers, seed) if known else None
        with saying("starting workers"):
            team = start(stage, workers)
        if "throughput" in wanted:
            with saying("working off a backlog"):
                found.throughput = from_backlog(stage, workload.part(events), team)
        if "latency" in wanted:
            for rate in RATES:
                with saying(f"{rate:,.0f} events a second for {seconds:g} s"):
                    found.latencies.append(at_rate(stage, workload, rate, seconds))
    asked = {"events": events, "customers": customers, "skew": skew, "customers_known": known, "workers": workers}
    asked |= {"partitions": partitions, "seed": seed, "event_bytes": EVENT_BYTES}
    show(found)
    if as_json:
        print_json(figures(found) | asked | {"guarantees": guarantees})


def start(stage: Stage, number: int) -> list[Worker]:
    """So many workers, all ready."""
    team = [stage.start_worker() for _ in range(number)]
    for worker in team:
        worker.wait_ready()
    return team


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Tells on standard error what takes long."""
    with err.status(what):
        yield


def figures(found: Findings) -> dict[str, Any]:
    """The figures for JSON: the headlines by name, and all there is."""
    throughput, latency = found.throughput, found.latencies[-1] if found.latencies else None
    return {
        "events_per_s": throughput and throughput.events_per_s,
        "cpu_us_per_event": throughput and throughput.worker_cpu_us,
        "latency_p50_ms": latency and latency.p50_ms,
        "latency_p99_ms": latency and latency.p99_ms,
        "latency_p999_ms": latency and latency.p999_ms,
        "latency_max_ms": latency and latency.max_ms,
        "redis_bytes_per_customer": found.redis_bytes_per_customer,
        "throughput": throughput and asdict(throughput),
        "latencies": [asdict(each) for each in found.latencies],
    }


def show(found: Findings) -> None:
    """The same for people."""
    table = Table(box=None, show_header=False)
    if (t := found.throughput) is not None:
        broker = "elsewhere" if t.broker_cpu_us is None else f"{t.broker_cpu_us:.1f}"
        table.add_row("Throughput", f"[bold]{t.events_per_s:,.0f}[/] events/s over {t.seconds:.1f} s")
        table.add_row(
            "CPU an event", f"worker {t.worker_cpu_us:.2f} µs, Redis {t.redis_cpu_us:.2f} µs, broker {broker} µs"
        )
        steps = ", ".join(f"{step} {us:.2f}" for step, us in t.steps_us.items() if us is not None)
        table.add_row("Steps, µs an event", steps or "/metrics did not answer")
        table.add_row("Memory of workers", f"{t.memory_bytes / 2**20:,.0f} MiB")
    for each in found.latencies:
        figures = f"p50 {each.p50_ms:.1f}, p99 {each.p99_ms:.1f}, p99.9 {each.p999_ms:.1f}, max {each.max_ms:.1f} ms"
        lost = f", [red]{each.missing} missing, {each.twice} twice[/]" if each.missing or each.twice else ""
        table.add_row(f"Latency at {each.rate:,.0f}/s", f"{figures} ({each.alerts:,} alerts{lost})")
    if found.redis_bytes_per_customer is not None:
        table.add_row("Redis", f"{found.redis_bytes_per_customer:,.0f} B a customer with 30 active days in 90")
    out.print(table)
