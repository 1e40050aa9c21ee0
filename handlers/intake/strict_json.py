"""From the bytes of one value to a transaction (or what else is read), or to why there is none."""

import re
from functools import cache
from typing import Literal, TypeVar, get_args, get_origin

import msgspec

from handlers.intake.validation import Violation

VALUE_BYTES_MAX = 1_048_576
"""A longer value is refused without being looked at."""

DEPTH_MAX = 64
"""Objects and arrays inside each other in one value. The decoder's own limit, over ten times this, moves with the
caller's stack: the same record would be refused in one program and accepted in another."""

T = TypeVar("T", bound=msgspec.Struct)

_any_json = msgspec.json.Decoder(msgspec.Raw)
_marks = re.compile(rb'\\.|["{}[\]]', re.DOTALL)
_complaint = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_missing = re.compile(r"Object missing required field `(?P<name>\w+)`")
_out_of_bounds = re.compile(r"out of range|Expected `\w+` (?:[<>]=|of length)")


def decode_one(value: bytes | None, kind: type[T]) -> T | Violation:
    """The transaction (or what else is read) in one value, or why there is none."""
    if not value:
        return Violation("empty", "", "must have a value")
    if len(value) > VALUE_BYTES_MAX:
        return Violation("too_large", "", f"must be at most {VALUE_BYTES_MAX} bytes")
    if _deeper(value):
        return Violation("not_json", "", f"must not nest deeper than {DEPTH_MAX}")
    try:
        value.decode()
        found: T = _decoder_of(kind).decode(value)
        return found
    except UnicodeDecodeError:
        return Violation("not_json", "", "must be UTF-8")
    except msgspec.ValidationError as error:
        # The schema is checked on the way: the rest may not even be JSON, and that says more.
        return _not_json(value) or _with_whole_floats(value, kind) or _worded(str(error), kind)
    except msgspec.DecodeError as error:
        return _malformed(error)


@cache
def _decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def _openers(value: bytes) -> int:
    return value.count(b"{") + value.count(b"[")


def _deeper(value: bytes) -> bool:
    """Whether the value nests deeper than DEPTH_MAX. Brackets in strings do not count."""
    if _openers(value) <= DEPTH_MAX:
        return False
    depth, quoted = 0, False
    for mark in _marks.finditer(value):
        match mark.group():
            case b'"':
                quoted = not quoted
            case b"{" | b"[" if not quoted:
                depth += 1
                if depth > DEPTH_MAX:
                    return True
            case b"}" | b"]" if not quoted:
                depth -= 1
    return False


def _not_json(value: bytes) -> Violation | None:
    try:
        _any_json.decode(value)
    except msgspec.DecodeError as error:
        return _malformed(error)
    return None


def _malformed(error: msgspec.DecodeError) -> Violation:
    return Violation("not_json", "", "must be JSON: " + str(error).removeprefix("JSON is malformed: "))


def _with_whole_floats(value: bytes, kind: type[T]) -> T | None:
    """What is read when 100.0 and 1e2 count as the integer that JSON Schema says they are."""
    try:
        return msgspec.convert(_whole(msgspec.json.decode(value)), kind)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def _whole(value: object) -> object:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(held) for name, held in value.items()}
        case list():
            return [_whole(held) for held in value]
        case _:
            return value


def _allowed(kind: type[msgspec.Struct], path: str) -> str | None:
    """The values that a field may have, where they can be counted."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name == path:
            return ", ".join(_literals(field.type)) or None
    return None


def _literals(kind: object) -> list[str]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [word for part in get_args(kind) for word in _literals(part)]


def _worded(complaint: str, kind: type[msgspec.Struct]) -> Violation:
    """The refusal for what msgspec says of a value that breaks the schema."""
    parts = _complaint.fullmatch(complaint)
    what, path = (parts["what"], parts["path"] or "") if parts else (complaint, "")
    if missing := _missing.fullmatch(what):
        return Violation("missing_field", f"{path}.{missing['name']}".removeprefix("."), "is required")
    rule = what.replace("`", "").replace("Expected ", "must be ", 1)
    if what.startswith("Invalid enum value"):  # goes on with the value itself
        words = _allowed(kind, path)
        rule = "must be one of the values in the schema" if words is None else f"must be one of: {words}"
        return Violation("wrong_type", path, rule)
    if _out_of_bounds.search(what):
        return Violation("out_of_bounds", path, rule)
    if path.endswith("_at"):
        rule = "must be RFC 3339 with an offset from UTC, or whole epoch milliseconds"
    return Violation("wrong_type", path, rule)
