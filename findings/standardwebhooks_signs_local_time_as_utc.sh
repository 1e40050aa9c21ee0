#!/usr/bin/env bash
# Standard Webhooks' own library signs another second than the one that it is given, if its time zone is not UTC.
#
# Webhook.sign takes a datetime. One that knows its zone names a moment, whichever the zone; the library replaces the zone
# by UTC instead of converting, so that noon at +02:00 is signed as noon UTC. The receiver is sent the moment itself as
# webhook-timestamp (seconds since 1970), computes the signature over that, and the same library refuses the message.
# Nothing is said where it is sent, and a sender whose zone is UTC, as most test machines are, never sees it.
#
# Expected: the same moment has the same signature in every zone. Seen with standardwebhooks 1.1.0.
# Needs Python 3.11. Ends with 0 while it is as described.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0
cat >sign.py <<'PY'
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + "A" * 32)
there = datetime.now(timezone(timedelta(hours=2))).replace(microsecond=0)
utc = there.astimezone(timezone.utc)
assert there == utc and there.timestamp() == utc.timestamp()
said = {}
for name, moment in (("UTC", utc), ("+02:00", there)):
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": webhook.sign("msg_1", moment, "{}"),
    }
    try:
        webhook.verify("{}", headers)
        said[name] = "verified"
    except WebhookVerificationError as error:
        said[name] = f"refused: {error}"
    print(f"signed with the same moment in {name}: {said[name]}")
assert said == {"UTC": "verified", "+02:00": "refused: No matching signature found"}
PY
venv/bin/python sign.py
