"""The AsyncAPI 3.0 document: every topic with its key, headers and messages."""

from itertools import product
from typing import Any, get_args

import msgspec

from commands.examples import EXAMPLES
from commands.json_schema import schema_name
from handlers.intake.inputs import INPUTS, TRANSACTIONS, InputTopic
from schemas.alert import Alert, Kind, Status, cloud_event_headers
from schemas.dead_letter import DeadLetter, dead_letter_headers
from schemas.policy import POLICY_KEY
from schemas.transaction import HEARTBEAT_HEADER
from streams.broker.clients import RECORD_BYTES_MAX
from streams.ops.settings import Settings

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
MOMENT: Json = {"type": "string", "format": "date-time"}
CUSTOMER_KEY: Json = {"type": "string", "description": "The customer_id, as UTF-8; murmur2 of it gives the partition."}


def asyncapi(schemas: dict[str, Json]) -> Json:
    """The document. `schemas` has those of commands.documents.SCHEMAS."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    topics = {
        "alerts": defaults["topic_alerts"],
        "deadLetters": defaults["topic_dead_letters"],
        "offers": defaults["topic_offers"],
        "audit": defaults["topic_audit"],
    }
    channels = {channel_name(topic): _input_channel(topic) for topic in INPUTS}
    channels |= {name: _channel(topics[name], **_CHANNELS[name]) for name in topics}
    components: Json = {}
    for name, schema in schemas.items():
        if name == "dead_letter":
            continue  # its fields are headers
        components |= {kind: _moved(body) for kind, body in schema.get("$defs", {}).items()}
        components[_kind(name)] = _moved({k: v for k, v in schema.items() if k not in ("$schema", "$defs")})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Customer tracker",
            "version": "1.0.0",
            "description": "Core banking publishes transactions; marketing tools subscribe to alerts. The names of the"
            " topics are the defaults of the settings TRACKER_TOPIC_*. Fields are only ever added: a reader ignores"
            " those that it does not know.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "Kafka 3.9 or later, as TRACKER_KAFKA_BOOTSTRAP_SERVERS names it.",
                "variables": {"bootstrap": {"default": "localhost:9092"}},
            }
        },
        "channels": channels,
        "operations": _operations(),
        "components": {"messages": _messages(schemas), "schemas": components},
    }


_CHANNELS: dict[str, Json] = {
    "alerts": {
        "messages": ("alert",),
        "description": "What marketing tools subscribe to, with isolation.level=read_committed: each alert is then"
        " seen once. An alert may be taken back by a later one that names it in `supersedes`.",
        "config": {},
    },
    "deadLetters": {
        "messages": ("deadLetter",),
        "description": "Records that could not be used, byte for byte as they came, with reason and topic in headers."
        " `tracker dead-letters` lists them and sends them back to their topic after a repair.",
        "config": {"max.message.bytes": RECORD_BYTES_MAX},
    },
    "offers": {
        "messages": ("offer", "policy", "withdrawnOffer"),
        "description": "The catalogue that the next best offer is chosen from, and the policy that keeps alerts back."
        " `tracker offers publish` writes both, `tracker offers switch` the policy.",
        "config": {"cleanup.policy": ["compact"]},
    },
    "audit": {
        "messages": ("auditRecord",),
        "description": "Who looked at a customer or changed something through the API or the console. Only appended to;"
        " its retention is the bank's to set.",
        "config": {},
    },
}


def channel_name(topic: InputTopic) -> str:
    """As customerEvents for customer_events."""
    first, *others = topic.name.split("_")
    return first + "".join(map(str.capitalize, others))


def _input_channel(topic: InputTopic) -> Json:
    messages = (topic.documented.message, *(("heartbeat",) if topic is TRANSACTIONS else ()))
    config: Json = {"max.message.bytes": RECORD_BYTES_MAX} if topic.large else {}
    return _channel(topic.topic, messages, topic.documented.about, config)


def _channel(address: str, messages: tuple[str, ...], description: str, config: Json) -> Json:
    bindings: Json = {"topic": address, "bindingVersion": "0.5.0"}
    if config:
        bindings["topicConfiguration"] = config
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": bindings},
    }


def _operations() -> Json:
    """What the tracker does; the other side does the opposite."""
    said = {
        f"receive{name[0].upper()}{name[1:]}": ("receive", name, topic.documented.received)
        for topic in INPUTS
        for name in [channel_name(topic)]
    }
    said |= {
        "sendAlerts": ("send", "alerts", "Somebody may be leaving, or should be offered something."),
        "sendDeadLetters": ("send", "deadLetters", "A record could not be used."),
        "sendAudit": ("send", "audit", "Somebody looks at a customer or changes something."),
        "receiveOffers": ("receive", "offers", "Catalogue and policy change while workers run."),
    }
    return {
        name: {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}
        for name, (action, channel, summary) in said.items()
    }


def _messages(schemas: dict[str, Json]) -> Json:
    (alert, *_), (letter, *_) = EXAMPLES["alert"], EXAMPLES["dead_letter"]
    assert isinstance(alert, Alert)
    assert isinstance(letter, DeadLetter)
    alert_headers = {name: _header(name, value.decode()) for name, value in cloud_event_headers(alert)}
    letter_headers = {
        name: schemas["dead_letter"]["properties"][name.removeprefix("dlq_")]
        if name == "dlq_reason"
        else {**TEXT, **_description(schemas["dead_letter"], name.removeprefix("dlq_"))}
        for name, _ in dead_letter_headers(letter)
    }
    anything: Json = {"description": "The original record's bytes, whatever they are."}
    inputs = {
        topic.documented.message: _message(topic.documented.title, CUSTOMER_KEY, schema_name(topic.schema))
        for topic in INPUTS
    }
    return inputs | {
        "heartbeat": _message(
            "Stream time has come this far: silence can be told from a broken feed",
            {"type": "null"},
            {"type": "null"},
            {HEARTBEAT_HEADER: {**MOMENT, "description": "Sent to every partition when there is nothing more to say."}},
        ),
        "alert": _message("A CloudEvent 1.0 in binary mode", CUSTOMER_KEY, "alert", alert_headers),
        "deadLetter": _message(
            "A record that could not be used",
            {"description": "The original record's key, byte for byte."},
            anything,
            letter_headers,
            content_type="application/octet-stream",
        ),
        "offer": _message("An offer", {**TEXT, "description": "The offer_id."}, "offer"),
        "policy": _message("The bank's rules of contact", {**TEXT, "const": POLICY_KEY}, "policy"),
        "auditRecord": _message(
            "A look or an action", {**TEXT, "description": "Who it was: the access key's name."}, "audit_record"
        ),
        "withdrawnOffer": _message(
            "The offer is no longer made", {**TEXT, "description": "The offer_id."}, {"type": "null"}
        ),
    }


def _message(
    title: str,
    key: Json,
    payload: Json | str,
    headers: Json | None = None,
    content_type: str = "application/json",
) -> Json:
    """`payload` is a schema, or the name of a record's, which then has examples."""
    schema = _reference(payload) if isinstance(payload, str) else payload
    message: Json = {"title": title, "contentType": content_type, "payload": schema}
    if headers:
        message["headers"] = {"type": "object", "required": list(headers), "properties": headers}
    message["bindings"] = {"kafka": {"key": key, "bindingVersion": "0.5.0"}}
    if isinstance(payload, str):
        message["examples"] = [_example(record) for record in EXAMPLES[payload]]
    return message


