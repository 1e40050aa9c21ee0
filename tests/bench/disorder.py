"""False churn alerts where a simulated bank's data comes as banks' data comes, against the same data in order.

python -m tests.bench.disorder              by replay
python -m tests.bench.disorder --live       by workers on a real Kafka and a real Redis too

5 % of the records are late by up to five days; of two feeds one is down for three days and then publishes what it had
kept; a branch of a tenth of the customers goes live after thirty days, and its month before comes as a backfill a
fortnight later. A feed is a partition, or both share one. False: about somebody who has not left nor begun to fade.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import orjson

from commands.embedded import EmbeddedRedis
from commands.kafka import producer
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from learning.noticed import Fate, Noticed, fates, noticed
from learning.order import by_time
from learning.replay import Replay
from learning.simulator import START, ground_truth, simulate
from schemas.alert import Alert
from schemas.policy import Policy
from schemas.units import DAY_MS, parse_rfc3339
from serving.partitioner import partition_of
from streams.ops.settings import Settings
from streams.worker.churn_models import general
from tests.live import Bank
from tests.servers import Kafka

CUSTOMERS, DAYS = 5_000, 120
LATE_SHARE, LATE_MS_MAX = 0.05, 5 * DAY_MS
FEEDS, DOWN_FEED, DOWN_FROM_DAY, DOWN_DAYS = 2, 1, 70, 3
BRANCH_SHARE, BRANCH_LIVE_DAY, BACKFILL_DAY = 0.1, 30, 44
FALSE_MAX = 1.1
"""Times as many as in order."""

REST_SECONDS_MAX = 300
_FIRST_MS = (START.toordinal() - 719_163) * DAY_MS


class Arriving(NamedTuple):
    """A record as Kafka gets it."""

    at: int
    """Kafka's timestamp, epoch ms."""
    customer: str
    line: bytes


def in_order(rows: Iterable[dict[str, object]]) -> list[Arriving]:
    """Each at the moment when the simulated bank publishes it: never before it occurred."""
    arriving, now = [], 0
    for row in rows:
        now = max(now, parse_rfc3339(str(row["occurred_at"])))
        arriving.append(Arriving(now, str(row["customer_id"]), orjson.dumps(row)))
    return arriving


def disordered(clean: Sequence[Arriving], seed: int) -> list[Arriving]:
    """The same records with later arrivals."""
    chance = np.random.default_rng(seed)
    late = chance.random(len(clean)) < LATE_SHARE
    delay = (chance.random(len(clean)) * LATE_MS_MAX).astype(np.int64)
    branch = {name for name in sorted({one.customer for one in clean}) if chance.random() < BRANCH_SHARE}
    down, up = _day(DOWN_FROM_DAY), _day(DOWN_FROM_DAY + DOWN_DAYS)
    moved = []
    for one, is_late, more in zip(clean, late.tolist(), delay.tolist(), strict=True):
        at = one.at + (more if is_late else 0)
        if one.customer in branch and one.at < _day(BRANCH_LIVE_DAY):
            at = _day(BACKFILL_DAY)
        if partition_of(one.customer, FEEDS) == DOWN_FEED and down <= at < up:
            at = up
        moved.append(one._replace(at=at))
    return sorted(moved, key=lambda one: one.at)


def _day(number: int) -> int:
    return _FIRST_MS + number * DAY_MS


def replayed(arriving: Sequence[Arriving], policy: Policy, *, sort: bool = True) -> list[Alert]:
    """As `tracker replay` does it: a file that is no stream is sorted, but not without `sort`."""
    lines: list[bytes] = [one.line for one in arriving]
    while True:
        intake = TransactionIntake("transactions", "EUR", {}, keyed=False)
        run = Replay(intake, Rules(policy=policy, churn=general()), "transactions", 2_000)
        alerts = list(run.alerts(lines))
        if run.order.is_stream or not sort:
            return alerts
        lines, _ = by_time(lines)
        print("  (not in the order of a stream: sorted)")


def live(kafka: Kafka, arriving: Sequence[Arriving], partitions: int) -> list[Alert]:
    """By a worker, with Kafka's timestamps as the records arrive."""
    with EmbeddedRedis("redis-server") as redis, tempfile.TemporaryDirectory() as logs:
        changes = {"partitions": partitions, "clock": "stream", "churn_model": Settings().churn_model}
        bank = Bank(kafka.bootstrap_servers, redis.url, Path(logs), **changes)
        bank.command("topics", "create")
        sender = producer(bank.settings)
        for one in arriving:
            number = partition_of(one.customer, partitions)
            while True:
                try:
                    sender.produce(bank.settings.topic_transactions, one.line, one.customer, number, timestamp=one.at)
                    break
                except BufferError:
                    sender.poll(0.1)
        sender.flush()
        with bank.worker() as worker:
            worker.until(bank.at_rest, REST_SECONDS_MAX)
        return [msgspec.convert(alert, Alert) for alert in bank.alerts()]


def told(name: str, alerts: Iterable[Alert], truth: Sequence[Fate]) -> Noticed:
    """Prints a line of the table."""
    found = noticed(alerts, truth, _day(DAYS) // DAY_MS)
    print(
        f"{name:34} {found.alerts:6} {found.alerts - found.right:6} {found.bothered:9} {found.noticed:7} of"
        f" {found.left:4} {'-' if found.days is None else f'{found.days:.0f}':>5}",
        flush=True,
    )
    return found


def main(arguments: Iterable[str] | None = None) -> int:
    """Prints the table; 1 where there are more false alerts than FALSE_MAX times those in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", action="store_true", help="on a real Kafka too")
    parser.add_argument("--seed", type=int, default=1, help="of the bank")
    parser.add_argument("--settle-hours", type=int, default=Policy().settle_hours, help="of the policy, in replays")
    given = parser.parse_args(None if arguments is None else list(arguments))
    started, policy = time.monotonic(), Policy(settle_hours=given.settle_hours)
    clean = in_order(simulate(CUSTOMERS, DAYS, given.seed))
    mixed = disordered(clean, given.seed)
    truth = fates(ground_truth(CUSTOMERS, DAYS, given.seed))
    print(f"{len(clean):,} records\n{'':34} {'alerts':>6} {'false':>6} {'bothered':>9} {'noticed':>15} {'days':>5}")
    ordered = told("replay, in order", replayed(clean, policy), truth)
    pairs = [("replay", ordered, told("replay", replayed(mixed, policy), truth))]
    told("replay, if it were not sorted", replayed(mixed, policy, sort=False), truth)
    if given.live:
        with Kafka(("log.retention.ms=-1",)) as kafka:  # what is dated years ago would go at once
            for partitions, name in ((FEEDS, "live, a partition each"), (1, "live, one partition")):
                before = told(f"{name}, in order", live(kafka, clean, partitions), truth)
                pairs.append((name, before, told(name, live(kafka, mixed, partitions), truth)))
    over = False
    for name, before, after in pairs:
        times = (after.alerts - after.right) / max(1, before.alerts - before.right)
        print(f"{name}: {times:.2f} times as many false alerts")
        over |= times > FALSE_MAX
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
