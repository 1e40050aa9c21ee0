"""Moments: what has just happened to a customer that is worth an offer. Each is one named rule over the row.

The rules run in the kernel for every event, so each first asks what is cheap and seldom true. A moment comes with an
event that is less than TIMELY_MS behind stream time, in whatever order such events arrive; a later event or a reversal
brings none, but for a level that a balance has crossed: that is seen with the account's newest balance, however late
it comes. A deposit's moment comes with its due time.
"""

from typing import NamedTuple, get_args

from handlers.belief.bits import CHURN_RISK
from handlers.intake.events import UNDOES_AT
from handlers.kernel.customer_ids import ACCOUNT_WORDS
from handlers.kernel.jit import I8, jit
from handlers.offers.section import OFFERS, PRODUCT_DUE, TIER
from handlers.state.day_list import open_days
from handlers.state.row import (
    ACCOUNT_AT,
    ACCOUNT_BALANCE,
    ACCOUNTS,
    CHANNEL_COUNT,
    CHANNELS_SEEN,
    DAY_HAS_BALANCE,
    DAY_LOW,
    DAY_MIX,
    DAYS,
    FIRST,
    IN,
    NEWEST,
    TILE,
    TILE_IN,
    TILE_OUT,
    WATCH_AT,
    WATCH_KIND,
    WATCH_LEVEL,
    WATCHES,
    WATCHES_MAX,
    OpenRow,
    add,
    copy,
    largest_credit,
)
from schemas.offer import Trigger
from schemas.transaction import TYPES
from schemas.units import DAY_MS

SALARY = 1
LARGE_CREDIT = 2
NEW_CHANNEL = 4
IDLE_BALANCE = 32
REMITTANCE = 64
CARD_NEAR_LIMIT = 128
LOAN_NEARLY_REPAID = 256
DEPOSIT_MATURING = 512
TIER_UP = 1024
"""Bits, beside those of belief/bits.py."""

TIMELY_MS = DAY_MS
"""An event that is this much behind stream time, or more, brings no moment: what it tells is of another day."""

LARGE_TIMES = 2
"""A credit is large at this many times the largest of the 90 days before; see `usual_credit`."""
IDLE_TIMES = 2
"""A balance is idle when its low of 30 days is above zero and at least this many times what was paid out in them."""
IDLE_DAYS = 30
"""A customer is asked once in each period of so many days since the first transaction."""
REMITTANCES_MIN = 3
"""So many remittances within 90 days, this one included, are a pattern."""
CARD_TENTHS, LOAN_TENTHS = 8, 1
"""A card is near its limit with 8/10 of it used, a loan nearly repaid with 1/10 of it left."""
_KIND_BITS, _KIND_MASK = 3, 7
MATURING_DAYS = 14
"""A deposit is looked at so long before it matures."""

PRODUCT = UNDOES_AT
"""Where an entry of a product has its code's checksum."""

NOTED, CARD, LOAN, DEPOSIT, FORGET = -1, -2, -3, -4, -5
"""Types of entries in a batch that are no transactions: nothing for the kernel; watch a card, loan or deposit; no
longer watch an account."""

_SALARY, _REMITTANCE = TYPES.index("salary"), TYPES.index("remittance")


class TriggerSpec(NamedTuple):
    """What an alert says of a moment, and how much it speaks for an offer by itself (the factor `context`)."""

    bit: int
    context: float
    sentence: str


TRIGGERS: dict[str, TriggerSpec] = {
    "salary": TriggerSpec(SALARY, 0.8, "A salary has arrived."),
    "large_credit": TriggerSpec(LARGE_CREDIT, 1.2, "A credit well beyond this customer's usual has arrived."),
    "new_channel": TriggerSpec(NEW_CHANNEL, 1.0, "The customer has used a channel for the first time."),
    "idle_balance": TriggerSpec(IDLE_BALANCE, 1.0, "Far more has been lying in the account than the customer spends."),
    "remittance": TriggerSpec(REMITTANCE, 1.0, "The customer sends money home regularly."),
    "card_near_limit": TriggerSpec(CARD_NEAR_LIMIT, 1.2, "A card is close to its limit."),
    "loan_nearly_repaid": TriggerSpec(LOAN_NEARLY_REPAID, 1.2, "A loan is almost repaid."),
    "deposit_maturing": TriggerSpec(DEPOSIT_MATURING, 1.5, "A deposit is about to mature."),
    "tier_up": TriggerSpec(TIER_UP, 1.0, "The customer brings in more than before."),
    "churn_risk": TriggerSpec(CHURN_RISK, 1.0, "The customer may be leaving."),
}
"""By the name that the catalogue uses; the last comes with a churn alert, for offers with `retention`."""

