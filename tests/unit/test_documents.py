"""The documents in docs/ say what the program does, and the AsyncAPI document is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ruamel.yaml import YAML

from commands.documents import SCHEMAS, WRITTEN, rendered, schema
from commands.examples import EXAMPLES
from handlers.aggregates.features import FEATURES
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
    validator.validate({name: value for name, value in alert.items() if name != "score"})


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema."""
    if isinstance(value, dict):
        yield value
        for held in value.values():
            yield from _parts(held)
    elif isinstance(value, list):
        for held in value:
            yield from _parts(held)


def test_the_documents_say_whole_numbers_beyond_32_bits_as_generators_need_it() -> None:
    transaction, alert, letter = schema("transaction"), schema("alert"), schema("dead_letter")
    assert transaction["properties"]["amount_minor"]["format"] == "int64"
    assert transaction["properties"]["balance_minor"]["format"] == "int64"
    assert {"type": "integer", "format": "int64"} in transaction["properties"]["occurred_at"]["anyOf"]
    assert alert["$defs"]["Cause"]["properties"]["offset"]["format"] == "int64"
    assert alert["$defs"]["OfferReference"]["properties"]["value_minor"]["format"] == "int64"
    assert letter["properties"]["timestamp_ms"]["format"] == letter["properties"]["offset"]["format"] == "int64"
    assert "format" not in schema("offer")["properties"]["cooldown_days"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_has_nothing_that_generators_make_wrong_types_of(name: str) -> None:
    for part in _parts({key: held for key, held in schema(name).items() if key != "$schema"}):
        if part.get("type") == "integer" and part.get("format") != "int64":
            assert max(-part["minimum"], part["maximum"]) < 2**31
        assert part.get("default", "absent") not in (None, [], {})
        assert not (part.get("type") == "number" and "default" in part)
        assert "enum" not in part or "type" in part
        if {"type": "null"} in part.get("anyOf", ()):
            assert len(part["anyOf"]) > 2 or "$ref" in part["anyOf"][0]
    if name in WRITTEN:
        assert "null" not in str(list(_parts(schema(name))))


def test_a_field_that_may_be_null_is_taken_as_null_and_one_that_may_not_is_refused() -> None:
    validator = jsonschema.Draft202012Validator(schema("customer_event"))
    event = {"event_id": "e", "customer_id": "c", "occurred_at": 1, "kind": "consent_given"}
    empty = dict.fromkeys(
        ["channel", "time_zone", "product", "account_id", "amount_minor", "limit_minor", "matures_at"]
    )
    validator.validate({**event, **empty})
    for name, wrong in (("channel", "pigeon"), ("limit_minor", "much"), ("event_id", None), ("kind", None)):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**event, name: wrong})


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_examples_of_a_record_are_as_its_schema_says(name: str) -> None:
    """AsyncAPI's own parser does not look at examples and defaults of version 3."""
    validator = jsonschema.Draft202012Validator(
        schema(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    assert EXAMPLES[name]
    for record in EXAMPLES[name]:
        validator.validate(msgspec.to_builtins(record))
        assert msgspec.json.decode(msgspec.json.encode(record), type=SCHEMAS[name], strict=True) == record
    for part in _parts(schema(name)):
        if "default" in part:
            jsonschema.validate(part["default"], {key: held for key, held in part.items() if key != "default"})


def test_the_examples_in_the_asyncapi_document_are_as_its_schemas_say() -> None:
    document = _asyncapi()
    seen = 0
    for message in document["components"]["messages"].values():
        for example in message.get("examples", []):
            seen += 1
            whole = {**message["payload"], "components": document["components"]}
            jsonschema.validate(example["payload"], whole)
            if "headers" in message:
                jsonschema.validate(example["headers"], message["headers"])
    assert seen == sum(map(len, EXAMPLES.values())) - len(EXAMPLES["dead_letter"])


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
        "tracker-audit": {"auditRecord"},
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
