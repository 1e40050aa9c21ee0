"""One alert to one endpoint, once: signed, sent, and what the answer means."""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

import aiohttp

from serving.webhooks.endpoints import Endpoint
from serving.webhooks.heads import Headed

REFUSING = (400, 413, 422)
"""They speak of this very alert, which would be refused again. Other failures are the endpoint's, and may pass."""
GONE = 410
RETRY_AFTER_SECONDS_MAX = 3_600.0
USER_AGENT = "customer-tracker-webhooks/1"


class Answer(NamedTuple):
    """What came of an attempt. `said` is for people: a status or what failed, never a part of the body."""

    kind: Literal["taken", "refused", "gone", "later"]
    said: str
    wait_seconds: float | None = None
    """How long the endpoint asks to be left alone."""


async def deliver(http: aiohttp.ClientSession, endpoint: Endpoint, head: Headed, alert: bytes) -> Answer:
    """Sends the alert as it was published.

    Redirects are not followed, and what the endpoint answers beside its status is not read.
    """
    now = datetime.now(UTC)
    text = alert.decode()
    headers = {
        **head.events,
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": head.alert_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(head.alert_id, now, text) for signer in endpoint.signers),
    }
    limit = aiohttp.ClientTimeout(total=endpoint.described.timeout_seconds)
    try:
        async with http.post(
            endpoint.described.url, data=alert, headers=headers, allow_redirects=False, timeout=limit
        ) as response:
            return _meaning(response.status, response.headers.get("retry-after"))
    except TimeoutError:
        return Answer("later", f"no answer within {endpoint.described.timeout_seconds:g} s")
    except aiohttp.ClientError as error:
        return Answer("later", type(error).__name__)


def _meaning(status: int, retry_after: str | None) -> Answer:
    said = f"status {status}"
    if 200 <= status < 300:
        return Answer("taken", said)
    if status == GONE:
        return Answer("gone", said)
    if status in REFUSING:
        return Answer("refused", said)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return Answer("later", said, None if seconds is None else min(seconds, RETRY_AFTER_SECONDS_MAX))
