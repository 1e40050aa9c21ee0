"""`tracker bench`: how fast it is, on any Kafka and Redis, with every guarantee on."""

from typing import Annotated

import typer
from rich.table import Table

from commands.benchmark.run import Findings, Measure, Plan, customers_min, run
from commands.console import err, out, print_json

BUSY_CORES = 0.2


def bench(
    kafka: Annotated[str, typer.Option(metavar="HOST:PORT", help="Brokers, separated by commas.")],
    redis: Annotated[str, typer.Option(metavar="URL", help="redis://host:port/db; must hold no tracker's state.")],
    events: Annotated[int, typer.Option(min=10_000, help="Events of the backlog.")] = 1_000_000,
    customers: Annotated[int, typer.Option(min=1_000, help="Who they are of.")] = 100_000,
    skew: Annotated[float, typer.Option(min=0, max=2, help="Zipf exponent of who transacts; 0 is evenly.")] = 0.0,
    known: Annotated[
        bool, typer.Option("--known/--new", help="Customers have a past, 30 active days in 90, or none.")
    ] = True,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes, on this machine.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=1024, help="Of the topic of transactions.")] = 4,
    seconds: Annotated[float, typer.Option(min=1, help="How long each fixed load lasts.")] = 30.0,
    only: Annotated[list[Measure] | None, typer.Option(help="Measure this alone; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the workload.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Last line: all figures as one line of JSON.")] = False,
) -> None:
    """Measure the tracker on this Kafka and this Redis, with topics, group and keys of its own, removed at the end.

    Throughput is from a backlog; latency from produce to alert visible to a read_committed subscriber, at fixed loads
    that do not wait for anything. Settings TRACKER_* hold for the workers that are started.
    """
    plan, wanted = Plan(events, customers, skew, known, workers, partitions, seconds, seed), only or list(Measure)
    if customers < (least := customers_min(plan, wanted)):
        raise typer.BadParameter(f"write at least {least:,} for so many events", param_hint="--customers")
    with err.status("starting") as status:
        findings = run(kafka, redis, plan, wanted, status.update)
    show(findings)
    if as_json:
        print_json(findings.json())


def show(findings: Findings) -> None:
    """The figures for people."""
    table = Table(box=None, show_header=False)
    if (t := findings.throughput) is not None:
        broker = "elsewhere" if t.broker_cpu_us is None else f"{t.broker_cpu_us:.1f} µs"
        table.add_row("Throughput", f"[bold]{t.events_per_s:,.0f}[/] events/s over {t.seconds:.1f} s")
        table.add_row(
            "CPU an event", f"worker {t.worker_cpu_us:.2f} µs, Redis {t.redis_cpu_us:.2f} µs, broker {broker}"
        )
        steps = ", ".join(f"{step} {us:.2f}" for step, us in t.steps_us.items() if us is not None)
        table.add_row("Steps, µs an event", steps or "/metrics did not answer")
        if t.cores_elsewhere is not None and t.cores_elsewhere > BUSY_CORES:
            table.add_row("[yellow]Busy machine[/]", f"{t.cores_elsewhere:.1f} cores were at other work: measure again")
        table.add_row("Memory of workers", f"{t.memory_bytes / 2**20:,.0f} MiB")
    for each in findings.latencies:
        figures = f"p50 {each.p50_ms:.1f}, p99 {each.p99_ms:.1f}, p99.9 {each.p999_ms:.1f}, max {each.max_ms:.1f} ms"
        lost = f", [red]{each.missing} missing, {each.twice} twice[/]" if each.missing or each.twice else ""
        table.add_row(f"Latency at {each.rate:,.0f}/s", f"{figures} ({each.alerts:,} alerts{lost})")
    if findings.redis_bytes_per_customer is not None:
        table.add_row("Redis", f"{findings.redis_bytes_per_customer:,.0f} B a customer with 30 active days in 90")
    if findings.start_s is not None:
        table.add_row("Start", f"{findings.start_s:.1f} s to the first event")
    if (r := findings.rebalance) is not None:
        worst = f"{r.join_max_ms:,.0f} ms when one joins, {r.leave_max_ms:,.0f} ms when it leaves"
        table.add_row(
            "Rebalance", f"longest latency {worst}, {r.steady_max_ms:,.0f} ms before; {r.join_s:.1f} s to join"
        )
    if (c := findings.crash) is not None:
        first, whole = f"{c.to_first_event_s:.1f} s to the first new event", f"{c.to_caught_up_s:.1f} s to caught up"
        table.add_row("Crash", f"{first}, {whole}")
    if findings.replay_events_per_s is not None:
        table.add_row("Replay", f"{findings.replay_events_per_s:,.0f} events/s")
    out.print(table)
