"""The documents in docs/ say what the program does, and the AsyncAPI document is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from commands.documents import SCHEMAS, rendered, schema
from handlers.features import FEATURES
from schemas.alert import Alert, Cause, Model, Reason, alert_id, cloud_event_headers
from schemas.transaction import HEARTBEAT_HEADER

DOCS = Path(__file__).parents[2] / "docs"


def _asyncapi() -> Any:
    return YAML(typ="safe").load((DOCS / "asyncapi.yaml").read_text("utf-8"))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            if key == "$ref":
                yield held
            else:
                yield from _references(held)
    elif isinstance(value, list):
        for held in value:
            yield from _references(held)


@pytest.mark.parametrize("name", rendered())
def test_a_document_is_as_the_program_makes_it(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == rendered()[name], "stale: run `tracker documents`"


def test_nothing_else_is_left_among_the_schemas() -> None:
    assert {f"schemas/{file.name}" for file in (DOCS / "schemas").iterdir()} == {
        name for name in rendered() if name.startswith("schemas/")
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_an_alert_keeps_its_schema() -> None:
    alert = {
        "alert_id": "x",
        "kind": "churn_risk",
        "status": "raised",
        "customer_id": "c",
        "raised_at": "2026-01-01T00:00:00.000Z",
        "expires_at": "2026-01-31T00:00:00.000Z",
        "score": 0.9,
        "horizon_days": 30,
        "reasons": [{"code": "a", "sentence": "b", "value": 1.0}],
        "cause": {"topic": "transactions", "partition": 0},
        "model": {"name": "m", "version": "1"},
    }
    validator = jsonschema.Draft202012Validator(schema("alert"))
    validator.validate(alert)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**alert, "score": 1.5})


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = _asyncapi()
    references = set(_references(document))
    assert references
    for reference in references:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_asyncapi_document_has_the_structure_of_version_3() -> None:
    document = _asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    for channel in document["channels"].values():
        assert isinstance(channel["address"], str)
        assert channel["messages"]
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
    for message in document["components"]["messages"].values():
        assert {"payload", "contentType", "bindings"} <= message.keys()
        assert "key" in message["bindings"]["kafka"]
    for component in document["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(component)


def test_the_asyncapi_document_names_every_topic_and_every_kind_of_record() -> None:
    document = _asyncapi()
    addresses = {channel["address"]: set(channel["messages"]) for channel in document["channels"].values()}
    assert addresses == {
        "transactions": {"transaction", "heartbeat"},
        "customer-alerts": {"alert"},
        "transactions-dlq": {"deadLetter"},
        "offer-catalog": {"offer", "policy", "withdrawnOffer"},
        "alert-outcomes": {"outcome"},
        "customer-events": {"customerEvent"},
    }


def test_the_headers_in_the_asyncapi_document_are_those_of_the_records() -> None:
    messages = _asyncapi()["components"]["messages"]
    reason = Reason("a", "b")
    for kind, status in (("churn_risk", "retracted"), ("next_best_offer", "raised")):
        alert = Alert(
            alert_id=alert_id("c", "r", "e"),
            kind=kind,  # type: ignore[arg-type]
            status=status,  # type: ignore[arg-type]
            customer_id="c",
            raised_at="2026-01-01T00:00:00.000Z",
            expires_at="2026-01-31T00:00:00.000Z",
            score=1,
            horizon_days=30,
            reasons=[reason],
            cause=Cause("transactions", 0),
            model=Model("m", "1"),
        )
        headers = {name: value.decode() for name, value in cloud_event_headers(alert)}
        jsonschema.validate(headers, messages["alert"]["headers"])
        assert headers.keys() == messages["alert"]["headers"]["properties"].keys()
    assert HEARTBEAT_HEADER in messages["heartbeat"]["headers"]["properties"]
    assert "dlq_reason" in messages["deadLetter"]["headers"]["required"]


def test_every_figure_is_described() -> None:
    text = (DOCS / "features.md").read_text("utf-8")
    assert all(f"| `{feature.name}` |" in text for feature in FEATURES)
