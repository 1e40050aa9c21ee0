"""The kernel of a step: takes one customer after another through the batch, writing down moments for a decision."""

from handlers.aggregates.evaluate import evaluate
from handlers.aggregates.fold import LATE, fold, made_by_customer
from handlers.aggregates.spec import Spec
from handlers.belief.bits import RETURNED, REVERSED, RUN_OFF, SILENT
from handlers.churn.challenger import CHECK_AT, CHECK_CUSTOMER, CHECK_EVENT
from handlers.churn.due import after_fold, alert_on_silence, keep, leaves_in_a_run, raise_churn
from handlers.churn.run_off import run_off
from handlers.churn.schedule import SilenceSchedule, checked_from
from handlers.churn.section import CHURN, DUE, RAISED_DUE
from handlers.engine.findings import (
    FINDING_AT,
    FINDING_AT_EVENT,
    FINDING_BITS,
    FINDING_CLOCK,
    FINDING_CUSTOMER,
    FINDING_EVENT,
    FINDING_RAISED,
    FINDING_TIER,
    Findings,
)
from handlers.intake.events import ACCOUNT, AMOUNT, AT, BALANCE, CHANNEL, CLOCK, COUNTS, FLOW, MONEY_IN, TYPE, UNDOES_AT
from handlers.intake.stream_time import lost_to_outages
from handlers.kernel.jit import I8, NONE, U8, jit
from handlers.offers.prefilter import MAY_FIT, UNFITTING, Prefilter, prefilter
from handlers.offers.section import OFFERS, PRODUCT_DUE, TIER
from handlers.offers.triggers import (
    DEPOSIT_MATURING,
    NOTED,
    PRODUCT,
    TIMELY_MS,
    level_triggers,
    product_due_passed,
    triggers,
    watch,
)
from handlers.state.codec import decode, encode
from handlers.state.row import LAST_OWN, NEWEST, ROW_BYTES_MAX, OpenRow, clear
from handlers.state.section_codec import BROKEN, copy_others
from schemas.units import DAY_MS

DONE, FULL, UNREADABLE = range(3)
"""What `advance` stopped for: the end, no more room, or a row that is broken."""

# cursor: where the kernel stands
CURSOR_CUSTOMER = 0
CURSOR_NEXT = 1  # place in `order` of the customer's next event
CURSOR_OPEN = 2  # whether the customer's row is open
CURSOR_SECTIONS = 3  # where the sections of the customer's row start in `raw`
CURSOR_OUT = 4  # bytes written to the buffer
CURSOR_FINDINGS = 5  # moments written down
CURSOR_CHECKS = 6  # looks written down
CURSOR = 7

# rows of `told`: what is said of each customer
DUE_BEFORE, DUE_AFTER = 0, 1  # due times, 0 for never
ROW_END = 2  # of the new row, in the buffer
OTHERS = 3  # length of the sections at the row's end that are not opened
LATES = 4  # late events
UNFITTINGS = 5  # moments at which no offer fitted
UNTIMELIES = 6  # events that came too late to bring a moment
TOLD = 7


@jit
def _sooner(due: int, other: int) -> int:
    """The first of two due times, of which 0 is never."""
    if due == 0 or other == 0:
        return int(due + other)
    return int(min(due, other))


@jit
def _earliest(s: OpenRow) -> int:
    """When the customer must be looked at, 0 for never: the first due time of any belief."""
    return _sooner(s.sections[CHURN, DUE], s.sections[OFFERS, PRODUCT_DUE])


