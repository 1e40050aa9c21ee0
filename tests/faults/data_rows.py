"""Rows: what is wrong with the transactions themselves, and with clocks."""

import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from schemas.units import DAY_MS, HOUR_MS
from tests.faults.audit import Figures
from tests.faults.scene import Scene
from tests.faults.workload import Plan, Sent, lately, records
from tests.faults.world import Row, Seed

PLAN = Plan()
FLOOD = 50_000
YEAR_MS = 365 * DAY_MS


def duplicates(seed: Seed) -> Figures:
    """Each tenth event comes again, at once or later; the worker is killed in between."""
    plan = replace(PLAN, duplicates=0.1)
    with seed.world.scene(plan.partitions) as scene:
        sent = records(plan, seed.number)
        scene.publish(sent)
        worker = scene.start()
        scene.progress(seed.chance.randint(1, 6))
        worker.kill()
        scene.start()
        scene.rest()
        seed.happened("came again", _repeated(sent))
        return scene.audit(seed.notes.append)


def replayed(seed: Seed) -> Figures:
    """The publisher sends its whole history a second time."""
    with seed.world.scene(PLAN.partitions) as scene:
        sent = records(PLAN, seed.number)
        scene.publish(sent)
        worker = scene.start()
        scene.rest()
        scene.publish(sent)
        scene.progress(seed.chance.randint(1, 6))
        worker.kill()
        scene.start()
        scene.rest()
        seed.happened("came again", _repeated([*sent, *sent]))
        return scene.audit(seed.notes.append)


def _repeated(sent: Sequence[Sent]) -> int:
    """How many of the records are one that has come before; that they are dropped, the audit finds."""
    values = [record.value for record in sent if record.value is not None]
    return len(values) - len(set(values))


def late_and_early(seed: Seed) -> Figures:
    """A tenth of the events comes 90 days late, another tenth is dated a year ahead: those are refused."""
    now = int(time.time() * 1_000)
    right = records(PLAN, seed.number)
    sent = [_dated(record, seed, now) for record in right]
    seed.happened("90 days late", sum(_days_later(was, record) == -90 for was, record in zip(right, sent, strict=True)))
    with seed.world.scene(PLAN.partitions) as scene:
        scene.publish(sent)
        worker = scene.start()
        scene.progress(seed.chance.randint(1, 6))
        worker.kill()
        scene.start()
        scene.rest()
        seed.happened("refused as in the future", scene.letters("in_the_future"))
        return scene.audit(seed.notes.append)


def _days_later(was: Sent, record: Sent) -> float:
    """By how many days the record was moved."""
    if was is record:
        return 0
    return (
        float(orjson.loads(record.value or b"")["occurred_at"] - orjson.loads(was.value or b"")["occurred_at"]) / DAY_MS
    )


def _dated(record: Sent, seed: Seed, now: int) -> Sent:
    try:
        event: Any = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return record
    if seed.chance.random() < 0.8 or "reversal_of" in event:
        return record
    late = seed.chance.random() < 0.5
    event["occurred_at"] = event["occurred_at"] - 90 * DAY_MS if late else now + YEAR_MS
    return replace(record, value=orjson.dumps(event))


def poison_some(seed: Seed) -> Figures:
    """One record in a hundred is poison."""
    plan = replace(PLAN, poison=0.01)
    with seed.world.scene(plan.partitions) as scene:
        scene.publish(records(plan, seed.number))
        scene.start()
        scene.rest()
        seed.happened("records refused", scene.letters())
        return scene.audit(seed.notes.append)


def poison_all(seed: Seed) -> Figures:
    """After good records nothing but poison comes: the partitions stop and say so; with the threshold raised by the
    operator a new worker goes on."""
    with seed.world.scene(PLAN.partitions) as scene:
        scene.publish(records(PLAN, seed.number))
        worker = scene.start(poll_records_max=100)
        scene.rest()
        flood = [Sent(n % PLAN.partitions, b"key", b"{not json %d" % n) for n in range(6_000)]
        scene.publish(flood)
        kept = seed.kept(worker.complains("were refused"), "says that it stopped, and why")
        seed.happened("partitions stopped", sum("were refused" in problem for problem in worker.problems()))
        left = [scene.lag(number) for number in range(PLAN.partitions)]
        kept = kept.plus(seed.kept(min(left) > 900, f"stops within 1,000 records: {left} of 2,000 are left"))
        kept = kept.plus(seed.kept(worker.alive(), "goes on being there to be asked"))
        worker.kill()
        scene.start(poison_share_max=1, poll_records_max=500)
        scene.rest()
        seed.happened("records refused", scene.letters())
        return scene.audit(seed.notes.append).plus(kept)


