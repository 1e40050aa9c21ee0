"""Workers come and go: one is killed, one is added, one is told to leave, and nothing is lost or done twice."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from commands.offers import SHIPPED
from streams.ops.settings import OWN_RHYTHM, variable
from tests.live import Json, OpenBank, outside, tracker, until

CUSTOMERS = 300
TERM_SECONDS_MAX = 10
"""Twice what is promised: the machine may be busy."""


class Story(NamedTuple):
    """What a run with three workers came to."""

    verified: Json
    alerts: list[Json]
    replayed: list[Json]
    term_status: int
    term_seconds: float
    events: int


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Two workers share a feed; in its middle one is killed and another added; at its end one is told to leave."""
    here = tmp_path_factory.mktemp("feed")
    feed = here / "feed.jsonl"
    tracker("simulate", "-o", feed, "--customers", CUSTOMERS, "--days", 120, "--seed", 7)
    bank = open_bank(partitions=8, clock="stream", poll_records_max=20)
    bank.command("offers", "publish", SHIPPED)
    # In the order of time: of an event that comes late, another partition's clock may make something else.
    lines = sorted(feed.read_bytes().splitlines(keepends=True), key=lambda line: json.loads(line)["occurred_at"])
    feed.write_bytes(b"".join(lines))
    thirds = [here / f"{n}.jsonl" for n in range(3)]
    for n, third in enumerate(thirds):
        third.write_bytes(b"".join(lines[n * len(lines) // 3 : (n + 1) * len(lines) // 3]))
    with ExitStack() as stack:
        killed, leaving = [stack.enter_context(bank.worker()) for _ in range(2)]
        for worker in (killed, leaving):
            worker.until(lambda w=worker: w.metric("tracker_partitions_owned") == 4)  # type: ignore[misc]
        bank.publish(thirds[0])
        killed.until(lambda: killed.metric("tracker_commits_total") > 0)
        killed.signal(signal.SIGKILL)
        assert killed.end() == -signal.SIGKILL
        assert not bank.at_rest(), "it was killed too late to leave anything to others"
        stack.enter_context(bank.worker()).until_ready()
        bank.publish(thirds[1])
        leaving.until(bank.at_rest)
        started = monotonic()
        leaving.signal(signal.SIGTERM)
        bank.publish(thirds[2])
        status = leaving.end()
        seconds = monotonic() - started
        until(bank.at_rest)  # the last of the three has done the rest
        return Story(bank.verified(), bank.alerts(), replayed(feed, here), status, seconds, len(lines))


def replayed(feed: Path, here: Path) -> list[Json]:
    alerts = here / "alerts.jsonl"
    by_rhythm = outside() | {variable("churn_model"): str(OWN_RHYTHM)}  # as the workers
    tracker("replay", feed, "--alerts", alerts, "--profiles", here / "profiles.jsonl", environment=by_rhythm)
    return [json.loads(line) for line in alerts.read_text().splitlines()]


def test_every_figure_is_right(story: Story) -> None:
    assert {name: story.verified[name] for name in ("differences", "events", "customers")} == {
        "differences": 0,
        "events": story.events,
        "customers": CUSTOMERS,
    }


def test_a_subscriber_sees_each_alert_once(story: Story) -> None:
    ids = [alert["alert_id"] for alert in story.alerts]
    assert len(ids) > 500
    assert len(set(ids)) == len(ids)


def test_the_alerts_are_those_of_replay(story: Story) -> None:
    """But for the offers: each partition learns from its own customers what they take."""
    live, again = (
        sorted(alert["alert_id"] for alert in alerts if alert["kind"] == "churn_risk")
        for alerts in (story.alerts, story.replayed)
    )
    assert live == again


def test_a_worker_that_is_told_to_leave_does_so_in_good_order(story: Story) -> None:
    assert story.term_status == 0
    assert story.term_seconds < TERM_SECONDS_MAX
