"""The API as a program meets it: what it answers, how it refuses, and that its document says so."""

import json
import re
from threading import Thread
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
import requests

from schemas.units import DAY_MS, parse_rfc3339, rfc3339
from serving.api import router
from serving.documented import document
from tests.live import until
from tests.serving.server import ANSWER_SECONDS_MAX, Server


def an_alert(server: Server, kind: str) -> Any:
    """The newest that the worker has raised."""
    views = server.api(f"/alerts?kind={kind}&status=raised&limit=200")["alerts"]
    return next(view["alert"] for view in views if view["alert"]["customer_id"].startswith("sim-"))


def new_alert(customer_id: str, **changes: object) -> dict[str, Any]:
    """An alert as a worker would publish it, of a cause after all others."""
    return {
        "alert_id": str(uuid4()),
        "kind": "churn_risk",
        "status": "raised",
        "customer_id": customer_id,
        "raised_at": "2031-01-01T00:00:00.000Z",
        "expires_at": "2031-02-01T00:00:00.000Z",
        "score": 0.93,
        "horizon_days": 30,
        "reasons": [
            {"code": "silence", "sentence": "No transaction for 40 days.", "sentence_zh": "已经40天没有交易。"}
        ],
        "cause": {"topic": "transactions", "partition": 0, "due_at": "2031-01-01T00:00:00.000Z"},
        "model": {"name": "churn", "version": "1"},
    } | changes


def test_a_customer_is_the_one_that_the_terminal_shows(server: Server) -> None:
    customer_id = an_alert(server, "churn_risk")["customer_id"]
    told = server.api(f"/customers/{customer_id}")
    assert told == json.loads(server.bank.command("customer", customer_id, "--json").stdout)


def test_a_customer_comes_with_a_tag_and_does_not_come_twice(server: Server) -> None:
    path = f"/api/v1/customers/{an_alert(server, 'churn_risk')['customer_id']}"
    tag = server.get(path).headers["ETag"]
    again = server.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")


def test_figures_can_be_asked_for_ahead_of_time(server: Server) -> None:
    customer_id = an_alert(server, "churn_risk")["customer_id"]
    now = server.api(f"/customers/{customer_id}/figures")
    later = rfc3339(parse_rfc3339(now["at"]) + 10 * DAY_MS)
    ahead = server.api(f"/customers/{customer_id}/figures?at={later}")
    assert ahead["features"]["silence_days"] == now["features"]["silence_days"] + 10
    assert ahead["at"] == later
    for at, told in (("2000-01-01T00:00:00Z", "must not be in the past"), ("tomorrow", "must be RFC 3339")):
        problem = server.api(f"/customers/{customer_id}/figures?at={at}", 422)
        assert problem["errors"][0]["field"] == "at"
        assert told in problem["detail"]
        assert at not in json.dumps(problem)


