"""Kernel hooks of milestones."""

from handlers.aggregates.fold import NEWER_OWN
from handlers.kernel.jit import jit
from handlers.milestones.section import ASKED, MILESTONES, REACHED, VISITS, WEEK_DUE
from handlers.state.row import LAST_OWN, OpenRow
from schemas.units import DAY_MS

EACH = 3
"""So many visits are a milestone."""


@jit
def after_visit(s: OpenRow, changed: int) -> int:
    """Counts a visit once it is folded; the bits of what is found."""
    if changed & NEWER_OWN == 0:
        return 0
    s.sections[MILESTONES, VISITS] += 1
    due = (s.life[LAST_OWN] // DAY_MS + 8) * DAY_MS
    s.sections[MILESTONES, WEEK_DUE] = due if due > s.sections[MILESTONES, ASKED] else 0
    return REACHED if s.sections[MILESTONES, VISITS] % EACH == 0 else 0


@jit
def week_passed(s: OpenRow) -> None:
    """Nothing is due until the next visit."""
    s.sections[MILESTONES, ASKED] = s.sections[MILESTONES, WEEK_DUE]
    s.sections[MILESTONES, WEEK_DUE] = 0
