"""From produce to alert visible, at a fixed load."""

import time
from dataclasses import dataclass

from commands.benchmark.load import SILENCE_SECONDS_MAX, Sender, Subscriber, histogram, quiet_collector
from commands.benchmark.stage import Stage
from commands.benchmark.workload import Part, Workload

_WARM_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Latency:
    """From the moment at which an event was due to be sent to its alert at a read_committed subscriber."""

    rate: float
    """Events a second, open loop."""
    events: int
    alerts: int
    """Alerts measured."""
    missing: int
    """Salaries whose alert has not come."""
    twice: int
    """Alerts that came more than once."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    sender_behind_ms_max: float


def warm_seconds(seconds: float) -> float:
    """How long is sent at the same rate before a clock starts that runs for so long: connections and caches settle, and
    a broker that is new to such a load compiles what it needs for it."""
    return min(seconds, _WARM_SECONDS_MAX)


def at_rate(stage: Stage, workload: Workload, rate: float, seconds: float) -> Latency:
    """Sends for so long at so many events a second, in their own time, and hears the alerts. Raises Failure."""
    stage.rest()
    warming = warm_seconds(seconds)
    events = int(rate * (seconds + warming))
    part = workload.part(events, span_ms=round(events / rate * 1000))
    warm = int(rate * warming)
    expected = set(part.number[warm:][part.alerting[warm:]].tolist())
    subscriber = Subscriber(stage, stage.settings.topic_alerts)
    sender = Sender(part, rate, stage.settings.topic_transactions, stage.partitions)
    try:
        heard, repeated = hear(sender, subscriber, part, expected)
        sent = sender.wait()
    finally:
        sender.close()
        subscriber.close()
    latencies = histogram()
    first = int(part.number[0])
    for number, at in heard.items():
        if number - first >= warm:
            latencies.record_value(max(1, round((at - sender.start - (number - first) / rate) * 1e6)))
    return Latency(
        rate=rate,
        events=len(part) - warm,
        alerts=latencies.get_total_count(),
        missing=len(expected - heard.keys()),
        twice=repeated,
        p50_ms=latencies.get_value_at_percentile(50) / 1e3,
        p99_ms=latencies.get_value_at_percentile(99) / 1e3,
        p999_ms=latencies.get_value_at_percentile(99.9) / 1e3,
        max_ms=latencies.get_max_value() / 1e3,
        sender_behind_ms_max=sent.behind_ms_max,
    )


def hear(sender: Sender, subscriber: Subscriber, part: Part, expected: set[int]) -> tuple[dict[int, float], int]:
    """When each event's first alert came, and how many alerts came again; ends when all are there or none comes."""
    heard: dict[int, float] = {}
    alert_ids: set[str] = set()
    repeated = 0
    with quiet_collector():
        start = sender.go()
        end = start + len(part) / sender.rate + SILENCE_SECONDS_MAX
        left = len(expected)
        while left and time.monotonic() < end:
            for at, number, alert_id in subscriber.arrivals(min(end, time.monotonic() + 1.0)):
                repeated += alert_id in alert_ids
                alert_ids.add(alert_id)
                if number not in heard:
                    heard[number] = at
                    left -= number in expected
    return heard, repeated
