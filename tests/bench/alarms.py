"""What the churn alerts of the first months are worth at made-up banks and shops, with the model that ships.

python -m tests.bench.alarms            the demo's bank and five others, and two populations of every other kind
python -m tests.bench.alarms --model model.json --kinds irregular --seeds 5
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from handlers.churn.model import ChurnModel
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from learning.came_true import Band, CameTrue
from learning.kinds import KINDS, Kind, Population, population
from learning.noticed import Noticed, fates, noticed
from learning.registry import read_model
from learning.replay import Replay
from learning.simulator import ground_truth, simulate
from schemas.units import DAY_MS
from streams.worker.churn_models import general

BANK_DAYS, KIND_DAYS = 120, 240
UNSEEN = 100
"""Seeds from here on are none of those that the model has learned from, which begin at learning.general.SEED."""


class Measured(NamedTuple):
    """One population."""

    noticed: Noticed
    bands: list[Band]
    gap_days: float
    """Median over the customers of their mean gap between active days."""


def bank(customers: int, days: int, seed: int) -> Population:
    """As the demo's."""
    truth = fates(ground_truth(customers, days, seed))
    return Population("salaried", list(simulate(customers, days, seed)), truth)


def measured(model: ChurnModel | None, made: Population) -> Measured:
    """By a replay of the whole, with the policy as it is unless a bank changes it."""
    run = Replay(TransactionIntake("transactions", "EUR", {}, keyed=False), Rules(churn=model), "transactions", 2_000)
    came_true, alerts = CameTrue(), []
    for alert in run.alerts(map(orjson.dumps, made.rows), folded=came_true.folded):
        came_true.raised(alert)
        alerts.append(alert)
    end = run.clock // DAY_MS
    return Measured(noticed(alerts, made.truth, end), list(came_true.bands(run.clock)), _gap_days(made))


def _gap_days(made: Population) -> float:
    days: dict[str, set[str]] = {}
    for row in made.rows:
        days.setdefault(str(row["customer_id"]), set()).add(str(row["occurred_at"])[:10])
    means = []
    for own in days.values():
        if len(own) > 1:
            first, last = np.datetime64(min(own)), np.datetime64(max(own))
            means.append(float((last - first).astype(int)) / (len(own) - 1))
    return float(np.median(means)) if means else float("nan")


def line(name: str, found: Measured) -> str:
    """A row of the table."""
    seen, bands = found.noticed, found.bands
    known, true = sum(band.known for band in bands), sum(band.came_true for band in bands)
    days = "-" if seen.days is None else f"{seen.days:.0f}"
    said = ", ".join(f"{band.tenth / 10:.1f}: {band.came_true}/{band.known}" for band in bands if band.known)
    return (
        f"{name:14} {found.gap_days:5.1f} {seen.alerts:6} {_share(seen.right, seen.alerts)} {_share(true, known)}"
        f" {_share(seen.noticed, seen.left)} {days:>5} {_share(seen.bothered, seen.stayed)}   {said}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:6.1%}" if whole else "     -"


def main(arguments: Iterable[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="file of tracker train, in the place of the one that ships")
    parser.add_argument("--kinds", nargs="*", default=["bank", *(kind for kind in KINDS if kind != "salaried")])
    parser.add_argument("--seeds", type=int, help="of each; 6 of the bank and 2 of others")
    parser.add_argument("--customers", type=int, default=1_000)
    given = parser.parse_args(None if arguments is None else list(arguments))
    model = general() if given.model is None else read_model(given.model)
    print("gap: median days between visits; right: had left or was fading; true: silent for the horizon; days: median")
    print("from the first day gone, over all who left; then came true of those whose horizon is over, by score\n")
    print(
        f"{'population':14} {'gap':>5} {'alerts':>6} {'right':>6} {'true':>6} {'notic.':>6} {'days':>5} {'bothrd':>6}"
    )
    for kind in given.kinds:
        for seed in range(given.seeds or (6 if kind == "bank" else 2)):
            if kind == "bank":  # seed 1 is the demo's
                made = bank(given.customers, BANK_DAYS, seed + 1)
            else:
                made = population(_kind(kind), min(given.customers, 500), KIND_DAYS, UNSEEN + seed)
            print(line(f"{kind} {seed + 1}", measured(model, made)), flush=True)


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind == name)


if __name__ == "__main__":
    main()
