"""Amounts of other currencies come out in minor units of the base, exactly; a rates file is wholly right or refused."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.intake.exchange import Exchange
from schemas.money import EXPONENTS
from schemas.transaction import AMOUNT_LIMIT
from streams.worker.exchange_rates import load_rates


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_base_currency_converts_to_itself() -> None:
    assert Exchange("EUR", {}).minor(-12_345, "EUR") == -12_345


def test_currencies_that_have_gone_have_the_decimals_that_they_had() -> None:
    """ISO 4217, list three: of those withdrawn since 2004 only the rouble of Belarus and the Turkish lira had none."""
    gone = "ANG AZM BGN BYR CSD CUC CYP EEK GHC HRK LTL LVL MRO MTL MZM ROL SDD SIT SKK SLL STD TMM TRL VEB VEF ZMK ZWD"
    none = {code for code in gone.split() if EXPONENTS[code] == 0}
    assert none == {"BYR", "TRL"}
    assert {EXPONENTS[code] for code in set(gone.split()) - none} == {2}


def test_a_currency_without_a_rate_is_not_in_the_exchange() -> None:
    exchange = Exchange("EUR", {"USD": Decimal("0.9")})
    assert "USD" in exchange
    assert "JPY" not in exchange


@pytest.mark.parametrize(
    ("base", "other", "rate", "amount", "expected"),
    [
        ("EUR", "USD", "0.9134", 10_000, 9_134),
        ("EUR", "JPY", "0.0061", 1_000, 610),
        ("JPY", "EUR", "163.5", 100, 164),
        ("JPY", "EUR", "163.5", 10, 16),
        ("EUR", "KWD", "3", 1_000, 300),
        ("KWD", "EUR", "0.3333", 1, 3),
    ],
)
def test_the_minor_units_of_both_currencies_count(base: str, other: str, rate: str, amount: int, expected: int) -> None:
    assert Exchange(base, {other: Decimal(rate)}).minor(amount, other) == expected


@pytest.mark.parametrize(("amount", "expected"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2)])
def test_halves_go_to_the_even_neighbour(amount: int, expected: int) -> None:
    assert Exchange("EUR", {"USD": Decimal("0.5")}).minor(amount, "USD") == expected


@given(
    amount=st.integers(-AMOUNT_LIMIT, AMOUNT_LIMIT),
    rate=st.decimals("1e-12", "1e12", allow_nan=False),
    base=st.sampled_from(sorted(EXPONENTS)),
    other=st.sampled_from(sorted(EXPONENTS)),
)
def test_conversion_is_decimal_arithmetic_rounded_once(amount: int, rate: Decimal, base: str, other: str) -> None:
    if base == other or len(rate.as_tuple().digits) > 40:
        return
    context = Context(prec=200, rounding=ROUND_HALF_EVEN)
    exact = context.multiply(Decimal(amount), rate).scaleb(EXPONENTS[base] - EXPONENTS[other], context)
    assert Exchange(base, {other: rate}).minor(amount, other) == int(exact.to_integral_value(ROUND_HALF_EVEN, context))


def test_a_rates_file_gives_exact_decimals(tmp_path: Path) -> None:
    path = written(tmp_path, '[rates]\nUSD = "0.9134"\nJPY = "0.00610000001"\nEUR = "1"\n')
    assert load_rates(path, "EUR") == {"USD": Decimal("0.9134"), "JPY": Decimal("0.00610000001"), "EUR": Decimal(1)}


def test_every_mistake_of_a_rates_file_is_told_at_once(tmp_path: Path) -> None:
    lines = ['EUR = "2"', "USD = 0.9", 'GBP = "much"', 'CHF = "-1"', 'SEK = "sNaN"', 'NOK = "1e999999"', 'XAU = "1900"']
    path = written(tmp_path, "[extra]\n[rates]\n" + "\n".join(lines) + '\nDKK = "0.134"\nusd = "1"\n')
    with pytest.raises(ValueError, match="extra") as caught:
        load_rates(path, "EUR")
    told = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}: ").split(":")[0] for line in told] == [
        *("extra", "EUR", "USD", "GBP", "CHF", "SEK", "NOK", "XAU", "usd")
    ]


@pytest.mark.parametrize("text", ["", "rates = 3\n", "[rates\n", "\N{NULL}"])
def test_a_file_without_a_table_of_rates_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"rates\.toml: "):
        load_rates(written(tmp_path, text), "EUR")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_rates(tmp_path / "none.toml", "EUR")
    (tmp_path / "latin.toml").write_bytes(b"[rates] # \xe9")
    with pytest.raises(ValueError, match="is not TOML"):
        load_rates(tmp_path / "latin.toml", "EUR")


def test_an_unknown_base_currency_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="XXX: is not an ISO 4217 code"):
        load_rates(written(tmp_path, "[rates]\n"), "XXX")
    with pytest.raises(ValueError, match="EURO") as caught:
        Exchange("EURO", {"USD": Decimal(0)})
    assert "USD" in str(caught.value)
