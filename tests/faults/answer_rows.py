"""Row: outcomes and customer events, of workers that are killed meanwhile."""

from typing import Any

import orjson

from schemas.alert import Alert
from schemas.units import HOUR_MS, parse_rfc3339
from tests.faults.audit import Figures
from tests.faults.killing import sliced
from tests.faults.steps import Kill
from tests.faults.workload import Plan, Sent, partition_of, records
from tests.faults.world import Row, Seed

PLAN = Plan(events=400, customers=24)
ANSWERED = (
    ("after poll", "after load", "after decide"),
    ("before commit", "in commit", "after commit"),
    ("after begin_transaction", "after produce", "before commit_transaction"),
)
"""A worker is killed at a step of each line while the answers come, and at another while transactions come again."""


def answers(seed: Seed) -> Figures:
    """Customers are made offers; they answer, and withdraw consents, while the worker is killed three times; then they
    go on as before, and it is killed once more. An outcome counted twice or lost changes which offers they get."""
    with seed.world.scene(PLAN.partitions, poll_records_max=seed.chance.randint(3, 20)) as scene:
        before, after = sliced(records(PLAN, seed.number), 2)
        scene.publish(before)
        scene.live()
        offers = [alert for alert in scene.alerts() if alert.offer is not None and alert.status == "raised"]
        seed.notes += [] if offers else ["no offer was made, so nothing was answered"]
        outcomes, customer_events = _answers(seed, offers)
        scene.answer(outcomes, customer_events)
        for steps in ANSWERED:
            seed.happened("killed itself", scene.live(_kill(seed, steps)))
        scene.start()
        scene.rest()
        scene.publish(after)
        seed.happened("killed itself", scene.live(_kill(seed, ANSWERED[seed.number % len(ANSWERED)])))
        scene.start()
        scene.rest()
        read = scene.read()
        seed.happened("outcomes", read[1])
        seed.happened("customer events", read[2])
        return scene.audit(seed.notes.append).plus(seed.kept(len(offers) > 0, "offers were made"))


def _kill(seed: Seed, steps: tuple[str, ...]) -> Kill:
    return Kill(seed.chance.choice(steps), seed.chance.randint(1, 2))


def _answers(seed: Seed, offers: list[Alert]) -> tuple[list[Sent], list[Sent]]:
    """An answer to each offer, some told twice, some broken; and what some customers tell of themselves: others than
    those who answer, since the order of the two topics is not promised."""
    quiet = {alert.customer_id for alert in offers if seed.chance.random() < 0.3}
    outcomes, events = [], []
    for number, alert in enumerate(offers):
        at = parse_rfc3339(alert.raised_at) + HOUR_MS
        told: dict[str, Any] = {"customer_id": alert.customer_id, "occurred_at": at}
        if alert.customer_id in quiet:
            kind = seed.chance.choice(("consent_withdrawn", "consent_given"))
            channel = seed.chance.choice(("sms", "email", "push"))
            events.append(_sent(told | {"event_id": f"told-{number}", "kind": kind, "channel": channel}))
            continue
        kind = seed.chance.choice(("shown", "accepted", "declined", "ignored", "bought", "liked"))
        answer = _sent(
            told | {"offer_id": getattr(alert.offer, "offer_id", ""), "alert_id": alert.alert_id, "outcome": kind}
        )
        outcomes += [answer] * seed.chance.choice((1, 1, 2))
    return outcomes, events


def _sent(told: dict[str, Any]) -> Sent:
    customer = str(told["customer_id"])
    return Sent(partition_of(customer, PLAN.partitions), customer.encode(), orjson.dumps(told))


ROWS = (
    Row(
        "answers",
        "outcomes and customer events, the worker killed up to four times a seed",
        answers,
        12,
        4,
        happens=("killed itself", "outcomes", "customer events"),
    ),
)