def test_pages_of_alerts_hold_each_once(server: Server) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = server.api(f"/alerts?status=raised&limit=40{cursor}")
        found += [view["alert"]["alert_id"] for view in page["alerts"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    raised = [alert["alert_id"] for alert in server.bank.alerts() if alert["status"] == "raised"]
    assert len(found) > 40
    assert sorted(found) == sorted(raised)


def test_an_alert_says_that_it_was_taken_back(server: Server) -> None:
    retraction = server.api("/alerts?kind=churn_risk&status=retracted&limit=1")["alerts"][0]["alert"]
    view = server.api(f"/alerts/{retraction['supersedes']}")
    assert view["taken_back_by"] == retraction["alert_id"]


def test_an_outcome_goes_the_way_that_marketing_tools_take(server: Server) -> None:
    """Through the topic to the worker, and from there into the customer's row."""
    offers = [v["alert"] for v in server.api("/alerts?kind=next_best_offer&status=raised&limit=200")["alerts"]]

    def state(alert: Any) -> str | None:
        made = server.api(f"/customers/{alert['customer_id']}")["offers"]
        return next((each["state"] for each in made if each["offer_id"] == alert["offer"]["offer_id"]), None)

    alert = next(offer for offer in offers if state(offer) == "open")
    path = f"/api/v1/alerts/{alert['alert_id']}/outcomes"
    answer = server.send("POST", path, json={"outcome": "declined"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["offer_id"] == alert["offer"]["offer_id"]
    until(lambda: state(alert) == "declined")
    until(lambda: server.api(f"/alerts/{alert['alert_id']}")["outcomes"] == ["declined"])


@pytest.mark.parametrize(
    ("body", "headers", "status", "field"),
    [
        ('{"outcome": "loved-by-zq"}', {}, 422, "outcome"),
        ('{"outcome": "bought", "zq": 1}', {}, 422, "body"),
        ("zq{", {}, 422, "body"),
        (b'"\xff"', {}, 422, "body"),
        ('{"outcome": "bought"}', {"Content-Type": "text/plain"}, 415, None),
        ("[" * 70_000, {}, 413, None),
    ],
)
def test_a_bad_outcome_is_refused_with_field_and_rule_and_not_repeated(
    server: Server, body: Any, headers: dict[str, str], status: int, field: str | None
) -> None:
    path = f"/api/v1/alerts/{an_alert(server, 'next_best_offer')['alert_id']}/outcomes"
    answer = server.send("POST", path, data=body, headers={"Content-Type": "application/json"} | headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert "loved" not in answer.text
    if field is not None:
        assert problem["errors"][0]["field"] == field


def test_a_churn_alert_has_no_outcome(server: Server) -> None:
    path = f"/api/v1/alerts/{an_alert(server, 'churn_risk')['alert_id']}/outcomes"
    assert server.send("POST", path, json={"outcome": "shown"}).status_code == 409


def test_what_is_not_there_is_said_so(server: Server) -> None:
    for path in ("/customers/nobody", "/customers/%00ledger", f"/alerts/{uuid4()}", "/nothing"):
        problem = server.api(path, 404)
        assert problem["title"] == "Not Found"
        assert "nobody" not in json.dumps(problem)


def test_a_misspelt_parameter_is_refused(server: Server) -> None:
    problem = server.api("/alerts?kynd=churn_risk", 422)
    assert problem["errors"][0]["rule"].startswith("may hold only band, cursor, customer_id, kind")


def test_an_address_says_which_methods_it_takes(server: Server) -> None:
    assert server.send("DELETE", "/api/v1/switches/churn_risk").headers["Allow"] == "GET, PUT"


def test_another_site_can_change_nothing(server: Server) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        answer = server.send("PUT", "/api/v1/switches/churn_risk", json={"to": "off"}, headers=headers)
        assert answer.status_code == 403
    assert server.get("/alerts", headers={"Host": "elsewhere.example"}).status_code == 400
    form = server.send("POST", "/running/switches/churn_risk", data={"to": "off", "confirmed": "yes"})
    assert form.status_code == 403, "a form without the session's token"


def test_offers_add_up_to_the_alerts_sent(server: Server) -> None:
    sent: dict[str, int] = {}
    for alert in server.bank.alerts():
        if alert["kind"] == "next_best_offer" and alert["status"] == "raised":
            sent[alert["offer"]["offer_id"]] = sent.get(alert["offer"]["offer_id"], 0) + 1
    campaigns = {each["offer_id"]: each for each in server.api("/offers")}
    assert sent
    assert {name: each["sent"] for name, each in campaigns.items() if each["sent"]} == sent


def test_partitions_are_at_their_end(server: Server) -> None:
    found = server.api("/partitions")
    assert [each["partition"] for each in found] == [0, 1, 2]
    assert all(each["lag"] == 0 and each["offset"] == each["end"] > 0 for each in found)


def test_dead_letters_are_counted_by_rule_without_what_they_hold(server: Server) -> None:
    before = sum(each["count"] for each in server.api("/dead-letters"))
    topic = server.bank.settings.topic_transactions
    server.publish(topic, "zq-secret", {"customer_id": "zq-secret", "amount_minor": "zq-lots"})
    until(lambda: sum(each["count"] for each in server.api("/dead-letters")) == before + 1)
    told = json.dumps(server.api("/dead-letters")) + server.get("/running").text
    assert "zq" not in told
    assert topic in told


def test_a_kind_is_switched_in_the_policy_of_every_worker(server: Server) -> None:
    assert server.api("/switches/churn_risk") == {"kind": "churn_risk", "state": "on"}
    for to in ("dry-run", "on"):
        answer = server.send("PUT", "/api/v1/switches/churn_risk", json={"to": to})
        assert (answer.status_code, answer.json()["state"]) == (202, to)
        until(lambda to=to: server.api("/switches/churn_risk")["state"] == to)  # type: ignore[misc]


def test_a_stream_goes_on_where_it_ended(server: Server) -> None:
    """Every alert once, over a connection that ended and another that took it up."""
    heard: list[tuple[str, str]] = []
    published = [new_alert(f"stream-{number}") for number in range(6)]

    def listen(expected: int, last: str | None) -> None:
        headers = {} if last is None else {"Last-Event-ID": last}
        address = f"{server.address}/api/v1/alerts/stream"
        with requests.get(address, headers=headers, stream=True, timeout=ANSWER_SECONDS_MAX) as answer:
            identity = ""
            for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line.startswith(": the stream has begun"):
                    begun.append(True)
                if line.startswith("id: "):
                    identity = line[4:]
                if line.startswith("data: "):
                    heard.append((identity, json.loads(line[6:])["alert_id"]))
                    if len(heard) == expected:
                        return

    begun: list[bool] = []
    listener = Thread(target=listen, args=(3, None))
    listener.start()
    until(lambda: bool(begun))
    for alert in published[:3]:
        server.publish(server.bank.settings.topic_alerts, alert["customer_id"], alert)
    listener.join(ANSWER_SECONDS_MAX)
    for alert in published[3:]:  # nobody listens
        server.publish(server.bank.settings.topic_alerts, alert["customer_id"], alert)
    until(lambda: server.get(f"/api/v1/alerts/{published[-1]['alert_id']}").status_code == 200)
    listen(6, heard[-1][0])
    assert {name for _, name in heard[:3]} == {alert["alert_id"] for alert in published[:3]}
    assert sorted(name for _, name in heard) == sorted(alert["alert_id"] for alert in published)


def test_a_made_up_event_id_is_refused(server: Server) -> None:
    assert server.api("/alerts/stream", 422, headers={"Last-Event-ID": "zq"})["errors"][0]["field"] == "Last-Event-ID"


def test_the_documents_examples_keep_its_schemas() -> None:
    told = document(router.routes)
    checked = 0
    for path in told["paths"].values():
        for operation in path.values():
            for body in (operation.get("requestBody"), *operation["responses"].values()):
                for media in (body or {}).get("content", {}).values():
                    if "example" in media:
                        schema = {**media["schema"], "components": told["components"]}
                        jsonschema.Draft202012Validator(schema).validate(media["example"])
                        checked += 1
    assert checked >= 12


def test_what_the_api_answers_keeps_the_document(server: Server) -> None:
    told = document(router.routes)
    customer_id, alert = (an_alert(server, "churn_risk")[name] for name in ("customer_id", "alert_id"))
    for path, operations in told["paths"].items():
        if "get" not in operations or path.endswith("/stream"):
            continue
        address = re.sub(r"^/api/v1", "", path).format(customer_id=customer_id, alert_id=alert, kind="churn_risk")
        media = operations["get"]["responses"]["200"]["content"]["application/json"]
        schema = {**media["schema"], "components": told["components"]}
        jsonschema.Draft202012Validator(schema).validate(server.api(address))
