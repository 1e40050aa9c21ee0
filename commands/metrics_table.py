"""The list of the worker's metrics and pages, for operators: docs/metrics.md."""

from prometheus_client import CollectorRegistry, Metric

from streams.ops.health import STALL_SECONDS
from streams.ops.metrics import Metrics

_HEAD = f"""# What a worker says of itself

Made by `tracker documents` from `streams/ops/metrics.py`. Each worker answers on `TRACKER_WEB_HOST` and
`TRACKER_WEB_PORT`; no page and no label holds a customer, an account or an amount.

## /healthz

200 `{{"status":"ok","problems":[],"notices":[]}}`, or 503 with `"status":"unhealthy"` and `"problems":["redis: ..."]`:
a sentence for each problem, which begins with what it is about. `notices` say what operators should know although the
worker does all it can: `partition N: nothing has come for 60 h ...`, an outage of the feed ([time.md](time.md)).

| problem | what it means |
|---|---|
| `kafka:` | no broker answers, a topic is not as it must be, or rights are missing; the worker waits and tries again |
| `redis:` | Redis does not answer, or can't take a write; the partitions wait and are claimed again |
| `publishing:` | alerts and dead letters have not been taken by Kafka for some seconds; they wait in Redis |
| `rights:` | rights in Kafka have been taken from the worker's user; [security.md](security.md) has them all |
| `group:` | this worker has been out of its consumer group for long; it joins anew by itself |
| `offer catalogue:` | the newest offers can't be kept in Kafka yet; the last ones that were kept are used |
| `partition N:` | this partition stands still until somebody has decided; the sentence says about what |
| `agent:`, `consumer:`, `publisher:`, `event loop:`, `drift watcher:` | has not moved for {STALL_SECONDS:.0f} s |
| `crashed:` | the kind of an error that no retry helps against; the process is about to end with status 1 |

## /readyz

200 `{{"status":"ready","waiting_for":[]}}`, or 503 `{{"status":"not ready","waiting_for":["partitions","caught up"]}}`:
some of `offer catalogue` (every offer that was in the topic at the start is known), `partitions` (the worker has its
place in the group) and `caught up` (what was in its partitions has been read).

## The consumer group's offsets

The offset of a partition of the transactions has a text beside it (its metadata), which says how far alerts are
published. Every client but confluent-kafka shows it with a NUL character at its end: librdkafka writes it so. A tool
that copies or compares offsets must take it as it is.

## /metrics

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics_table() -> str:
    """The page as Markdown."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.partition(0)
    metrics.churn_drift("score")
    own = [metric for metric in registry.collect() if metric.name.startswith("tracker_")]
    return _HEAD + "".join(f"{_row(metric)}\n" for metric in own)


def _row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return f"| `{name}` | {metric.type} | {', '.join(_labels(metric))} | {metric.documentation} |"


def _labels(metric: Metric) -> list[str]:
    """Each with its words, where there are a few that don't change."""
    words: dict[str, list[str]] = {}
    for sample in metric.samples:
        for label, word in sample.labels.items():
            if label != "le" and word not in words.setdefault(label, []):
                words[label].append(word)
    return [f"`{label}`" + (f" ({', '.join(values)})" if len(values) > 1 else "") for label, values in words.items()]
