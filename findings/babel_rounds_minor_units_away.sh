#!/usr/bin/env bash
# Money that has decimals by ISO 4217 loses them when it is put into words.
#
# ISO 4217 gives the forint and the rupiah two decimals and the Iraqi dinar three; banks book and state them so. Babel
# takes the number of decimals from CLDR, which says how prices are usually shown: none for fifteen of the currencies of
# ISO 4217. So an amount of 1,234.56 HUF that is on the statement is said as 1,235, rounded and without a warning.
# With currency_digits=False and a pattern of one's own the decimals stay.
#
# Expected: the decimals of the currency's minor unit. Seen with babel 2.19.0 and iso4217 1.16.20260101.
# Needs Python 3.11. Ends with 0 while it is as described.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check babel==2.19.0 iso4217==1.16.20260101
cat >say.py <<'PY'
from decimal import Decimal

import iso4217
from babel.numbers import format_currency, get_currency_precision

differ = {
    each.code: (each.exponent, get_currency_precision(each.code))
    for each in iso4217.Currency
    if each.exponent is not None and each.exponent != get_currency_precision(each.code)
}
print("decimals by ISO 4217 and by CLDR:", differ)
said = {code: format_currency(Decimal("1234.56"), code, locale="en") for code in ("EUR", "HUF", "IDR", "IQD")}
print("1234.56 said:", said)
assert len(differ) == 15
assert differ["HUF"] == (2, 0)
assert differ["IQD"] == (3, 0)
assert said["EUR"] == "€1,234.56"
assert [said[code][-5:] for code in ("HUF", "IDR", "IQD")] == ["1,235"] * 3
PY
venv/bin/python say.py
