"""The Czech bank of 1993-1998 (PKDD'99 discovery challenge, the Berka data) as canonical transactions.

The customer of an account is its OWNER in disp.asc; who else may dispose of it is no customer here.

The data has no time of day: order within a day is the file's. So a day's first transaction is placed at 08:00:00 UTC
and each later one, of whatever account, a second after the one before: the bank's own order survives any sorting.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from learning.fields import RowPosition
from schemas.units import DAY_MS, HOUR_MS, SECOND_MS, EpochMs, rfc3339

SYMBOLS = {
    # k_symbol      type, channel (None: the operation's)
    "UROK": ("interest", "automatic"),
    "SLUZBY": ("fee", "automatic"),  # for statements; booked by the bank under the operation VYBER
    "SANKC. UROK": ("fee", "automatic"),  # penalty interest on an overdraft: the bank takes it, so not `interest`
    "DUCHOD": ("pension", "automatic"),
    "SIPO": ("bill_payment", None),  # the household's collected bills, by order or in cash
    "POJISTNE": ("insurance_premium", None),
    "UVER": ("loan_payment", None),
}
"""What a transaction is for. Decides its type; "" and " " say nothing."""

OPERATIONS = {
    # operation       type, channel
    "VKLAD": ("deposit", "counter"),
    "VYBER": ("withdrawal", "counter"),
    "VYBER KARTOU": ("withdrawal", "atm"),  # cash by card
    "PREVOD Z UCTU": ("transfer_in", "automatic"),  # comes without the customer's doing; wages are among them, unmarked
    "PREVOD NA UCET": ("transfer_out", "automatic"),  # the standing orders of order.asc
    "": ("other", "automatic"),
}
"""How it was done. Decides the channel, and the type where the symbol says nothing."""

SIGNS = {"PRIJEM": 1, "VYDAJ": -1, "VYBER": -1}
"""The sign of the amount by the file's own `type`: credit, debit, debit in cash."""

CURRENCY = "CZK"

_TRANS = ("trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol", "bank", "account")
_DISP = ("disp_id", "client_id", "account_id", "type")
_LOAN = ("loan_id", "account_id", "date", "amount", "duration", "payments", "status")
_CARD = ("card_id", "disp_id", "type", "issued")
_OPENING_MS = 8 * HOUR_MS
_DAY_ROWS_MAX = (DAY_MS - _OPENING_MS) // SECOND_MS
_BANK = re.compile(r"[A-Z]{0,2}")
_ACCOUNT = re.compile(r"[0-9]{0,18}")


def transactions(directory: Path) -> Iterator[dict[str, object]]:
    """Every row of trans.asc as the fields of a Transaction, in the file's order, which is the order of time.

    Raises OSError where trans.asc or disp.asc can't be read, RowError at the first row that breaks a rule.
    """
    owners = _owners(directory / "disp.asc")
    day, placed = EpochMs(0), 0
    for position, row in _rows(directory / "trans.asc", _TRANS):
        midnight = position.midnight("date", "19" + row["date"])
        if placed and midnight < day:
            raise position.refused("date", "must not be before the date of the row above: sort the file by date")
        placed = placed + 1 if midnight == day else 1
        day = midnight
        if placed > _DAY_ROWS_MAX:
            raise position.refused("date", f"must not be that of more than {_DAY_ROWS_MAX} rows")
        at = EpochMs(midnight + _OPENING_MS + (placed - 1) * SECOND_MS)
        yield _transaction(position, row, owners, at)


