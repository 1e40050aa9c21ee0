"""One run of the bench: what was asked, everything measured one after the other, and the figures for JSON."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from commands.benchmark.footprint import lay_out
from commands.benchmark.latency import Latency, at_rate, warm_seconds
from commands.benchmark.recovery import REBALANCE_RATE, REBALANCE_SECONDS, Crash, Rebalance, crash, rebalance, start
from commands.benchmark.stage import Stage
from commands.benchmark.throughput import Throughput, from_backlog, replayed
from commands.benchmark.workload import ALERT_SHARE, EVENT_BYTES, Workload


class Measure(StrEnum):
    """What may be asked for alone."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"
    REBALANCE = "rebalance"
    CRASH = "crash"
    REPLAY = "replay"


RATES = (5_000.0, 20_000.0)
"""Events a second, open loop; the last one's figures are the headline's."""

REPLAY_EVENTS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. Raises nothing: `tracker bench` checks."""

    events: int
    """Events in the backlog."""
    customers: int
    skew: float
    customers_known: bool
    """Customers have a past of 90 days, as in footprint.py; else they are new."""
    workers: int
    partitions: int
    seconds: float
    """Length of each fixed load."""
    seed: int


@dataclass(slots=True)
class Findings:
    """What was measured; None or empty for what was not."""

    plan: Plan
    guarantees: dict[str, object]
    redis_bytes_per_customer: float | None = None
    start_s: float | None = None
    throughput: Throughput | None = None
    latencies: list[Latency] = field(default_factory=list)
    rebalance: Rebalance | None = None
    crash: Crash | None = None
    replay_events_per_s: float | None = None

    def json(self) -> dict[str, Any]:
        """The headlines by name, and all there is."""
        throughput, latency = self.throughput, self.latencies[-1] if self.latencies else None
        return {
            "events_per_s": throughput and throughput.events_per_s,
            "cpu_us_per_event": throughput and throughput.worker_cpu_us,
            "latency_p50_ms": latency and latency.p50_ms,
            "latency_p99_ms": latency and latency.p99_ms,
            "latency_p999_ms": latency and latency.p999_ms,
            "latency_max_ms": latency and latency.max_ms,
            "redis_bytes_per_customer": self.redis_bytes_per_customer,
            "replay_events_per_s": self.replay_events_per_s,
            "start_to_first_event_s": self.start_s,
            **asdict(self.plan),
            "event_bytes": EVENT_BYTES,
            "throughput": throughput and asdict(throughput),
            "latencies": [asdict(each) for each in self.latencies],
            "rebalance": self.rebalance and asdict(self.rebalance),
            "crash": self.crash and asdict(self.crash),
            "guarantees": self.guarantees,
        }


def customers_min(plan: Plan, wanted: Collection[Measure]) -> int:
    """So many customers are needed that nobody gets two salaries within a day, and all are alerted of."""
    events = plan.events if Measure.THROUGHPUT in wanted else 0
    if Measure.LATENCY in wanted:
        events += int(sum(RATES) * (plan.seconds + warm_seconds(plan.seconds)))
    if Measure.REBALANCE in wanted:
        events += int(REBALANCE_RATE * REBALANCE_SECONDS)
    return int(events * ALERT_SHARE * 1.1)


def run(kafka: str, redis_url: str, plan: Plan, wanted: Collection[Measure], say: Callable[[str], None]) -> Findings:
    """One measurement after the other on the same state; a crash comes last, as it leaves a backlog.

    Raises Failure, KafkaException, redis.RedisError.
    """
    workload = Workload(plan.seed, plan.customers, plan.skew)
    with Stage(kafka, redis_url, plan.partitions) as stage:
        findings = Findings(plan, stage.guarantees())
        if plan.customers_known:
            say(f"laying out {plan.customers:,} customers")
            findings.redis_bytes_per_customer = lay_out(stage, plan.customers, plan.seed)
        say(f"starting {plan.workers} workers")
        first, findings.start_s = start(stage, workload)
        team = [first, *(stage.start_worker() for _ in range(plan.workers - 1))]
        for worker in team:
            worker.wait_ready()
        if Measure.THROUGHPUT in wanted:
            say(f"a backlog of {plan.events:,} events")
            findings.throughput = from_backlog(stage, workload.part(plan.events), team)
        if Measure.LATENCY in wanted:
            for rate in RATES:
                say(f"{rate:,.0f} events a second for {plan.seconds:g} s")
                findings.latencies.append(at_rate(stage, workload, rate, plan.seconds))
        if Measure.REBALANCE in wanted:
            for worker in team[1:]:
                worker.stop()
            team = [first]
            say("a second worker comes and goes")
            findings.rebalance = rebalance(stage, workload)
        if Measure.CRASH in wanted:
            say("a crash")
            findings.crash = crash(stage, workload, team)
    if Measure.REPLAY in wanted:
        say("replaying history")
        history = Workload(plan.seed, plan.customers, plan.skew)
        findings.replay_events_per_s = replayed(history, min(plan.events, REPLAY_EVENTS_MAX))
    return findings
