"""The OpenAPI document: shapes are the msgspec Structs that the API answers with, each with an example."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.routing import BaseRoute

from serving import shapes
from serving.examples import EXAMPLES

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_SHAPES = [
    shape
    for shape in vars(shapes).values()
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__module__ == shapes.__name__
]
_WORDS = {
    202: "Taken",
    304: "As you have it already",
    401: "No access key, or one that is not known or has expired",
    403: "The role may not do this",
    404: "There is none",
    409: "It can't be done with this one",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "A field breaks a rule",
    429: "Too many requests",
    503: "Redis or Kafka does not answer",
}


def answers(shape: Any, *others: int, status: int = 200, events: bool = False) -> Json:
    """What a route answers with, as arguments of its decorator."""
    content: Json = {"text/event-stream": {"schema": {"type": "string"}}}
    if not events:
        listed = getattr(shape, "__args__", None)
        reference = {"$ref": _REF.format(name=(listed[0] if listed else shape).__name__)}
        content = {"application/json": {"schema": {"type": "array", "items": reference} if listed else reference}}
    responses: dict[int | str, Json] = {status: {"description": _WORDS.get(status, "Found"), "content": content}}
    for other in sorted({401, 403, 422, 429, *others}):
        responses[other] = {"description": _WORDS[304]} if other == 304 else _problem(other)
    return {"responses": responses, "response_model": None, "response_class": Response}


def takes(shape: type[Any]) -> Json:
    """What a route is sent, as arguments of its decorator."""
    media = {"schema": {"$ref": _REF.format(name=shape.__name__)}}
    return {"openapi_extra": {"requestBody": {"required": True, "content": {"application/json": media}}}}


def document(routes: Sequence[BaseRoute]) -> Json:
    """The document of these routes."""
    openapi = get_openapi(
        title="Customer tracker",
        version="1.0.0",
        description="Who may be leaving and what to offer next, for programs that do not read Kafka. Fields are only"
        " ever added: a reader ignores those that it does not know. Times are RFC 3339 in UTC, money is in minor units"
        " of the bank's currency. Every error is application/problem+json (RFC 9457).",
        routes=routes,
    )
    _, components = msgspec.json.schema_components(_SHAPES, ref_template=_REF)
    openapi["components"] = {
        "schemas": components,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`tracker keys make`"}},
    }
    openapi["security"] = [{"key": []}]
    for path in openapi["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["responses"] |= {str(status): _problem(status) for status in (413, 415)}
            for body in (operation.get("requestBody", {}), *operation["responses"].values()):
                _add_example(body.get("content", {}).get("application/json"))
    return openapi


def _add_example(media: Json | None) -> None:
    """Afterwards, because FastAPI leaves out whatever is null."""
    if media is None:
        return
    schema = media["schema"]
    name = schema.get("items", schema)["$ref"].rpartition("/")[2]
    media["example"] = [EXAMPLES[name]] if "items" in schema else EXAMPLES[name]


def _problem(status: int) -> Json:
    schema = {"$ref": _REF.format(name="ProblemDetails")}
    return {"description": _WORDS[status], "content": {"application/problem+json": {"schema": schema}}}
