"""Makes the Grafana dashboard, deploy/grafana/dashboard.json: `python -m deploy.dashboard`.

A panel is a line in ROWS. Its description is the help text of the metrics that it shows, so that both say the same.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)
from prometheus_client import CollectorRegistry

from handlers.intake.inputs import OUTCOMES, SIDE_INPUTS, InputTopic
from streams.ops.metrics import Metrics

FILE = Path(__file__).parent / "grafana" / "dashboard.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")


class Figure(NamedTuple):
    """A single number at the top: green below `warn`, then orange, red from `bad`."""

    title: str
    query: str
    unit: str
    warn: float | None = None
    bad: float | None = None


class Chart(NamedTuple):
    """Lines over time: (PromQL, legend) for each query."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]


FIGURES = (
    Figure("Transactions a second", "sum(rate(tracker_events_total[1m]))", "short"),
    Figure("Furthest behind", "max(tracker_lag_seconds)", "s", 10, 60),
    Figure("Freshness", "min(time() - max by (partition) (tracker_committed_timestamp_seconds > 0))", "s", 600, 1800),
    Figure("Alerts in the last hour", "sum(increase(tracker_alerts_total[1h]))", "short"),
    Figure("Unusable records in the last hour", "sum(increase(tracker_dead_letters_total[1h]))", "short", 1, 1000),
    Figure("Workers down", 'count(up{job="tracker"} == 0) or vector(0)', "short", 1, 2),
)

_BESIDE = {OUTCOMES: ("sum(increase(tracker_outcomes_unmatched_total[5m]))", "of no known alert")}
"""What a topic's chart shows beside its metric."""


def _told_on(topic: InputTopic) -> Chart:
    """The records of a topic beside the transactions."""
    by, legend = (
        (f" by ({topic.label}) ", f"{{{{{topic.label}}}}}") if topic.label else ("", topic.name.replace("_", " "))
    )
    query = f"sum{by}(increase(tracker_{topic.name}_total[5m]))"
    more = [_BESIDE[topic]] if topic in _BESIDE else []
    return Chart(f"{topic.counted} in five minutes", "short", [(query, legend), *more])


ROWS: dict[str, tuple[Chart, ...]] = {
    "Throughput": (
        Chart(
            "Transactions a second", "short", [("sum by (instance) (rate(tracker_events_total[1m]))", "{{instance}}")]
        ),
        Chart(
            "Time of a step, mean",
            "s",
            [
                (
                    "sum by (step) (rate(tracker_step_seconds_sum[1m]))"
                    " / sum by (step) (rate(tracker_step_seconds_count[1m]))",
                    "{{step}}",
                )
            ],
        ),
        Chart(
            "Time of a step, slowest 1 in 100",
            "s",
            [("histogram_quantile(0.99, sum by (le, step) (rate(tracker_step_seconds_bucket[5m])))", "{{step}}")],
        ),
        Chart(
            "Records in a batch",
            "short",
            [
                ("sum(rate(tracker_batch_events_sum[1m])) / sum(rate(tracker_batch_events_count[1m]))", "mean"),
                ("histogram_quantile(0.99, sum by (le) (rate(tracker_batch_events_bucket[5m])))", "largest 1 in 100"),
            ],
        ),
        Chart("Commits a second", "short", [("sum by (instance) (rate(tracker_commits_total[1m]))", "{{instance}}")]),
        Chart(
            "Commits refused in a minute",
            "short",
            [("sum by (instance, reason) (increase(tracker_commits_refused_total[1m]))", "{{instance}} {{reason}}")],
        ),
    ),
    "Behind": (
        Chart("Records waiting", "short", [("max by (partition) (tracker_lag_events)", "partition {{partition}}")]),
        Chart("Oldest record waiting", "s", [("max by (partition) (tracker_lag_seconds)", "partition {{partition}}")]),
        Chart(
            "Held back by an open transaction",
            "s",
            [("max by (partition) (tracker_held_back_seconds)", "partition {{partition}}")],
        ),
        Chart(
            "Freshness",
            "s",
            [("time() - max by (partition) (tracker_committed_timestamp_seconds > 0)", "partition {{partition}}")],
        ),
    ),
    "Results": (
        Chart(
            "Alerts in five minutes",
            "short",
            [("sum by (kind, status) (increase(tracker_alerts_total[5m]))", "{{kind}} {{status}}")],
        ),
        Chart(
            "Moments without a fitting offer, in five minutes",
            "short",
            [("sum(increase(tracker_offers_none_fitting_total[5m]))", "none fitting")],
        ),
        Chart(
            "Alerts not sent in five minutes, by rule",
            "short",
            [("sum by (rule) (increase(tracker_alerts_suppressed_total[5m]))", "{{rule}}")],
        ),
        Chart(
            "Silences judged by two models in an hour",
            "short",
            [
                (
                    "sum by (champion, challenger) (increase(tracker_churn_looks_total[1h]))",
                    "model {{champion}}, challenger {{challenger}}",
                )
            ],
        ),
        Chart("Drift of the churn model", "short", [("topk(6, max by (figure) (tracker_churn_drift))", "{{figure}}")]),
        *map(_told_on, SIDE_INPUTS),
        Chart(
            "Unusable records in five minutes",
            "short",
            [("sum by (reason) (increase(tracker_dead_letters_total[5m]))", "{{reason}}")],
        ),
        Chart(
            "Late or not known, in five minutes",
            "short",
            [
                ("sum(increase(tracker_late_events_total[5m]))", "late"),
                ("sum(increase(tracker_untimely_events_total[5m]))", "too late for an offer"),
                ("sum(increase(tracker_duplicate_events_total[5m]))", "duplicate"),
                ("sum(increase(tracker_early_reversals_total[5m]))", "reversal before its original"),
                ("sum(increase(tracker_unknown_types_total[5m]))", "type not known"),
                ("sum(increase(tracker_unknown_channels_total[5m]))", "channel not known"),
            ],
        ),
        Chart(
            "Waiting to be published",
            "short",
            [("max by (partition) (tracker_outbox_entries)", "partition {{partition}}")],
        ),
        Chart(
            "Published a second",
            "short",
            [
                ("sum(rate(tracker_published_records_total[1m]))", "records"),
                ("sum(rate(tracker_publish_transactions_total[1m]))", "Kafka transactions"),
            ],
        ),
    ),
    "State": (
        Chart(
            "Customers to be looked at again", "short", [("sum(max by (partition) (tracker_due_customers))", "due set")]
        ),
        Chart(
            "Past their due time",
            "s",
            [("max by (partition) (tracker_due_overdue_seconds)", "partition {{partition}}")],
        ),
        Chart(
            "Outage of the feed",
            "s",
            [("max by (partition) (tracker_feed_outage_seconds)", "partition {{partition}}")],
        ),
        Chart("Customers in memory", "short", [("tracker_customers_in_memory", "{{instance}}")]),
        Chart(
            "Memory",
            "bytes",
            [
                ('process_resident_memory_bytes{job="tracker"}', "{{instance}} process"),
                ("tracker_cache_bytes", "{{instance}} customers' rows"),
            ],
        ),
    ),
    "Health": (
        Chart(
            "Up",
            "short",
            [
                ("tracker_agent_up", "{{instance}} loop"),
                ("tracker_store_up", "{{instance}} Redis"),
                ("tracker_kafka_up", "{{instance}} Kafka"),
            ],
        ),
        Chart("Time since the last poll", "s", [("tracker_consumer_stalled_seconds", "{{instance}}")]),
        Chart("Partitions owned", "short", [("tracker_partitions_owned", "{{instance}}")]),
        Chart("In the consumer group", "short", [("tracker_in_group", "{{instance}}")]),
        Chart(
            "Rebalances and recoveries in five minutes",
            "short",
            [
                ("sum by (instance) (increase(tracker_rebalances_total[5m]))", "{{instance}} rebalances"),
                ("sum by (instance) (increase(tracker_rejoins_total[5m]))", "{{instance}} joined anew"),
                ("sum by (instance) (increase(tracker_recoveries_total[5m]))", "{{instance}} recoveries"),
            ],
        ),
        Chart("Processor", "percentunit", [('rate(process_cpu_seconds_total{job="tracker"}[1m])', "{{instance}}")]),
    ),
}


