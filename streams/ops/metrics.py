"""Every metric of the worker, by name: what it may be labelled with, its unit, and what an operator should read in it.

One `Metrics` is built by the composition root over a registry of its own; nothing is registered at import. A label
with a closed set of values is a dict over its Literal type, so a wrong word doesn't type-check, and every series is
there at zero from the start (an increase from nothing can't be seen). No label ever holds a customer or an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from handlers.churn.challenger import BANDS, Bands
from handlers.contact.history import SUPPRESSION_REASONS, SuppressionReason
from handlers.intake.inputs import SIDE_INPUTS
from schemas.alert import Kind, Status
from schemas.dead_letter import Reason

Step = Literal["poll", "decode", "load", "decide", "commit", "publish"]
"""The steps of the loop, in order. `decide` is fold and decide."""

Refusal = Literal["fenced", "moved", "unavailable"]
"""Why the store didn't take a commit: streams.store.port's Fenced, Moved and StoreUnavailable."""

_STEP_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCH_EVENTS = (1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """The gauges of one owned partition."""

    lag_events: Gauge
    lag_seconds: Gauge
    held_back_seconds: Gauge
    committed_timestamp_seconds: Gauge
    outbox_entries: Gauge
    due_customers: Gauge
    due_overdue_seconds: Gauge
    feed_outage_seconds: Gauge


class Metrics:
    """The whole vocabulary. Raises ValueError if the registry already has a metric of one of these names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._partitions: dict[int, PartitionMetrics] = {}
        # When each counter was made, of this whole process, would be a fifth of all series. Nobody reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        self._throughput()
        self._results()
        self._by_partition()
        self._health()

    def _throughput(self) -> None:
        self.events = self._counter("events", "Transactions folded into customers and committed.")
        self.batch_events = Histogram(
            "tracker_batch_events",
            "Records in one batch. Batches at the limit (TRACKER_POLL_RECORDS_MAX) mean that the worker is behind.",
            buckets=_BATCH_EVENTS,
            registry=self._registry,
        )
        steps = Histogram(
            "tracker_step_seconds",
            "Time that one batch spends in each step of the loop: poll, decode, load, decide, commit, publish.",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=self._registry,
        )
        self.step_seconds: dict[Step, Histogram] = {step: steps.labels(step) for step in get_args(Step)}
        self.commits = self._counter("commits", "Batches written to Redis, whole, with their offset.")
        refused = self._counter(
            "commits_refused",
            "Batches that Redis didn't take; nothing was written and the batch is done again. fenced: another worker "
            "owns the partition now. moved: Redis has fallen back to older data. unavailable: Redis didn't answer or "
            "couldn't write.",
            ["reason"],
        )
        self.commits_refused: dict[Refusal, Counter] = {reason: refused.labels(reason) for reason in get_args(Refusal)}

    def _results(self) -> None:
        alerts = self._counter("alerts", "Alerts decided and committed for marketing.", ["kind", "status"])
        self.alerts: dict[tuple[Kind, Status], Counter] = {
            (kind, status): alerts.labels(kind, status) for kind in get_args(Kind) for status in get_args(Status)
        }
        self.offers_none_fitting = self._counter(
            "offers_none_fitting", "Moments for an offer at which no offer of the catalogue fitted the customer."
        )
        suppressed = self._counter(
            "alerts_suppressed", "Alerts that were not sent, by the rule of the policy that kept them back.", ["rule"]
        )
        self.alerts_suppressed: dict[SuppressionReason, Counter] = {
            rule: suppressed.labels(rule) for rule in SUPPRESSION_REASONS
        }
        looks = self._counter(
            "churn_looks",
            "Silences that the churn model judged while a challenger was in shadow, by the band of each: low is under "
            "churn_hold_above, high is from churn_raise_at on. Both high: both would alert.",
            ["champion", "challenger"],
        )
        self.churn_looks: dict[Bands, Counter] = {
            (one, other): looks.labels(one, other) for one in BANDS for other in BANDS
        }
        self.taken: dict[tuple[str, str], Counter] = {}
        """Records of the topics beside the transactions (CustomerRecord.counted_as)."""
        for topic in SIDE_INPUTS:
            by, labels = (f", by {topic.label_says}", [topic.label]) if topic.label else ("", [])
            counter = self._counter(topic.name, f"{topic.counted}, told on {topic.topic}{by}.", labels)
            for word in topic.words:
                self.taken[topic.name, word] = counter.labels(word) if topic.label else counter
        self.outcomes_unmatched = self._counter(
            "outcomes_unmatched",
            "Outcomes that changed nothing because the alert they name is not known, or no longer: a marketing tool "
            "that sends back other ids, or answers months late.",
        )
        letters = self._counter(
            "dead_letters",
            "Records that couldn't be used and went to the dead letter topic, by what was wrong.",
            ["reason"],
        )
        self.dead_letters: dict[Reason, Counter] = {reason: letters.labels(reason) for reason in get_args(Reason)}
        self.late_events = self._counter(
            "late_events", "Transactions more than 180 days late: they count in lifetime figures only."
        )
        self.untimely_events = self._counter(
            "untimely_events",
            "Transactions at least a day behind stream time: they count, and bring no offer by themselves.",
        )
        self.duplicate_events = self._counter(
            "duplicate_events", "Transactions left out because their event_id was seen before within the horizon."
        )
        self.early_reversals = self._counter(
            "early_reversals",
            "Reversals that came before the transaction they name: they take effect when that comes, if it ever does.",
        )
        self.unknown_types = self._counter("unknown_types", "Transactions of a type not known, counted as other.")
        self.unknown_channels = self._counter(
            "unknown_channels", "Transactions through a channel not known, counted as other."
        )
        self.publish_transactions = self._counter(
            "publish_transactions", "Kafka transactions committed while publishing from the outbox."
        )
        self.published_records = self._counter(
            "published_records", "Alerts and dead letters published from the outbox to Kafka."
        )

    def _by_partition(self) -> None:
        by = ["partition"]
        self._lag_events = self._gauge(
            "lag_events",
            "Records in the partition that are not yet committed, those in a producer's open transaction included, "
            "which can't be read yet.",
            by,
        )
        self._lag_seconds = self._gauge(
            "lag_seconds", "Age of the oldest record not yet committed; 0 when the partition is caught up.", by
        )
        self._held_back = self._gauge(
            "held_back_seconds",
            "For how long the same records at the partition's end have been held back by a producer's open "
            "transaction, as far as this worker has seen; 0 when none are.",
            by,
        )
        self._committed = self._gauge(
            "committed_timestamp_seconds",
            "Kafka timestamp of the last committed record, Unix time. Freshness is time() less this.",
            by,
        )
        self._outbox = self._gauge("outbox_entries", "Alerts and dead letters waiting in Redis to be published.", by)
        self._due = self._gauge("due_customers", "Customers with a time at which their silence is looked at again.", by)
        self._overdue = self._gauge(
            "due_overdue_seconds", "How long the longest waiting customer is past the due time; 0 when nobody is.", by
        )
        self._outage = self._gauge(
            "feed_outage_seconds",
            "How long nothing has come, once that is much longer than usual: silences wait. 0 otherwise.",
            by,
        )

    def _health(self) -> None:
        self._churn_drift = self._gauge(
            "churn_drift",
            "Population stability index of an input of the churn model or of its score: the customers as they stand, "
            "by a sample, against those it was trained on. Below 0.1 is small, above 0.25 asks for new training.",
            ["figure"],
        )
        self.agent_up = self._gauge("agent_up", "1 while the processing loop runs, 0 once it has crashed or stopped.")
        self.store_up = self._gauge("store_up", "1 while Redis answers.")
        self.kafka_up = self._gauge("kafka_up", "1 while at least one Kafka broker is connected.")
        self.consumer_stalled_seconds = self._gauge(
            "consumer_stalled_seconds",
            "Time since the consumer was last asked for records; near 0 in a healthy worker.",
        )
        self.in_group = self._gauge(
            "in_group",
            "1 while this worker is in its consumer group: it owns partitions, or is spare as others own them all.",
        )
        self.rejoins = self._counter(
            "rejoins", "Times that this worker, out of its consumer group for good, has joined it anew."
        )
        self.partitions_owned = self._gauge("partitions_owned", "Partitions that this worker processes now.")
        self.rebalances = self._counter("rebalances", "Times that partitions were given to or taken from this worker.")
        self.recoveries = self._counter(
            "recoveries", "Times that a partition was claimed and read again after a refused commit or an outage."
        )
        self.customers_in_memory = self._gauge("customers_in_memory", "Customers whose rows are held in memory.")
        self.cache_bytes = self._gauge("cache_bytes", "Memory taken by the rows held, of TRACKER_CACHE_MIB_MAX.")

    def churn_drift(self, figure: str) -> Gauge:
        """The gauge of an input of the churn model, or of its score."""
        return self._churn_drift.labels(figure)

    def forget_drift(self, figure: str) -> None:
        """Takes it away: nothing is known of it now."""
        self._churn_drift.remove(figure)

    def partition(self, number: int) -> PartitionMetrics:
        """The gauges of a partition that this worker owns."""
        if number not in self._partitions:
            self._partitions[number] = PartitionMetrics(*(gauge.labels(number) for gauge in self._partition_gauges()))
        return self._partitions[number]

    def forget(self, number: int) -> None:
        """Takes away the gauges of a partition that this worker no longer owns: their last values would stay on."""
        if self._partitions.pop(number, None):
            for gauge in self._partition_gauges():
                gauge.remove(number)

    def _partition_gauges(self) -> tuple[Gauge, ...]:
        """In the order of PartitionMetrics."""
        return (
            self._lag_events,
            self._lag_seconds,
            self._held_back,
            self._committed,
            self._outbox,
            self._due,
            self._overdue,
            self._outage,
        )

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"tracker_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"tracker_{name}", text, labels, registry=self._registry)
