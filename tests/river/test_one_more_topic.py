"""One more input topic, plugged in as tests/one_more_topic.py does it, on its way through the whole program, while a
worker that does not know it works on the same partitions in turn."""

import json
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
import redis

from schemas.units import DAY_MS
from tests.live import ROOT, Bank, Json, OpenBank
from tests.river.feeds import written

PROGRAM = "tests.one_more_topic"
NOW = int(time.time() * 1_000)
SECONDS_MAX = 60


class Story(NamedTuple):
    """What was seen on the way."""

    alerts: list[Json]
    letters: list[Json]
    complaints: float
    advice: float
    stands: list[int]
    """How far Redis says the topic is read: with the first visits; after the worker that does not know it; at last."""
    later: list[Json]
    """Alerts after one more visit, when the topic's worker has the partition back."""
    settings: str
    document: str


def tracker(bank: Bank, *arguments: object) -> str:
    words = [str(argument) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM, *words],
        env=bank.environment() | {"TRACKER_TOPIC_BRANCH_VISITS": topic(bank), "COLUMNS": "200"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def topic(bank: Bank) -> str:
    return f"{bank.settings.group_id}-visits"


def visit(about: str, days_ago: float) -> Json:
    at = NOW - round(days_ago * DAY_MS)
    return {"record": "branch-visits", "customer_id": "ann", "occurred_at": at, "about": about}


def bought(name: str) -> Json:
    fields = {"event_id": name, "customer_id": "ann", "account_id": "a", "occurred_at": NOW, "amount_minor": -5}
    return fields | {"currency": "EUR", "type": "purchase", "channel": "card"}


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A complaint, a visit for advice and one that breaks the schema; then a worker without the topic; then with it."""
    files = tmp_path_factory.mktemp("feeds")
    bank = open_bank(partitions=1, clock="stream")
    plugged = {"program": PROGRAM, "topic_branch_visits": topic(bank)}
    tracker(bank, "topics", "create")
    first = [bought("first"), visit("complaint", 3), visit("advice", 2), visit("weather", 1)]
    tracker(bank, "publish", written(files / "first.jsonl", first))
    stands = []
    with redis.Redis.from_url(str(bank.settings.redis_url)) as client:

        def read_to() -> int:
            return int(client.hget("{0}:pos", "branch_visits") or 0)

        with bank.worker(**plugged) as worker:
            worker.until(lambda: read_to() == 3).until(bank.at_rest)
            metric = 'tracker_branch_visits_total{{about="{}"}}'.format
            complaints, advice = worker.metric(metric("complaint")), worker.metric(metric("advice"))
        stands.append(read_to())
        alerts = bank.alerts()
        letters = [json.loads(line) for line in bank.command("dead-letters", "list", "--json").stdout.splitlines()]
        bank.publish(written(files / "second.jsonl", [bought("second")]))
        with bank.worker() as worker:
            worker.until(bank.at_rest)
        stands.append(read_to())
        tracker(bank, "publish", written(files / "third.jsonl", [visit("complaint", 0)]))
        with bank.worker(**plugged) as worker:
            worker.until(lambda: read_to() == 4).until(bank.at_rest)
        stands.append(read_to())
    later = bank.alerts()[len(alerts) :]
    settings = tracker(bank, "settings")
    tracker(bank, "documents", "--to", files)
    document = (files / "asyncapi.yaml").read_text("utf-8") + (files / "metrics.md").read_text("utf-8")
    assert (files / "schemas" / "branch_visit.schema.json").is_file()
    return Story(alerts, letters, complaints, advice, stands, later, settings, document)


def test_its_records_come_to_the_belief_that_takes_them(story: Story) -> None:
    (alert,) = story.alerts
    assert alert["reasons"][0]["code"] == "complaint"
    assert alert["cause"]["topic"].endswith("-visits")
    assert alert["cause"]["offset"] == 0


def test_what_breaks_its_schema_becomes_a_dead_letter(story: Story) -> None:
    (letter,) = story.letters
    assert (letter["reason"], letter["from"]["offset"]) == ("wrong_type", 2)
    assert letter["from"]["topic"].endswith("-visits")


def test_its_metric_counts_by_its_label(story: Story) -> None:
    assert (story.complaints, story.advice) == (1, 1)


def test_a_worker_that_does_not_know_it_leaves_it_where_it_stands(story: Story) -> None:
    assert story.stands == [3, 3, 4]
    (alert,) = story.later
    assert alert["cause"]["offset"] == 3


def test_settings_and_documents_have_it(story: Story) -> None:
    assert "TRACKER_TOPIC_BRANCH_VISITS" in story.settings
    for words in ('address: "branch-visits"', "receiveBranchVisits", "branchVisit", "BranchVisit"):
        assert words in story.document
    assert "Visits to branches, told on branch-visits, by what they were about." in story.document
