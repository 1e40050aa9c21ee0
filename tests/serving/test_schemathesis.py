"""The API against its own document, with whatever a caller may send: schemathesis makes it up."""

from collections.abc import Iterator
from typing import get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from schemas.alert import Kind
from serving.api import router
from serving.documented import document
from tests.serving.conftest import Keyed
from tests.serving.server import ANSWER_SECONDS_MAX

schema = schemathesis.openapi.from_dict(document(router.routes)).exclude(path_regex="/stream$")


@pytest.fixture(scope="module")
def everybody(keyed: Keyed) -> Iterator[Keyed]:
    """The server with keys; whatever is switched meanwhile is on again afterwards."""
    yield keyed
    headers = {"Authorization": f"Bearer {keyed.everything}"}
    for kind in get_args(Kind):
        keyed.server.send("PUT", f"/api/v1/switches/{kind}", json={"to": "on"}, headers=headers)


@schema.parametrize()
@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
def test_the_api_answers_as_its_document_says(case: Case, everybody: Keyed) -> None:
    """That a moment is not in the past no schema can say, so that valid data may be refused is not looked at."""
    case.call_and_validate(
        base_url=everybody.server.address,
        headers={"Authorization": f"Bearer {everybody.everything}"},
        excluded_checks=[positive_data_acceptance],
        timeout=ANSWER_SECONDS_MAX,
        allow_redirects=False,
    )
