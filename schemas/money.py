"""Currencies, and an amount of money in words."""

from decimal import Decimal

import iso4217

_WITHDRAWN = {
    "ANG": 2, "AZM": 2, "BGN": 2, "BYR": 0, "CSD": 2, "CUC": 2, "CYP": 2, "EEK": 2, "GHC": 2, "HRK": 2,
    "LTL": 2, "LVL": 2, "MRO": 2, "MTL": 2, "MZM": 2, "ROL": 2, "SDD": 2, "SIT": 2, "SKK": 2, "SLL": 2,
    "STD": 2, "TMM": 2, "TRL": 0, "VEB": 2, "VEF": 2, "ZMK": 2, "ZWD": 2, "ZWL": 2, "ZWR": 2,
}  # fmt: skip
"""Currencies that have gone since 2004 (ISO 4217, list three): a bank's history is in what was money when it happened,
and the library knows today's only."""

EXPONENTS: dict[str, int] = _WITHDRAWN | {
    currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None
}
"""Decimal places of each currency's minor unit, by ISO 4217 code. Metals, funds and test codes have none."""


def money(minor: float, currency: str) -> str:
    """An amount in minor units, as people write it, with as many decimals as the currency has: 1,234.50 EUR, 1,235 JPY.
    Raises KeyError for a code that is not in EXPONENTS."""
    exponent = EXPONENTS[currency]
    return f"{Decimal(minor).scaleb(-exponent):,.{exponent}f} {currency}"
