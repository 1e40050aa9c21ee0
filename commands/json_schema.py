"""A record's JSON Schema, in the form from which code generators make types that hold every value and compile.

msgspec gives the schema; this changes how it is said, not what it allows:
- a whole number that may pass 32 bits has the format int64: generators take 32 bits whatever the maximum is;
- one type or null is a list of types (or an enum with null), not `anyOf`, which becomes a class of its own;
- an enum names its type;
- a default of null, [] or {} is left out (absent means empty), a number's is said in the description: as defaults they
  become Java that does not compile, a list as `[]`, 1.0 as the integer 1 of a Double.
"""

import re
from typing import Any

import msgspec

Json = dict[str, Any]

INT32_MAX = 2**31 - 1
_SIMPLE = {"string", "integer", "number", "boolean"}


def schema_name(kind: type[msgspec.Struct]) -> str:
    """What a record's schema is called: customer_event for CustomerEvent."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def schema_of(kind: type[msgspec.Struct], *, null_is_read: bool) -> Json:
    """The JSON Schema (2020-12) of a record. Without `null_is_read` it is one that the program writes, which leaves a
    field out in the place of null."""
    (inlined,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    top = components.pop(kind.__name__)
    assert inlined == {"$ref": f"#/$defs/{kind.__name__}"}
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_said(top, null_is_read)}
    return document | ({"$defs": _said(components, null_is_read)} if components else {})


def _said(schema: Any, null_is_read: bool) -> Any:
    if isinstance(schema, list):
        return [_said(each, null_is_read) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: _said(held, null_is_read) for name, held in schema.items() if not _is_empty_default(name, held)}
    if said.get("type") == "number" and "default" in said:
        said["description"] = f"{said.get('description', '')} {said.pop('default'):g} if not given.".lstrip()
    if said.get("type") == "integer" and not _fits_32_bits(said):
        said["format"] = "int64"
    if "enum" in said and "type" not in said:
        said["type"] = "string"
    if {"type": "null"} in said.get("anyOf", ()):
        said = _or_null(said, null_is_read)
    return said


def _is_empty_default(name: str, held: object) -> bool:
    return name == "default" and (held is None or held == [] or held == {})


def _fits_32_bits(schema: Json) -> bool:
    return "maximum" in schema and "minimum" in schema and max(-schema["minimum"], schema["maximum"]) <= INT32_MAX


def _or_null(schema: Json, null_is_read: bool) -> Json:
    others = [each for each in schema["anyOf"] if each != {"type": "null"}]
    around = {name: held for name, held in schema.items() if name != "anyOf"}
    if len(others) > 1:
        return {**around, "anyOf": [*others, {"type": "null"}] if null_is_read else others}
    (other,) = others
    if not null_is_read:
        return {**other, **around}
    if other.get("type") not in _SIMPLE:
        return schema
    if "enum" in other:
        other = {**other, "enum": [*other["enum"], None]}
    return {**other, **around, "type": [other["type"], "null"]}