assert set(get_args(Trigger)) | {"churn_risk"} == set(TRIGGERS)


@jit
def triggers(s: OpenRow, at: int, amount: int, kind: int, channel: int, own: bool, tiers: I8) -> int:
    """The moments that a transaction brings which needn't be folded first, of those that the rules below tell.

    Called before the transaction is folded; `own` says that the customer made it and not the bank. What asks for the
    sums of some days asks for those up to the row's newest day, whatever the order in which a day's events come.
    """
    life = s.life
    bits = 0
    newest = max(at, life[NEWEST])
    if amount > 0:
        if kind == _SALARY:
            bits |= SALARY
        usual = usual_credit(s, newest // DAY_MS)
        if usual > 0 and amount >= LARGE_TIMES * usual:
            bits |= LARGE_CREDIT
        if moved_up(s, newest, amount, tiers):
            bits |= TIER_UP
    if own and life[CHANNELS_SEEN] != 0 and not (life[CHANNELS_SEEN] >> channel) & 1:
        bits |= NEW_CHANNEL
    if kind == _REMITTANCE and remits(s, newest):
        bits |= REMITTANCE
    period, first = IDLE_DAYS * DAY_MS, life[FIRST]
    if (newest - first) // period != (life[NEWEST] - first) // period and lies_idle(s, at):
        bits |= IDLE_BALANCE
    return bits


@jit
def usual_credit(s: OpenRow, day: int) -> int:
    """The largest credit of the 90 days that end with `day`. Without any in them, what no credit before can have been
    more than: the most that came in on one day of those kept, else all that ever came in. 0 without any credit."""
    open_days(s)
    largest = 0
    most = 0
    for k in range(s.size[DAYS]):
        if day - 90 < s.day[k, TILE] <= day:
            largest = max(largest, largest_credit(s.day[k]))
        most = max(most, s.day[k, TILE_IN])
    if largest > 0:
        return largest
    return int(most if most > 0 else s.life[IN])


@jit
def remits(s: OpenRow, at: int) -> bool:
    """Whether one more remittance makes a pattern."""
    open_days(s)
    count = 1
    day = at // DAY_MS
    for k in range(s.size[DAYS]):
        if s.day[k, TILE] > day - 90:
            count += s.day[k, DAY_MIX + CHANNEL_COUNT + _REMITTANCE]
    return count >= REMITTANCES_MIN


@jit
def lies_idle(s: OpenRow, at: int) -> bool:
    """Asked once in each period of 30 days: whether the lowest balance of an account in the 30 days before was far
    above what was paid out in them. Customers of less than 30 days are not asked."""
    if s.life[FIRST] == 0 or s.life[FIRST] > at - IDLE_DAYS * DAY_MS:
        return False
    open_days(s)
    day = at // DAY_MS
    out = 0
    low = 0
    known = False
    for k in range(s.size[DAYS]):
        if s.day[k, TILE] > day - IDLE_DAYS:
            out = add(out, s.day[k, TILE_OUT])
            if s.day[k, DAY_HAS_BALANCE] != 0:
                low = min(low, s.day[k, DAY_LOW]) if known else s.day[k, DAY_LOW]
                known = True
    if not known:  # what was reported last has stood ever since
        for a in range(s.size[ACCOUNTS]):
            balance = s.accounts[a, ACCOUNT_BALANCE]
            low = min(low, balance) if known else balance
            known = True
    return known and low > 0 and low >= IDLE_TIMES * out


@jit
def moved_up(s: OpenRow, at: int, amount: int, tiers: I8) -> bool:
    """Keeps TIER by the money in of the 90 days that end with this credit, and says whether it has risen. It says so
    only of customers of 90 days and more: before, the sum can but grow."""
    if tiers.shape[0] == 0:
        return False
    open_days(s)
    day = at // DAY_MS
    money = amount
    for k in range(s.size[DAYS] - 1, -1, -1):
        if s.day[k, TILE] <= day - 90:
            break
        money = add(money, s.day[k, TILE_IN])
    tier = 1
    while tier <= tiers.shape[0] and money >= tiers[tier - 1]:
        tier += 1
    before = s.sections[OFFERS, TIER]
    s.sections[OFFERS, TIER] = tier
    return bool(before != 0 and tier > before and s.life[FIRST] <= at - 90 * DAY_MS)


@jit
def _kind(stored: int) -> int:
    """CARD, LOAN or DEPOSIT, as WATCH_KIND has it: above it the product's checksum, in rows of before none."""
    return stored if stored < 0 else -(stored & _KIND_MASK)


@jit
def level_triggers(s: OpenRow, account: I8, balance: int, at: int) -> int:
    """The moments that a new balance of an account brings, before it is recorded: a level crossed since the last. One
    that is older than the account's newest brings none."""
    bits = 0
    for k in range(s.size[WATCHES]):
        if not _same(s.watches[k], account):
            continue
        level = s.watches[k, WATCH_LEVEL]
        before = 0
        known = False
        for a in range(s.size[ACCOUNTS]):
            if _same(s.accounts[a], account):
                before = s.accounts[a, ACCOUNT_BALANCE]
                known = True
                if at < s.accounts[a, ACCOUNT_AT]:
                    return 0
        kind = _kind(s.watches[k, WATCH_KIND])
        if kind == CARD and balance <= level and (not known or before > level):
            bits |= CARD_NEAR_LIMIT
        if kind == LOAN and balance >= level and known and before < level:
            bits |= LOAN_NEARLY_REPAID
    return bits


@jit
def watch(s: OpenRow, kind: int, account: I8, product: int, level: int, when: int, clock: int) -> None:
    """Starts to watch a product, in the place of what was watched for that account, or ends it (FORGET): without an
    account for every account of the product.

    The oldest gives way when there is no room. `when` is a deposit's maturity; one that is past is not watched.
    """
    kept = 0
    for k in range(s.size[WATCHES]):
        of_it = s.watches[k, WATCH_KIND] >> _KIND_BITS == product if account[0] == 0 else _same(s.watches[k], account)
        if not of_it:
            copy(s.watches, kept, k)
            kept += 1
    if kind != FORGET and (kind != DEPOSIT or when > clock):
        if kept == WATCHES_MAX:
            for k in range(1, kept):
                copy(s.watches, k - 1, k)
            kept -= 1
        for w in range(ACCOUNT_WORDS):
            s.watches[kept, w] = account[w]
        s.watches[kept, WATCH_KIND] = product << _KIND_BITS | -kind
        s.watches[kept, WATCH_LEVEL] = level
        s.watches[kept, WATCH_AT] = max(when - MATURING_DAYS * DAY_MS, clock + 1) if kind == DEPOSIT else 0
        kept += 1
    s.size[WATCHES] = kept
    _look_next(s)


@jit
def product_due_passed(s: OpenRow) -> None:
    """The time to look at deposits has come: those are watched no longer."""
    kept = 0
    for k in range(s.size[WATCHES]):
        if s.watches[k, WATCH_AT] == 0 or s.watches[k, WATCH_AT] > s.sections[OFFERS, PRODUCT_DUE]:
            copy(s.watches, kept, k)
            kept += 1
    s.size[WATCHES] = kept
    _look_next(s)


@jit
def _look_next(s: OpenRow) -> None:
    s.sections[OFFERS, PRODUCT_DUE] = 0
    for k in range(s.size[WATCHES]):
        at = s.watches[k, WATCH_AT]
        if at != 0 and (s.sections[OFFERS, PRODUCT_DUE] == 0 or at < s.sections[OFFERS, PRODUCT_DUE]):
            s.sections[OFFERS, PRODUCT_DUE] = at


@jit
def _same(entry: I8, account: I8) -> bool:
    same = True
    for w in range(ACCOUNT_WORDS):
        same &= entry[w] == account[w]
    return same