def hot(seed: Seed) -> Figures:
    """Half of the traffic is one customer's. Then that one alone sends far more than can be worked off at once, before
    all others: the other partitions come to their end while its own is still far behind."""
    plan = replace(PLAN, hot=0.5)
    with seed.world.scene(plan.partitions) as scene:
        sent = records(plan, seed.number)
        scene.publish(sent)
        worker = scene.start()
        scene.progress(seed.chance.randint(1, 6))
        worker.kill()
        worker = scene.start()
        scene.rest()
        flood, others = _flood(sent)
        worker.signal(signal.SIGSTOP)  # until all is there: else much of the flood is done before the others are sent
        scene.publish(flood + others)
        worker.signal(signal.SIGCONT)
        coming = scene.lag(flood[0].partition)
        kept = seed.kept(scene.reads_all({record.partition for record in others}), "the others come to their end")
        left = scene.lag(flood[0].partition)
        kept = kept.plus(seed.kept(left > FLOOD / 2, f"the flood is still in its first half: {left} of {FLOOD} left"))
        seed.happened("records of one customer before all others", min(coming, FLOOD))
        scene.rest()
        return scene.audit(seed.notes.append).plus(kept)


def _flood(sent: Sequence[Sent]) -> tuple[list[Sent], list[Sent]]:
    """Far more of the hottest customer, and one more transaction each of the customers in the other partitions."""
    last = {record.key: record for record in sent if record.value and record.value.startswith(b'{"event_id')}
    by_customer = Counter(record.key for record in sent)
    hottest = last[max(last, key=lambda key: by_customer[key])]
    event = orjson.loads(hottest.value or b"")
    event.pop("reversal_of", None)
    flood = [replace(hottest, value=orjson.dumps(event | {"event_id": f"hot-{n}"})) for n in range(FLOOD)]
    others = [
        replace(record, value=orjson.dumps(orjson.loads(record.value or b"") | {"event_id": f"other-{number}"}))
        for number, record in enumerate(last.values())
        if record.partition != hottest.partition
    ]
    return flood, others


def clock(seed: Seed) -> Figures:
    """Workers whose clocks are an hour ahead, an hour behind, and jump back by two hours, one after the other; silence
    is told by the clock on the wall."""
    plan = lately(PLAN)
    with seed.world.scene(plan.partitions, clock="wall", poll_records_max=10) as scene:
        scene.publish(records(plan, seed.number))
        wrong = Path(scene.logs, "clock")
        set_clock(wrong, 1)
        worker = scene.start(clock=wrong)
        scene.progress(seed.chance.randint(2, 8))
        set_clock(wrong, -1)
        scene.progress(seed.chance.randint(1, 5))
        if seed.number % 2:
            worker.kill()
            worker = scene.start(clock=wrong)
        scene.rest()
        was_wrong(seed, wrong, scene)
        kept = seed.kept(worker.alive(), "a clock that jumps ends no worker")
        return scene.audit(seed.notes.append).plus(kept)


def was_wrong(seed: Seed, clock: Path, scene: Scene) -> None:
    """Counts what shows that the workers went by the wrong clock: what it was read as, and records written by it."""
    seed.happened("clock ahead", clock.with_name(f"clock.read.{HOUR_MS // 1_000}").exists())
    seed.happened("clock behind", clock.with_name(f"clock.read.{-HOUR_MS // 1_000}").exists())
    now = time.time() * 1_000
    wrong = [stamp for stamp in scene.stamps() if abs(stamp - now) > 0.9 * HOUR_MS]
    seed.happened("records stamped by a wrong clock", len(wrong))


def set_clock(clock: Path, hours: int) -> None:
    new = clock.with_suffix(".new")
    new.write_text(str(hours * HOUR_MS // 1_000))
    new.replace(clock)


WRONG = ("clock ahead", "clock behind", "records stamped by a wrong clock")

ROWS = (
    Row(
        "duplicates",
        "10 % of the events twice, the worker killed once",
        duplicates,
        12,
        4,
        happens=("came again",),
    ),
    Row(
        "replayed",
        "the whole topic a second time, the worker killed once",
        replayed,
        12,
        4,
        happens=("came again",),
    ),
    Row(
        "late-early",
        "10 % of the events 90 days late, 10 % a year in the future",
        late_and_early,
        12,
        4,
        happens=("90 days late", "refused as in the future"),
    ),
    Row("poison-1", "1 % poison", poison_some, 6, 4, happens=("records refused",)),
    Row(
        "poison-100",
        "nothing but poison after good records: stops, says so, goes on when told",
        poison_all,
        4,
        4,
        happens=("partitions stopped", "records refused"),
    ),
    Row(
        "hot-customer",
        "half of the traffic is one customer's, then a flood of it: nobody else waits",
        hot,
        6,
        4,
        happens=("records of one customer before all others",),
    ),
    Row("clock", "clock an hour ahead, then an hour behind (so back by two)", clock, 6, 3, happens=WRONG),
)
