"""The `tracker-audit` topic: who looked at a customer or changed something through the API or the console.

Only ever appended to, keyed by who it was. A look is written down before it is answered, an action before it is done.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.alert import Rfc3339

Action = Literal["log_in", "see_customer", "see_alert", "export_customer", "record_outcome", "switch_kind"]


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One look or one action."""

    at: Rfc3339
    who: Annotated[str, Meta(description="Name of the access key.")]
    action: Action
    subject: Annotated[str | None, Meta(description="customer_id or alert_id, or what was switched.")] = None
    detail: Annotated[str | None, Meta(description="What was recorded, or to what it was switched.")] = None
