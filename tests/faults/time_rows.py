"""Rows: time that is told wrongly, or not at all. Silence is told by the clock on the wall in all of them."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.partition.partition import CLOCKS_DIFFER_MS_MAX
from tests.faults.audit import Figures
from tests.faults.data_rows import YEAR_MS, set_clock
from tests.faults.scene import Scene
from tests.faults.servers import until
from tests.faults.workload import Plan, Sent, lately, partition_of, records
from tests.faults.world import Row, Seed

PLAN = Plan()
FLOOD = 1_000
SILENT_DAYS = 12
YEAR_HOURS = YEAR_MS // HOUR_MS


def a_year_ahead(seed: Seed) -> Figures:
    """The clock of a worker says for some seconds that it is a year later."""
    plan = lately(PLAN)
    with seed.world.scene(plan.partitions, clock="wall", poll_records_max=10) as scene:
        scene.publish(records(plan, seed.number))
        wrong = Path(scene.logs, "clock")
        set_clock(wrong, 0)
        worker = scene.start(clock=wrong)
        scene.progress(seed.chance.randint(1, 8))
        set_clock(wrong, YEAR_HOURS)
        read = wrong.with_name(f"clock.read.{YEAR_HOURS * HOUR_MS // 1_000}")
        until(read.exists, 30, "the wrong clock to be read")
        time.sleep(seed.chance.uniform(1, 3))  # some ticks
        set_clock(wrong, 0)
        scene.rest()
        seed.happened("clock read a year ahead", read.exists())
        kept = seed.kept(worker.alive(), "a clock that jumps ends no worker")
        return scene.audit(seed.notes.append).plus(kept).plus(_not_ahead(seed, scene))


def postdated(seed: Seed) -> Figures:
    """In every partition comes a flood of bookings that are post-dated by up to a day."""
    plan = lately(PLAN)
    with seed.world.scene(plan.partitions, clock="wall", poll_records_max=25) as scene:
        sent = records(plan, seed.number)
        ahead = int(time.time() * 1_000) + 20 * HOUR_MS
        names = [f"P{n % 50:03}" for n in range(FLOOD)]
        flood = [
            _paid(name, ahead + n * MINUTE_MS // 10, f"p{n}", partition_of(name, plan.partitions))
            for n, name in enumerate(names)
        ]
        scene.publish(sent + flood)
        worker = scene.start()
        scene.progress(seed.chance.randint(1, 20))
        worker.kill()
        scene.start()
        scene.rest()
        seed.happened("bookings of tomorrow accepted", scene.events() - len(sent) > 0)
        return scene.audit(seed.notes.append).plus(_not_ahead(seed, scene))


def outage(seed: Seed) -> Figures:
    """Everybody comes every day, then the whole feed is silent for twelve days, in real time until now: nobody is said
    to leave, the outage is said, and after it everything goes on."""
    now = int(time.time() * 1_000)
    last = now - SILENT_DAYS * DAY_MS
    names = [f"C{number:03}" for number in range(30)]
    with seed.world.scene(PLAN.partitions, clock="wall", poll_records_max=25) as scene:
        days = range(last - 40 * DAY_MS, last, DAY_MS)
        scene.publish(_visits(names, ((day, f"d{number}") for number, day in enumerate(days))))
        worker = scene.start()
        scene.rest()
        told = [scene.partitions, "far longer than usual"]
        until(lambda: sum(told[1] in notice for notice in worker.notices()) == told[0], 30, "the outage to be said")
        seed.happened("outage said", sum(told[1] in notice for notice in worker.notices()))
        seed.happened("due in the outage", sum(scene.state.next_due(n) is not None for n in range(scene.partitions)))
        worker.kill()
        worker = scene.start()
        scene.publish(_visits(names, [(int(time.time() * 1_000), "back")]))
        scene.rest()
        kept = seed.kept(not any(alert.kind == "churn_risk" for alert in scene.alerts()), "nobody is said to leave")
        until(lambda: worker.ready() and not worker.notices(), 30, "the outage to be over")
        return scene.audit(seed.notes.append).plus(kept)


def _not_ahead(seed: Seed, scene: Scene) -> Figures:
    """Stream time may not be beyond the present of any clock that is right."""
    clocks = [stands.clock for n in range(scene.partitions) if (stands := scene.state.read(n)) is not None]
    return seed.kept(max(clocks) <= time.time() * 1_000 + CLOCKS_DIFFER_MS_MAX, "no partition is in the future")


def _visits(names: Iterable[str], days: Iterable[tuple[int, str]]) -> list[Sent]:
    names = list(names)
    return [
        _paid(name, at + number * MINUTE_MS, f"{name}-{day}", partition_of(name, PLAN.partitions))
        for at, day in days
        for number, name in enumerate(names)
        if day != "back" or number % 2
    ]


def _paid(name: str, at: int, event_id: str, partition: int) -> Sent:
    event: dict[str, Any] = {
        "event_id": event_id,
        "customer_id": name,
        "account_id": f"{name}/0",
        "occurred_at": at,
        "amount_minor": -500,
        "currency": "EUR",
        "type": "card_payment",
        "channel": "card",
    }
    return Sent(partition, name.encode(), orjson.dumps(event))


ROWS = (
    Row(
        "clock-year-ahead",
        "a worker's clock a year ahead for some seconds",
        a_year_ahead,
        6,
        3,
        happens=("clock read a year ahead",),
    ),
    Row(
        "post-dated",
        "a flood of bookings post-dated by up to a day, the worker killed once",
        postdated,
        6,
        4,
        happens=("bookings of tomorrow accepted",),
    ),
    Row(
        "feed-outage",
        "nothing comes for twelve days, then all goes on, the worker killed once",
        outage,
        4,
        4,
        happens=("outage said", "due in the outage"),
    ),
)
