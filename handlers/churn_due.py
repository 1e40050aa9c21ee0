"""When a customer's number would cross a band if nothing came: the moment at which to look again.

The seam between the model and the loop. About nine evaluations of the row and the model, so it is for moments at which
a customer's rhythm has moved, not for every event.
"""

from handlers.churn_inputs import inputs_of
from handlers.churn_model import Scorer
from handlers.row import Scratch
from schemas.units import DAY_MS

DAYS_MAX = 400
"""Who is not above the band after this long in silence never comes to be looked at for it."""


def crossing(scorer: Scorer, s: Scratch, now: int, band: float) -> int | None:
    """The first midnight (epoch ms, UTC) after `now` with a score of at least `band`; None if not within 400 days.

    By bisection: where the number falls again in between, a midnight that is above the band and follows one below it.
    `now` is not before the newest moment of the row.
    """
    today = now // DAY_MS

    def above(days: int) -> bool:
        inputs = inputs_of(s, (today + days) * DAY_MS)
        return bool(scorer.scores(inputs[None, :])[0] >= band)

    if above(1):
        return (today + 1) * DAY_MS
    if not above(DAYS_MAX):
        return None
    low, high = 1, DAYS_MAX
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return (today + high) * DAY_MS