def _example(record: msgspec.Struct) -> Json:
    example: Json = {"payload": msgspec.to_builtins(record)}
    if isinstance(record, Alert):
        example["headers"] = {name: value.decode() for name, value in cloud_event_headers(record)}
    return example


def _header(name: str, value: str) -> Json:
    """A CloudEvents header of an alert: those that are the same for every alert are constants."""
    match name:
        case "ce_type":
            kinds = [f"customer-tracker.{kind}.{status}.v1" for kind, status in _KINDS]
            return {**TEXT, "enum": kinds}
        case "ce_time":
            return MOMENT
        case "ce_id":
            return {**TEXT, "description": "The alert_id: the same cause always gives the same id."}
        case "ce_subject":
            return {**TEXT, "description": "The customer_id."}
        case _:
            return {**TEXT, "const": value}


_KINDS = list(product(get_args(Kind), get_args(Status)))


def _description(schema: Json, field: str) -> Json:
    text = schema["properties"][field].get("description")
    return {} if text is None else {"description": text}


def _kind(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{_kind(name)}"}


def _moved(schema: Any) -> Any:
    """The same schema with its references pointing into this document."""
    if isinstance(schema, dict):
        return {
            key: held.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(held)
            for key, held in schema.items()
        }
    return [_moved(held) for held in schema] if isinstance(schema, list) else schema
