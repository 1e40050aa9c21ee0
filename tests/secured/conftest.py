"""The secured servers, each started once a session by the first test that asks."""

from collections.abc import Iterator

import pytest

from tests.secured.cluster import SecuredKafka
from tests.servers import missing_for


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[SecuredKafka]:
    """Three brokers with TLS, users and ACLs. Shared by the session: take names from servers.fresh_name."""
    reason = missing_for("kafka")
    if reason is not None:
        raise RuntimeError(f"{reason}, and in CI nothing may be left out")
    with SecuredKafka() as cluster:
        yield cluster
