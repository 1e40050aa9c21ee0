#!/usr/bin/env bash
# A rolling sum over seven days holds a value that is seventeen days old.
#
# river's TimeRolling drops a value when one comes that is newer by the period. A value that arrives late is older than
# the window already, and is counted all the same until the next newer one comes: the sum "of the last seven days" is
# wrong just where data is late. It says nothing, although it knows the time of the newest value.
#
# Expected: 10 stays 10, or an error. Seen with river 0.26.1.
# Needs Python 3.11. Ends with 0 while it is as described.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check river==0.26.1
cat >roll.py <<'PY'
from datetime import datetime, timedelta

from river import stats, utils

week = utils.TimeRolling(stats.Sum, period=timedelta(days=7))
start, seen = datetime(2024, 1, 1), []
for day, amount in ((0, 1), (20, 10), (3, 100), (21, 1000)):
    week.update(amount, t=start + timedelta(days=day))
    seen.append(week.get())
    print(f"day {day}, amount {amount}: the sum of the last seven days is {week.get()}")
assert seen == [1, 10, 110, 1010], seen
PY
venv/bin/python roll.py
