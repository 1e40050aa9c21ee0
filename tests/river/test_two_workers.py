"""Workers come and go: one is killed, one is added, one is told to leave, and nothing is lost or done twice."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from commands.offers import SHIPPED
from tests.live import Bank, Json, OpenBank, tracker

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
    lines = feed.read_bytes().splitlines(keepends=True)
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
        third_worker_only(bank)
        return Story(bank.verified(), bank.alerts(), replayed(bank, feed, here), status, seconds, len(lines))


def third_worker_only(bank: Bank) -> None:
    """Returns when all is done, which only the last worker can have done."""
    from tests.live import until

    until(bank.at_rest)


def replayed(bank: Bank, feed: Path, here: Path) -> list[Json]:
    alerts = here / "alerts.jsonl"
    tracker("replay", feed, "--alerts", alerts, "--profiles", here / "profiles.jsonl")
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


def test_no_alert_is_missing(story: Story) -> None:
    """All that replay raises over the same feed, but for those about which an event that came late may decide
    otherwise when the clock of another partition has not come as far."""
    live, expected = ({alert["alert_id"] for alert in alerts} for alerts in (story.alerts, story.replayed))
    assert len(live ^ expected) <= len(expected) // 50


def test_a_worker_that_is_told_to_leave_does_so_in_good_order(story: Story) -> None:
    assert story.term_status == 0
    assert story.term_seconds < TERM_SECONDS_MAX
