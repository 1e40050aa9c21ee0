"""Stream time of a partition: what silences, due times, expiry and quiet hours are judged by. It only grows.

A record moves it to when it occurred, never beyond its Kafka timestamp (or the clock on the wall, where that is asked):
a post-dated booking moves nobody. One record alone does not move it by more than LEAP_MS: another, of another moment,
must confirm that. A heartbeat is believed as it is.

A feed has an outage when nothing has moved stream time for much longer than usual: over a day, and over twice the
longest gap of its last RHYTHM_WEEKS weeks that was no outage. That is said only of a feed of at least CUSTOMERS_MIN
customers that is known for a week: of fewer, nobody can tell an outage from their leaving. The outage is remembered, so
that it is left out of silences that it has cut into; while it lasts, the clock on the wall moves nothing beyond the gap
that still was usual.
"""

import numpy as np

from handlers.kernel.customer_ids import id_hash
from handlers.kernel.jit import I8, jit
from schemas.units import DAY_MS

TIME = "\0time"
"""The name among a partition's rows of what is to be remembered beside stream time itself."""

LEAP_MS = 180 * DAY_MS
"""Beyond it all that a row knows by days is over."""
WALL_LEAP_MS = 35 * DAY_MS
"""By so much the clock on the wall may be ahead of all that is known without being looked at twice."""
CUSTOMERS_MIN = 3
OUTAGES_MAX = 64
"""So many that none is forgotten that cuts into a silence of the days that a row keeps, however long a batch is."""
RHYTHM_WEEKS = 5
"""Weeks in which anything came, the present one included."""
USUAL_TIMES = 2
USUAL_MS_MIN = DAY_MS

_WEEK_MS = 7 * DAY_MS
_BITS = 62
_VERSION = b"\xf2"
"""Unlike that of any customer's row."""

# places in the state
CLOCK = 0  # epoch ms
FIRST = 1  # where stream time began
FAR = 2  # when a record occurred that lay a leap ahead, 0 for none
WEEK = 3  # number of the present week
MET = 4  # bits by hash of the customers of the present week
MET_BEFORE = 5  # of the one before
GAPS = 6  # longest usual gap of each of the last weeks, the present one first
OUTAGES = GAPS + RHYTHM_WEEKS  # start and end of each, the latest first; 0 for none
STATE = OUTAGES + 2 * OUTAGES_MAX


@jit
def follow(state: I8, at: int, customer: I8) -> None:
    """A record of that customer that is worth `at` (epoch ms) to stream time."""
    who = id_hash(customer)
    clock = state[CLOCK]
    if clock == 0:
        _begin(state, at)
    elif at > clock + LEAP_MS:
        far = state[FAR]
        state[FAR] = at
        if far <= clock + LEAP_MS or at < far - LEAP_MS or at == far:  # the same date again is no other's word
            return
        _move(state, min(at, far))
    elif at > clock:
        state[FAR] = 0
        _move(state, at)
    state[MET] |= 1 << ((who >> 1) % _BITS)


@jit
def follow_heartbeat(state: I8, at: int) -> None:
    """All that occurred before `at` has been published: there is no outage."""
    if state[CLOCK] == 0:
        _begin(state, at)
    elif at > state[CLOCK]:
        state[CLOCK] = at
        _turn_week(state)


@jit
def usual_until(state: I8) -> int:
    """Until when (epoch ms) it is usual that nothing comes; 0 where the feed is not known well enough to tell."""
    if state[CLOCK] - state[FIRST] < _WEEK_MS or _customers(state) < CUSTOMERS_MIN:
        return 0
    usual = 0
    for k in range(RHYTHM_WEEKS):
        usual = max(usual, state[GAPS + k])
    return int(state[CLOCK] + max(USUAL_TIMES * usual, USUAL_MS_MIN))


@jit
def lost_to_outages(outages: I8, since: int, until: int) -> int:
    """Whole days (in ms) of a silence since `since` that outages took which began before `until`. `outages` as in the
    state."""
    lost = 0
    for k in range(0, outages.shape[0], 2):
        if outages[k] == 0:
            break
        if outages[k] < until and outages[k + 1] > since:
            lost += outages[k + 1] - max(outages[k], since)
    return int((lost + DAY_MS - 1) // DAY_MS * DAY_MS)


@jit
def _begin(state: I8, at: int) -> None:
    state[CLOCK] = state[FIRST] = at
    state[WEEK] = at // _WEEK_MS


@jit
def _move(state: I8, at: int) -> None:
    clock = state[CLOCK]
    if at - clock > USUAL_MS_MIN:
        usual = usual_until(state)
        if usual != 0 and at > usual:
            for k in range(STATE - 1, OUTAGES + 1, -1):
                state[k] = state[k - 2]
            state[OUTAGES], state[OUTAGES + 1] = clock, at
            clock = at
    state[CLOCK] = at
    _turn_week(state)
    state[GAPS] = max(state[GAPS], at - clock)


@jit
def _turn_week(state: I8) -> None:
    week = state[CLOCK] // _WEEK_MS
    if week != state[WEEK]:
        state[WEEK] = week
        state[MET_BEFORE], state[MET] = state[MET], 0
        for k in range(RHYTHM_WEEKS - 1, 0, -1):
            state[GAPS + k] = state[GAPS + k - 1]
        state[GAPS] = 0


@jit
def _customers(state: I8) -> int:
    """How many at least came in this week and the one before."""
    left = state[MET] | state[MET_BEFORE]
    count = 0
    while left != 0:
        left &= left - 1
        count += 1
    return count


class StreamTime:
    """Of one partition, from what was stored of it."""

    def __init__(self, clock: int = 0, stored: bytes = b"") -> None:
        """`clock` is stream time, `stored` what `take` gave; nothing where a partition is new or of an older program.

        Raises ValueError for what is none of this program's.
        """
        self.state = np.zeros(STATE, np.int64)
        if stored:
            if stored[:1] != _VERSION or len(stored) != 1 + 8 * STATE:
                raise ValueError("stream time was stored by another version of this program")
            self.state[:] = np.frombuffer(stored, np.int64, STATE, 1)
        elif clock:
            _begin(self.state, clock)
        self.state[CLOCK] = clock
        self._stored = self.state[FIRST:].copy() if stored else np.zeros(STATE - 1, np.int64)

    @property
    def clock(self) -> int:
        """Stream time, epoch ms."""
        return int(self.state[CLOCK])

    @property
    def outages(self) -> I8:
        """Start and end (epoch ms) of each, the latest first; 0 for none. A view, (2 x OUTAGES_MAX,)."""
        return self.state[OUTAGES:]

    def heartbeat(self, at: int) -> None:
        """As follow_heartbeat."""
        follow_heartbeat(self.state, at)

    def held(self, now: int) -> int:
        """Up to when (epoch ms) silences may be judged where nothing has come and it is `now` by the clock on the
        wall."""
        until = usual_until(self.state)
        return max(self.clock, now if until == 0 else min(now, until))

    def outage_ms(self, now: int) -> int:
        """How long the feed has had an outage that still lasts `now`; 0 where it has none."""
        until = usual_until(self.state)
        return now - self.clock if until != 0 and now > until else 0

    def take(self) -> bytes | None:
        """What is to be stored beside stream time itself, None where that is stored."""
        if np.array_equal(self._stored, self.state[FIRST:]):
            return None
        self._stored = self.state[FIRST:].copy()
        return _VERSION + bytes(8) + self._stored.tobytes()  # stream time itself is the partition's
