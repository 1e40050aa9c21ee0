#!/usr/bin/env bash
# A reversed credit of a SWIFT statement is read as money that has come in.
#
# In field :61: of an MT940 the mark is C, D, RC or RD. RC reverses a credit and so takes money away; RD reverses a debit
# and gives it back (SWIFT, MT940, field 61, subfield 3). mt-940 negates the amount for D alone: what RC takes away is
# positive, and the amounts of a statement no longer lead from its opening to its closing balance.
#
# Expected: -50.00 for RC, and amounts that sum to closing less opening balance. Seen with mt-940 5.1.1.
# Needs Python 3.11. Ends with 0 while it is as described.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mt-940==5.1.1
cat >statement.sta <<'MT940'
:20:STATEMENT
:25:10020030/1234567
:28C:1/1
:60F:C231229EUR1000,00
:61:231229D100,00NTRFNONREF
:86:a payment
:61:231230C50,00NTRFNONREF
:86:a credit by mistake
:61:231230RC50,00NTRFNONREF
:86:the credit reversed
:61:231230RD20,00NTRFNONREF
:86:a debit reversed
:62F:C231230EUR920,00
MT940
cat >read.py <<'PY'
from decimal import Decimal

import mt940

statement = mt940.parse("statement.sta")
amounts = [(each.data["status"], each.data["amount"].amount) for each in statement]
print(*(f"{status}: {amount}" for status, amount in amounts), sep="\n")
opening, closing = (statement.data[f"final_{which}_balance"].amount.amount for which in ("opening", "closing"))
total = sum(amount for _, amount in amounts)
print(f"closing less opening balance: {closing - opening}; sum of the amounts: {total}")
assert amounts == [("D", Decimal("-100")), ("C", Decimal("50")), ("RC", Decimal("50")), ("RD", Decimal("20"))]
assert (closing - opening, total) == (Decimal("-80"), Decimal("20"))
PY
venv/bin/python read.py
