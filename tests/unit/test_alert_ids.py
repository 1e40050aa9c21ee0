"""The ids of alerts are UUIDs of version 5."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import NAMESPACE, alert_id


@given(st.text(), st.text(), st.text())
def test_an_alert_id_is_what_the_library_makes_of_the_same_name(customer: str, rule: str, cause: str) -> None:
    assert alert_id(customer, rule, cause) == str(uuid.uuid5(NAMESPACE, f"{customer}\x1f{rule}\x1f{cause}"))


def test_an_alert_id_has_not_changed() -> None:
    """Marketing tools know alerts by it: the same alert of a new release must not be another."""
    assert alert_id("c", "churn_risk", "2026-01-01T00:00:00.000Z") == "39cf413d-a18f-53e4-8004-15339cf5b73c"
