"""Reading the fields of somebody else's file strictly: a row is understood exactly or refused with file, line and rule.

The rule is said in words; the value itself is never repeated, for it may be somebody's account number.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from schemas.transaction import AMOUNT_LIMIT
from schemas.units import EpochMs, epoch_ms

_MONEY = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{8}")
_NUMBER = re.compile(r"[0-9]{1,18}")


class RowError(ValueError):
    """A row that breaks a rule of its format. Its text is `file, line 3, amount: must be ...`."""

    def __init__(self, file: Path, line: int, field: str, rule: str) -> None:
        super().__init__(f"{file}, line {line}, {field}: {rule}")
        self.file = file
        self.line = line
        self.field = field
        self.rule = rule


@dataclass(frozen=True, slots=True)
class RowPosition:
    """Where a row stands, and the rules that its fields may be held to. Lines count from 1."""

    file: Path
    line: int

    def refused(self, field: str, rule: str) -> RowError:
        """The error to raise when `field` breaks `rule`."""
        return RowError(self.file, self.line, field, rule)

    def number(self, field: str, text: str) -> int:
        """A whole number of at most 18 digits. Raises RowError."""
        if _NUMBER.fullmatch(text) is None:
            raise self.refused(field, "must be a whole number of at most 18 digits")
        return int(text)

    def minor(self, field: str, text: str) -> int:
        """Money with up to two decimals, in hundredths: exact, never through a float. Raises RowError."""
        if _MONEY.fullmatch(text) is None:
            raise self.refused(field, "must be a decimal number with at most two decimals")
        minor = int(Decimal(text).scaleb(2))
        if abs(minor) > AMOUNT_LIMIT:
            raise self.refused(field, f"must lie within {AMOUNT_LIMIT} hundredths of zero")
        return minor

    def unsigned_minor(self, field: str, text: str) -> int:
        """As `minor`, of zero or more. Raises RowError."""
        minor = self.minor(field, text)
        if minor < 0:
            raise self.refused(field, "must be zero or more")
        return minor

    def midnight(self, field: str, text: str) -> EpochMs:
        """The start in UTC of a day written YYYYMMDD. Raises RowError."""
        if _DATE.fullmatch(text) is None:
            raise self.refused(field, "must be a date of digits only")
        try:
            return epoch_ms(datetime(int(text[:4]), int(text[4:6]), int(text[6:]), tzinfo=UTC))
        except ValueError:
            raise self.refused(field, "must be a day of the calendar") from None
