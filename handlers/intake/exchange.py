"""Money of other currencies in minor units of the bank's base currency, exactly."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from handlers.kernel.text import words_of
from schemas.money import EXPONENTS

_SMALLEST, _LARGEST, _DIGITS_MAX = Decimal("1e-12"), Decimal("1e12"), 40


class Exchange:
    """Rates of one base currency. A rate is units of the base currency for one unit of the other."""

    def __init__(self, base_currency: str, rates: Mapping[str, Decimal]) -> None:
        """Raises ValueError, with a line for each mistake, for a code or a rate that cannot be used."""
        mistakes = [] if base_currency in EXPONENTS else [no_such_currency(base_currency)]
        mistakes += filter(None, (rate_mistake(code, rate, base_currency) for code, rate in rates.items()))
        if mistakes:
            raise ValueError("\n".join(mistakes))
        self.base_currency = base_currency
        self.base_word = int(words_of([base_currency], 1)[0, 0])
        """Its code as handlers/intake/fast_path.py reads it."""
        self._factors = {base_currency: (1, 1)}
        for code, rate in rates.items():
            minor = Fraction(rate) * Fraction(10) ** (EXPONENTS[base_currency] - EXPONENTS[code])
            self._factors[code] = (minor.numerator, minor.denominator)

    def __contains__(self, currency: str) -> bool:
        """Whether amounts in the currency can be converted."""
        return currency in self._factors

    def minor(self, amount: int, currency: str) -> int:
        """The amount, in minor units of the currency, in those of the base; halves go to the even neighbour.

        The result has no bound. Raises KeyError for a currency without a rate.
        """
        numerator, denominator = self._factors[currency]
        whole, rest = divmod(amount * numerator, denominator)
        return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


def rate_mistake(code: str, rate: Decimal, base_currency: str) -> str | None:
    """What is wrong with one line of rates, None if nothing."""
    if code not in EXPONENTS:
        return no_such_currency(code)
    if not rate.is_finite() or not _SMALLEST <= rate <= _LARGEST or len(rate.as_tuple().digits) > _DIGITS_MAX:
        return f"{code}: must be from {_SMALLEST} to {_LARGEST} with at most {_DIGITS_MAX} digits"
    if code == base_currency and rate != 1:
        return f'{code}: is the base currency, its rate can only be "1"; leave it out'
    return None


def no_such_currency(code: str) -> str:
    """The words for a code that is none."""
    return f"{code}: is not an ISO 4217 code of a currency with minor units; write for example USD"
