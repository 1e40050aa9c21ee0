"""What webhooks say of themselves to Prometheus: a registry of their own, as they are a process of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge

ANSWERS = ("taken", "refused", "gone", "later")


class Numbers:
    """Counted from the start of the process."""

    def __init__(self, endpoints: list[str]) -> None:
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "tracker_webhook_attempts",
            "Attempts to deliver an alert, by what was answered: taken, refused, gone, or later (it is tried again)",
            ["endpoint", "answer"],
            registry=self.registry,
        )
        self._letters = Counter(
            "tracker_webhook_dead_letters",
            "Alerts that were put to the dead letters of webhooks",
            ["endpoint"],
            registry=self.registry,
        )
        self._up = Gauge(
            "tracker_webhook_up",
            "1 while the endpoint is delivered to, 0 once it has answered that it is gone (410)",
            ["endpoint"],
            registry=self.registry,
        )
        for endpoint in endpoints:
            self._up.labels(endpoint).set(1)
            self._letters.labels(endpoint)
            for answer in ANSWERS:
                self._attempts.labels(endpoint, answer)

    def answered(self, endpoint: str, answer: str) -> None:
        self._attempts.labels(endpoint, answer).inc()

    def put_away(self, endpoint: str) -> None:
        self._letters.labels(endpoint).inc()

    def gone(self, endpoint: str) -> None:
        self._up.labels(endpoint).set(0)
