"""Who may what: every route with every role, by one table. A route without a line fails."""

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from commands.kafka import consumer, from_the_start, partitions, to_the_end
from serving import alert_pages, api, bank_pages, customer_pages, session_pages
from serving.access import Role
from tests.live import tracker
from tests.serving.conftest import Keyed

PEOPLE: frozenset[Role] = frozenset({"viewer", "marketer", "privacy"})
"""Who need to know whose figures they are."""

BANK: frozenset[Role] = frozenset({"viewer", "marketer", "operator"})

ROUTES: dict[str, frozenset[Role]] = {
    "GET /api/v1/customers/{customer_id}": PEOPLE,
    "GET /api/v1/customers/{customer_id}/figures": PEOPLE,
    "GET /api/v1/alerts": PEOPLE,
    "GET /api/v1/alerts/stream": PEOPLE,
    "GET /api/v1/alerts/{alert_id}": PEOPLE,
    "POST /api/v1/alerts/{alert_id}/outcomes": frozenset({"marketer"}),
    "GET /api/v1/offers": BANK,
    "GET /api/v1/partitions": BANK,
    "GET /api/v1/dead-letters": BANK,
    "GET /api/v1/switches/{kind}": BANK,
    "PUT /api/v1/switches/{kind}": frozenset({"operator"}),
    "GET /alerts": PEOPLE,
    "GET /alerts/live": PEOPLE,
    "GET /alerts/{alert_id}": PEOPLE,
    "POST /alerts/{alert_id}/outcome": frozenset({"marketer"}),
    "GET /customers": PEOPLE,
    "POST /customers": PEOPLE,
    "GET /customers/{sealed_id}": PEOPLE,
    "POST /customers/{sealed_id}/export": frozenset({"privacy"}),
    "GET /campaigns": BANK,
    "GET /portfolio": BANK,
    "GET /running": BANK,
    "GET /running/live": BANK,
    "POST /running/switches/{kind}": frozenset({"operator"}),
}
OPEN = {"GET /", "GET /login", "POST /login", "POST /logout", "POST /preferences"}
"""These show and change nothing of the bank's."""


def routes() -> set[str]:
    """Of the API and all pages."""
    modules = (api, alert_pages, customer_pages, bank_pages, session_pages)
    found = [route for module in modules for route in module.router.routes]
    return {f"{method} {route.path}" for route in found if isinstance(route, APIRoute) for method in route.methods}


def test_every_route_has_a_line() -> None:
    assert routes() == set(ROUTES) | OPEN


def asked(keyed: Keyed, route: str, headers: dict[str, str]) -> int:
    """The status of a request to the route, of whatever customer or alert; a stream is not listened to."""
    method, _, path = route.partition(" ")
    path = path.format(customer_id="nobody", alert_id="0" * 36, kind="churn_risk", sealed_id="x")
    more: dict[str, Any] = {"stream": True, "headers": headers}
    if method == "PUT":
        more["json"] = {"to": "on"}
    elif "outcomes" in route:
        more["json"] = {"outcome": "shown"}
    elif method == "POST":  # without a cookie everybody has the token of no session
        token = re.search(r'name="token" value="(\w+)"', keyed.server.get("/login").text)
        assert token
        more["data"] = {"token": token[1], "customer_id": "nobody", "outcome": "shown", "to": "off"}
    with keyed.server.send(method, path, **more) as answer:
        return answer.status_code


@pytest.mark.parametrize("route", ROUTES)
def test_a_role_gets_what_the_table_says(keyed: Keyed, route: str) -> None:
    for role, key in keyed.keys.items():
        status = asked(keyed, route, {"Authorization": f"Bearer {key}"})
        if role not in ROUTES[route]:
            assert status == 403, role
        else:
            assert status in (200, 202, 303, 404), role


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_else_gets_anything(keyed: Keyed, route: str) -> None:
    for headers in ({}, {"Authorization": "Bearer tracker_made-up"}, {"Authorization": f"Bearer {keyed.expired}"}):
        assert asked(keyed, route, headers) == (401 if "/api/" in route else 303)


def test_an_operator_is_shown_no_customer_and_no_identity(keyed: Keyed) -> None:
    headers = {"Authorization": f"Bearer {keyed.keys['operator']}"}
    for page in ("/running", "/campaigns", "/portfolio"):
        text = keyed.server.get(page, headers=headers).text
        assert "sim-c-" not in text
        assert 'href="/alerts' not in text


def test_who_looks_is_in_the_audit_topic(keyed: Keyed) -> None:
    headers = {"Authorization": f"Bearer {keyed.keys['privacy']}"}
    assert keyed.server.get("/api/v1/customers/audited-one", headers=headers).status_code == 404
    settings = keyed.server.bank.settings
    reader = consumer(settings)
    try:
        starts = from_the_start(partitions(reader, settings.topic_audit))
        records = [message.value() or b"" for message in to_the_end(reader, settings.topic_audit, starts)]
    finally:
        reader.close()
    (told,) = [record for record in records if b"audited-one" in record]
    assert b'"who":"privacy","action":"see_customer"' in told


def test_no_log_says_whose_or_with_what_key(keyed: Keyed) -> None:
    customer = keyed.server.bank.alerts()[0]["customer_id"]
    headers = {"Authorization": f"Bearer {keyed.keys['viewer']}"}
    for path in (f"/api/v1/customers/{customer}", f"/api/v1/customers/{customer}/figures?at=zq", "/customers/zq"):
        keyed.server.get(path, headers=headers)
    log = keyed.server.log.read_text()
    for hidden in (customer, "zq", *keyed.keys.values()):
        assert hidden not in log


def test_a_key_is_made_for_the_file(tmp_path: Any) -> None:
    file = tmp_path / "keys.toml"
    key = tracker("keys", "make", "anna", "--role", "viewer", "--role", "privacy", "--file", file).stdout.strip()
    assert key.startswith("tracker_")
    assert 'roles = ["viewer", "privacy"]' in file.read_text()
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (
        "another has the same name"
        in tracker("keys", "make", "anna", "--role", "viewer", "--file", file, status=1).stderr
    )
    assert "Invalid enum value" in tracker("keys", "make", "bob", "--role", "king", status=1).stderr