def _transaction(position: RowPosition, row: dict[str, str], owners: dict[int, int], at: EpochMs) -> dict[str, object]:
    number = position.number("account_id", row["account_id"])
    if number not in owners:
        raise position.refused("account_id", "must have an OWNER in disp.asc")
    for field, words in (("type", SIGNS), ("operation", OPERATIONS)):
        if row[field] not in words:
            raise position.refused(field, "must be one of " + ", ".join(word or "(empty)" for word in words))
    kind, channel = _meaning(position, row["operation"], row["k_symbol"].strip())
    transaction: dict[str, object] = {
        "event_id": f"berka-t-{position.number('trans_id', row['trans_id'])}",
        "customer_id": f"berka-c-{owners[number]}",
        "account_id": f"berka-a-{number}",
        "occurred_at": rfc3339(at),
        "amount_minor": SIGNS[row["type"]] * position.unsigned_minor("amount", row["amount"]),
        "currency": CURRENCY,
        "type": kind,
        "channel": channel,
        "balance_minor": position.minor("balance", row["balance"]),
    }
    if _BANK.fullmatch(row["bank"]) is None:
        raise position.refused("bank", "must be two letters or empty")
    if _ACCOUNT.fullmatch(row["account"]) is None:
        raise position.refused("account", "must be a number of at most 18 digits or empty")
    if row["bank"] or row["account"]:
        transaction["counterparty"] = f"{row['bank']}/{row['account']}"
    return transaction


def _meaning(position: RowPosition, operation: str, symbol: str) -> tuple[str, str]:
    """Type and channel of a transaction."""
    by_operation, channel = OPERATIONS[operation]
    if not symbol:
        return by_operation, channel
    if symbol not in SYMBOLS:
        raise position.refused("k_symbol", "must be empty or one of " + ", ".join(SYMBOLS))
    by_symbol, bank_channel = SYMBOLS[symbol]
    return by_symbol, bank_channel or channel


def _owners(file: Path) -> dict[int, int]:
    """The owner's client_id by account_id."""
    owners: dict[int, int] = {}
    for position, row in _rows(file, _DISP):
        if row["type"] not in ("OWNER", "DISPONENT"):
            raise position.refused("type", "must be OWNER or DISPONENT")
        if row["type"] == "OWNER":
            account = position.number("account_id", row["account_id"])
            if account in owners:
                raise position.refused("account_id", "must not have two owners")
            owners[account] = position.number("client_id", row["client_id"])
    return owners


def _rows(file: Path, names: tuple[str, ...]) -> Iterator[tuple[RowPosition, dict[str, str]]]:
    """The rows below the heading. No field of these files holds a semicolon, so quotes only have to go."""
    line = 0
    with file.open(encoding="ascii", errors="replace") as lines:  # what is not ASCII then breaks a field's rule
        for line, text in enumerate(lines, start=1):
            position = RowPosition(file, line)
            values = [value.strip('"') for value in text.rstrip("\n").split(";")]
            if len(values) != len(names):
                raise position.refused("row", f"must have {len(names)} fields, separated by semicolons")
            if line > 1:
                yield position, dict(zip(names, values, strict=True))
            elif tuple(values) != names:
                raise position.refused("heading", "must be " + ";".join(names))
    if line == 0:
        raise RowPosition(file, 1).refused("heading", "must not be missing")


def products(directory: Path) -> Iterator[dict[str, object]]:
    """Loans and cards with the account's owner and the day they were taken, in the files' order; see takeup.Taken.

    Raises as `transactions`.
    """
    owners = _owners(directory / "disp.asc")
    account_of = {row["disp_id"]: row["account_id"] for _, row in _rows(directory / "disp.asc", _DISP)}
    for product, columns in (("loan", _LOAN), ("card", _CARD)):
        for position, row in _rows(directory / f"{product}.asc", columns):
            account = row["account_id"] if product == "loan" else account_of.get(row["disp_id"], "")
            owner = owners.get(position.number("account_id", account))
            if owner is None:
                raise position.refused("account_id", "must have an OWNER in disp.asc")
            day = row["date"] if product == "loan" else row["issued"].split(" ")[0]
            yield {
                "customer_id": f"berka-c-{owner}",
                "product": product,
                "taken_at": rfc3339(position.midnight("date", "19" + day)),
            }
