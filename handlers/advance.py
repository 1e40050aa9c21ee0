"""The kernel of a step: takes one customer after another through the batch, stopping at moments for a decision."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handlers.batch import I8
from handlers.churn_inputs import NAMES
from handlers.churn_watch import Watch, known_from, next_look, number
from handlers.fold import fold, next_due, raise_churn
from handlers.fold import new_work as new_room
from handlers.jit import F8, jit
from handlers.layout import decode, encode
from handlers.measures import evaluate, share_of_shorter_gaps
from handlers.moments import LATE, NOTED, RETURNED, RUN_OFF, looked, watch
from handlers.rhythm import COOLDOWN_DAYS, VALID_DAYS
from handlers.row import (
    DUE,
    FIRST,
    LAST_OWN,
    LOOK,
    NEWEST,
    QUIET_UNTIL,
    RAISED_DUE,
    ROW_BYTES_MAX,
    TIER,
    Scratch,
    clear,
)
from handlers.run_off import FIGURES, GROUPS, marks_run_off, run_off, run_off_mark, runs_off, still_runs_off
from handlers.screen import MAY_FIT, UNFITTING, Screen, screened
from handlers.varint import U8
from schemas.units import DAY_MS

DONE, FULL, SILENT, AT_EVENT, AT_LOOK, NOTES_FULL = range(6)
"""What `advance` stopped for: the end, a full buffer, a due time that passed in silence, an event worth a decision, a
time to look at a deposit, no more room for notes of looks."""

AFTER = 1
"""Order of alerts at one event: before it is folded, after it, and due at once after it."""

# moment: where the kernel stands, and what it stopped for
MOMENT_CUSTOMER = 0
MOMENT_NEXT = 1  # place in `order` of the customer's next event
MOMENT_OPEN = 2  # whether the customer's row is open
MOMENT_OUT = 3  # bytes written to the buffer
MOMENT_AT = 4  # time of the moment, epoch ms
MOMENT_EVENT = 5  # its event (at a due time: the customer's event before, -1 if none)
MOMENT_BITS = 6
MOMENT_RAISED = 7  # due time of the churn alert that stood before the event
MOMENT_TIER = 8  # the customer's place among the tiers
MOMENT_TAIL = 9  # where the customer's dealings start in `raw`
MOMENT_NOTES = 10  # looks written down
MOMENTS = 11

# notes: one look of the churn model each
NOTE_CUSTOMER = 0
NOTE_EVENT = 1  # as MOMENT_EVENT
NOTE_AT = 2
NOTE_LOG_ODDS = 3
NOTE_INPUTS = 4
NOTES_MAX = 256

_WEEK_MS = 7 * DAY_MS

# rows of `told`: what is said of each customer
DUE_BEFORE, DUE_AFTER = 0, 1  # due times, 0 for never
ROW_END = 2  # of the new row, in the buffer
TAIL = 3  # length of the dealings at the row's end
LATES = 4  # late events
UNFITTINGS = 5  # moments at which no offer fitted
TOLD = 6

COLUMNS = ("at", "amount", "balance", "type", "channel", "undoes_at", "clock")
"""Of a batch, as rows of `columns`."""
_AT, _AMOUNT, _BALANCE, _TYPE, _CHANNEL, _UNDOES, _CLOCK = range(len(COLUMNS))


class Work(NamedTuple):
    """Room to work in, and what a decision is made over."""

    room: I8
    values: I8
    """The features at the moment, shape (features,)."""
    share: NDArray[np.float64]
    """At SILENT: share of own gaps that are shorter than the silence, shape (1,)."""
    run_off: I8
    """At SILENT with a model, and at RUN_OFF: see run_off.py, shape (groups, figures)."""
    notes: F8
    """Of looks, where they are wanted, shape (NOTES_MAX, NOTE_INPUTS + inputs)."""


def new_work(features: int) -> Work:
    """Empty room for that many features."""
    notes = np.zeros((NOTES_MAX, NOTE_INPUTS + len(NAMES)))
    return Work(new_room(), np.zeros(features, np.int64), np.zeros(1), np.zeros((GROUPS, FIGURES), np.int64), notes)


@jit
def _earliest(s: Scratch) -> int:
    """When the customer must be looked at, 0 for never."""
    if s.life[DUE] == 0 or s.life[LOOK] == 0:
        return int(s.life[DUE] + s.life[LOOK])
    return int(min(s.life[DUE], s.life[LOOK]))


@jit
def _silent(s: Scratch, churn: Watch, due: int, room: I8, note: F8) -> bool:
    """Whether the silence that is looked at is an alert; if not, DUE becomes the next look."""
    if churn.weights.horizon > 0:
        found = number(s, churn, due, room)
        if churn.noted:
            note[NOTE_LOG_ODDS] = found
            for c in range(churn.inputs.shape[0]):
                note[NOTE_INPUTS + c] = churn.inputs[c]
        if found >= churn.raise_at:
            return True
        s.life[DUE] = next_look(s, churn, due, room)
        return False
    if s.life[NEWEST] // DAY_MS == s.life[LAST_OWN] // DAY_MS:  # the rhythm is still known to the day
        own = next_due(s, 0, room)
        if own == 0 or own > due:  # the look was set by a model that has been taken away
            s.life[DUE] = own
            return False
    return True


@jit
def _holds(s: Scratch, churn: Watch, raised: int, at: int, work: Work) -> bool:
    """Whether the alert raised at `raised` still stands although the customer has made a transaction at `at`."""
    if at >= raised + VALID_DAYS * DAY_MS:
        return False
    if marks_run_off(raised):
        return still_runs_off(s, s.life[NEWEST], work.run_off)
    return number(s, churn, s.life[NEWEST], work.room) >= churn.hold_above


@jit
def _leaves_in_a_run(s: Scratch, churn: Watch, spec: I8, before: int, work: Work) -> bool:
    """Whether an active customer runs off and this is to be said: asked at the first own transaction of each of the
    customer's weeks. `before` is the own transaction before this one. Changes the row: the alert stands."""
    last, first = s.life[LAST_OWN], s.life[FIRST]
    if before == 0 or last == before or (last + first) // _WEEK_MS == (before + first) // _WEEK_MS:
        return False
    if s.life[RAISED_DUE] != 0 or last < s.life[QUIET_UNTIL]:
        return False
    if not runs_off(s, spec, s.life[NEWEST], work.run_off, work.values, work.room):
        return False
    number(s, churn, s.life[NEWEST], work.room)
    s.life[RAISED_DUE] = run_off_mark(last)
    s.life[QUIET_UNTIL] = (last // DAY_MS + COOLDOWN_DAYS + 1) * DAY_MS
    s.life[DUE] = 0
    return True


@jit
def advance(
    s: Scratch,
    work: Work,
    spec: I8,
    moment: I8,
    raw: U8,
    ends: I8,
    order: I8,
    event_ends: I8,
    columns: I8,
    account: I8,
    clock_ends: I8,
    wanted: int,
    screen: Screen,
    tiers: I8,
    churn: Watch,
    buffer: U8,
    told: I8,
) -> int:
    """Goes on from `moment`. Customer k's stored row ends at ends[k] in `raw`, its events at event_ends[k] in `order`,
    and stream time after the whole batch is clock_ends[k] where k's partition is. What is said of k stands in
    told[:, k].

    At a due time the row is already changed (the alert stands), at an event it has been folded. Dealings go through
    unread: they are decided on when all customers have been here, in the order of the stream.
    """
    horizon = int(churn.weights.horizon)
    while moment[MOMENT_CUSTOMER] < ends.shape[0]:
        k = moment[MOMENT_CUSTOMER]
        first_event = 0 if k == 0 else event_ends[k - 1]
        if moment[MOMENT_OPEN] == 0:
            start = 0 if k == 0 else ends[k - 1]
            if moment[MOMENT_OUT] + ROW_BYTES_MAX + ends[k] - start > buffer.shape[0]:
                return FULL
            if ends[k] > start:
                moment[MOMENT_TAIL] = decode(s, raw, start)
            else:
                clear(s)
                moment[MOMENT_TAIL] = start
            told[DUE_BEFORE, k] = _earliest(s)
            moment[MOMENT_NEXT] = first_event
            moment[MOMENT_OPEN] = 1
        while True:
            place = moment[MOMENT_NEXT]
            last = place == event_ends[k]
            event = -1 if last else order[place]
            clock = clock_ends[k] if last else columns[_CLOCK, event]
            due = _earliest(s)
            if due != 0 and due <= clock:
                before = order[place - 1] if place > first_event else -1
                if s.life[DUE] == due:
                    if horizon != 0 and due < known_from(s, churn):
                        s.life[DUE] = known_from(s, churn)
                        continue
                    if moment[MOMENT_NOTES] == work.notes.shape[0]:
                        return NOTES_FULL
                    note = work.notes[moment[MOMENT_NOTES]]
                    silent = _silent(s, churn, due, work.room, note)
                    if churn.noted and horizon != 0:
                        note[NOTE_CUSTOMER], note[NOTE_EVENT], note[NOTE_AT] = k, before, due
                        moment[MOMENT_NOTES] += 1
                    if not silent:
                        continue
                moment[MOMENT_AT] = due
                moment[MOMENT_EVENT] = before
                moment[MOMENT_TIER] = s.life[TIER]
                evaluate(s, spec, due, work.values, work.room)
                if s.life[DUE] != due:
                    looked(s)
                    return AT_LOOK
                silence = due // DAY_MS - s.life[LAST_OWN] // DAY_MS
                work.share[0] = share_of_shorter_gaps(s, silence, work.room)
                if horizon != 0:
                    run_off(s, due, work.run_off)
                raise_churn(s)
                return SILENT
            if last:
                break
            at = columns[_AT, event]
            if columns[_TYPE, event] < 0:
                if columns[_TYPE, event] != NOTED:
                    watch(
                        s,
                        columns[_TYPE, event],
                        account[event],
                        columns[_AMOUNT, event],
                        columns[_BALANCE, event],
                        clock,
                    )
                moment[MOMENT_NEXT] = place + 1
                continue
            moment[MOMENT_RAISED] = s.life[RAISED_DUE]
            own_before = s.life[LAST_OWN]
            bits = fold(
                s,
                at,
                columns[_AMOUNT, event],
                columns[_BALANCE, event],
                account[event],
                columns[_TYPE, event],
                columns[_CHANNEL, event],
                columns[_UNDOES, event],
                tiers,
                horizon,
                work.room,
            )
            if bits & RETURNED and horizon != 0 and _holds(s, churn, moment[MOMENT_RAISED], at, work):
                s.life[RAISED_DUE] = moment[MOMENT_RAISED]
                s.life[DUE] = 0
                bits &= ~RETURNED
            running = horizon != 0 and _leaves_in_a_run(s, churn, spec, own_before, work)
            moment[MOMENT_NEXT] = place + 1
            told[LATES, k] += 1 if bits & LATE else 0
            bits &= wanted
            if bits & ~RETURNED:
                evaluate(s, spec, at, work.values, work.room)
                found = screened(screen, work.values, bits, at)
                if found != MAY_FIT:
                    bits &= RETURNED
                    told[UNFITTINGS, k] += 1 if found == UNFITTING else 0
            if running:
                bits |= RUN_OFF
            if bits != 0:
                moment[MOMENT_AT] = at
                moment[MOMENT_EVENT] = event
                moment[MOMENT_BITS] = bits
                moment[MOMENT_TIER] = s.life[TIER]
                return AT_EVENT
        told[DUE_AFTER, k] = _earliest(s)
        moment[MOMENT_OUT] = encode(s, buffer, moment[MOMENT_OUT])
        tail = ends[k] - moment[MOMENT_TAIL]
        for b in range(tail):
            buffer[moment[MOMENT_OUT] + b] = raw[moment[MOMENT_TAIL] + b]
        told[TAIL, k] = tail
        moment[MOMENT_OUT] += tail
        told[ROW_END, k] = moment[MOMENT_OUT]
        moment[MOMENT_OPEN] = 0
        moment[MOMENT_CUSTOMER] = k + 1
    return DONE