def document() -> str:
    """The dashboard as Grafana reads it."""
    texts = _help_texts()
    dashboard = (
        Dashboard("Customer tracker")
        .uid("customer-tracker")
        .description("Transactions in, aggregates in Redis, alerts to marketing: is it running, keeping up, and right?")
        .tags(["customer-tracker"])
        .readonly()
        .refresh("10s")
        .time("now-30m", "now")
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    for figure in FIGURES:
        dashboard.with_panel(_stat(figure, texts))
    for title, charts in ROWS.items():
        dashboard.with_row(Row(title))
        for chart in charts:
            dashboard.with_panel(_lines(chart, texts))
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def _stat(figure: Figure, texts: dict[str, str]) -> Stat:
    steps = [Threshold(value=None, color="green")]
    steps += [Threshold(value=figure.warn, color="orange")] if figure.warn is not None else []
    steps += [Threshold(value=figure.bad, color="red")] if figure.bad is not None else []
    return (
        Stat()
        .title(figure.title)
        .description(_description([figure.query], texts))
        .datasource(SOURCE)
        .unit(figure.unit)
        .height(4)
        .span(4)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_query(figure.query, figure.title, "A"))
    )


def _lines(chart: Chart, texts: dict[str, str]) -> Lines:
    panel = (
        Lines()
        .title(chart.title)
        .description(_description([query for query, _ in chart.queries], texts))
        .datasource(SOURCE)
        .unit(chart.unit)
        .min(0)
        .height(7)
        .span(8)
        .fill_opacity(10)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for letter, (query, legend) in zip("ABCDEF", chart.queries, strict=False):
        panel.with_target(_query(query, legend, letter))
    return panel


def _query(query: str, legend: str, letter: str) -> Dataquery:
    return Dataquery().datasource(SOURCE).expr(query).legend_format(legend).ref_id(letter).range()


def _description(queries: Sequence[str], texts: dict[str, str]) -> str:
    names = dict.fromkeys(name for query in queries for name in re.findall(r"[a-z_]+", query))
    bases = dict.fromkeys(re.sub("_(total|bucket|sum|count)$", "", name) for name in names)
    return "\n\n".join(texts[base] for base in bases if base in texts)


def _help_texts() -> dict[str, str]:
    registry = CollectorRegistry()
    Metrics(registry)
    return {metric.name: metric.documentation for metric in registry.collect()}


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
