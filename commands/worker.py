"""`tracker worker`: the process that does the work."""

import typer

from commands.console import settings_with
from commands.state import intake


def worker() -> None:
    """Follow the transactions: keep every customer's figures in Redis and publish alerts, until told to stop.

    Start as many as you like, up to the topic's partitions; they share the work. SIGTERM ends one within 5 seconds,
    with nothing lost. Needs TRACKER_KAFKA_BOOTSTRAP_SERVERS and TRACKER_REDIS_URL.
    """
    settings = settings_with("kafka_bootstrap_servers", "redis_url")
    from streams.worker.app import run_worker  # compiles and imports much that no other command needs

    # A mistake in the file of rates is told before anything starts.
    if code := run_worker(settings, intake(settings)):
        raise typer.Exit(code)