@jit
def advance(
    s: OpenRow,
    room: I8,
    findings: Findings,
    spec: Spec,
    cursor: I8,
    raw: U8,
    starts: I8,
    ends: I8,
    order: I8,
    event_ends: I8,
    events: I8,
    clock_ends: I8,
    outages: I8,
    outages_of: I8,
    wait: int,
    wanted: int,
    known: int,
    screen: Prefilter,
    tiers: I8,
    churn: SilenceSchedule,
    buffer: U8,
    told: I8,
) -> int:
    """Goes on from `cursor`. Customer k's stored row is raw[starts[k]:ends[k]], its events end at event_ends[k] in
    `order`, and stream time after the whole batch is clock_ends[k] where k's partition is, whose outages are
    outages[outages_of[k]]. A due time is looked at `wait` ms after it. What is said of k stands in told[:, k].

    What a moment shows is of the row as it was then: at a due time already changed (the alert stands), at an event
    folded. Sections of beliefs (`known` has the bits of their tags) are opened; others go through unread, as contact
    histories: they are decided on when all customers have been here, in the order of the stream.
    """
    horizon = int(churn.weights.horizon)
    while cursor[CURSOR_CUSTOMER] < ends.shape[0]:
        k = cursor[CURSOR_CUSTOMER]
        first_event = 0 if k == 0 else event_ends[k - 1]
        if cursor[CURSOR_OPEN] == 0:
            start = starts[k]
            if cursor[CURSOR_OUT] + ROW_BYTES_MAX + ends[k] - start > buffer.shape[0]:
                return FULL
            if ends[k] > start:
                cursor[CURSOR_SECTIONS] = decode(s, raw, start, ends[k], known)
                if cursor[CURSOR_SECTIONS] == BROKEN:
                    return UNREADABLE
            else:
                clear(s)
                cursor[CURSOR_SECTIONS] = start
            told[DUE_BEFORE, k] = _earliest(s)
            cursor[CURSOR_NEXT] = first_event
            cursor[CURSOR_OPEN] = 1
        while True:
            if cursor[CURSOR_FINDINGS] == findings.heads.shape[0] or cursor[CURSOR_CHECKS] == findings.checks.shape[0]:
                return FULL
            head = findings.heads[cursor[CURSOR_FINDINGS]]
            values = findings.values[cursor[CURSOR_FINDINGS]]
            inputs = findings.inputs[cursor[CURSOR_FINDINGS]]
            figures = findings.run_off[cursor[CURSOR_FINDINGS]]
            place = cursor[CURSOR_NEXT]
            last = place == event_ends[k]
            event = -1 if last else order[place]
            clock = clock_ends[k] if last else events[event, CLOCK]
            due = _earliest(s)
            if due != 0 and due <= clock - wait:
                before = order[place - 1] if place > first_event else -1
                is_silence = s.sections[CHURN, DUE] == due
                if is_silence:
                    if horizon != 0 and due < checked_from(s, churn):
                        s.sections[CHURN, DUE] = checked_from(s, churn)
                        continue
                    note = findings.checks[cursor[CURSOR_CHECKS]]
                    lost = lost_to_outages(outages[outages_of[k]], s.life[LAST_OWN], due)
                    note[CHECK_AT] = 0
                    silent = alert_on_silence(s, churn, due, lost, room, note)
                    if note[CHECK_AT] != 0:
                        note[CHECK_CUSTOMER], note[CHECK_EVENT] = k, before
                        cursor[CURSOR_CHECKS] += 1
                    if not silent:
                        continue
                head[FINDING_CUSTOMER], head[FINDING_EVENT], head[FINDING_CLOCK] = k, before, due
                head[FINDING_AT_EVENT], head[FINDING_RAISED], head[FINDING_TIER] = 0, 0, s.sections[OFFERS, TIER]
                cursor[CURSOR_FINDINGS] += 1
                if not is_silence:
                    head[FINDING_BITS], head[FINDING_AT] = DEPOSIT_MATURING, due
                    evaluate(s, spec, due, values, room)
                    product_due_passed(s)
                    continue
                head[FINDING_BITS], head[FINDING_AT] = SILENT, s.sections[CHURN, DUE]
                evaluate(s, spec, s.sections[CHURN, DUE], values, room)
                if horizon != 0:
                    keep(churn.inputs, inputs)
                    run_off(s, due, figures)
                raise_churn(s)
                continue
            if last:
                break
            at = events[event, AT]
            if events[event, TYPE] < 0:
                if events[event, TYPE] != NOTED:
                    watch(
                        s,
                        events[event, TYPE],
                        events[event, ACCOUNT:],
                        events[event, PRODUCT],
                        events[event, AMOUNT],
                        events[event, BALANCE],
                        clock,
                    )
                cursor[CURSOR_NEXT] = place + 1
                continue
            raised = s.sections[CHURN, RAISED_DUE]
            own_before = s.life[LAST_OWN]
            amount, balance, account = events[event, AMOUNT], events[event, BALANCE], events[event, ACCOUNT:]
            kind, channel, undoes_at = events[event, TYPE], events[event, CHANNEL], events[event, UNDOES_AT]
            counts, flow = events[event, COUNTS], events[event, FLOW]
            bits = 0
            if undoes_at == NONE:
                if at > clock - TIMELY_MS:
                    own = counts > 0 and made_by_customer(kind)
                    bits = triggers(s, at, amount if flow == MONEY_IN else 0, kind, channel, own, tiers)
                else:
                    told[UNTIMELIES, k] += 1
                if balance != NONE:
                    bits |= level_triggers(s, account, balance, at)
            changed = fold(s, at, amount, balance, account, kind, channel, undoes_at, counts, flow)
            if after_fold(s, churn, changed, at, figures, room):
                bits |= RETURNED
            running = horizon != 0 and leaves_in_a_run(s, churn, spec, own_before, values, inputs, figures, room)
            # more of what came late may follow: looked at a day later and more
            if 0 < s.sections[CHURN, DUE] <= clock - wait:
                s.sections[CHURN, DUE] = (clock // DAY_MS + 2) * DAY_MS
            cursor[CURSOR_NEXT] = place + 1
            if counts < 0:
                bits |= REVERSED
            told[LATES, k] += 1 if changed & LATE else 0
            bits &= wanted
            if bits & ~(RETURNED | REVERSED):
                evaluate(s, spec, max(at, s.life[NEWEST]), values, room)
                fits = prefilter(screen, values, bits, at)
                if fits != MAY_FIT:
                    bits &= RETURNED | REVERSED
                    told[UNFITTINGS, k] += 1 if fits == UNFITTING else 0
            if running:
                bits |= RUN_OFF
            if bits != 0:
                head[FINDING_AT_EVENT] = 1
                decided_at = clock if not running and clock < at <= clock + DAY_MS else at  # post-dated: now
                head[FINDING_CUSTOMER], head[FINDING_EVENT], head[FINDING_AT] = k, event, decided_at
                head[FINDING_BITS], head[FINDING_RAISED], head[FINDING_TIER] = bits, raised, s.sections[OFFERS, TIER]
                head[FINDING_CLOCK] = max(clock, decided_at)
                cursor[CURSOR_FINDINGS] += 1
        told[DUE_AFTER, k] = _earliest(s)
        own_end = encode(s, buffer, cursor[CURSOR_OUT], known)
        cursor[CURSOR_OUT] = copy_others(raw, cursor[CURSOR_SECTIONS], ends[k], buffer, own_end, known)
        told[OTHERS, k], told[ROW_END, k] = cursor[CURSOR_OUT] - own_end, cursor[CURSOR_OUT]
        cursor[CURSOR_OPEN] = 0
        cursor[CURSOR_CUSTOMER] = k + 1
    return DONE
