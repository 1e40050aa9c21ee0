"""The moment to look again is when the number crosses the band, and not a day sooner."""

import numpy as np

from handlers.churn_due import DAYS_MAX, crossing
from handlers.churn_inputs import inputs_of
from handlers.churn_model import Scorer
from handlers.layout import decode
from handlers.row import new_scratch
from learning.churn_training import Trained
from schemas.units import DAY_MS
from tests.fast import Fast
from tests.learning.conftest import UNTIL


def test_the_number_is_below_the_band_until_it_is_due_and_above_it_then(trained: Trained) -> None:
    start = UNTIL - 60 * DAY_MS
    purchases = [
        {
            "event_id": f"{customer}-{n}", "customer_id": customer, "account_id": "a", "currency": "EUR",
            "occurred_at": start + n * every * DAY_MS, "amount_minor": -2_000, "type": "purchase", "channel": "online",
        }
        for customer, every in (("often", 2), ("seldom", 9))
        for n in range(60 // every)
    ]  # fmt: skip
    rows = Fast().feed(sorted(purchases, key=lambda row: int(row["occurred_at"]))).rows
    scorer, due = Scorer(trained.model), {}
    for customer in ("often", "seldom"):
        opened = new_scratch()
        decode(opened, np.frombuffer(rows[customer], np.uint8), 0)
        at = crossing(scorer, opened, UNTIL, 0.9)
        assert at is not None
        assert at % DAY_MS == 0
        assert scorer.scores(inputs_of(opened, at)[None, :])[0] >= 0.9
        if at > UNTIL + DAY_MS:
            assert scorer.scores(inputs_of(opened, at - DAY_MS)[None, :])[0] < 0.9
        due[customer] = at
        assert crossing(scorer, opened, UNTIL, 1.0) is None
    assert UNTIL < due["often"] <= due["seldom"] < UNTIL + DAYS_MAX * DAY_MS
