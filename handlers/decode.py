"""From bytes to transactions: a whole batch at once where every value is plain, else each value by itself.

Both ways give the same: whatever `together` accepts, `alone` accepts, with the same result.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TypeGuard, TypeVar

import msgspec
import numpy as np

from handlers.refusal import Refusal
from schemas.transaction import Transaction

VALUE_BYTES_MAX = 1_048_576
"""A longer value is refused without being looked at."""

DEPTH_MAX = 64
"""Objects and arrays inside each other in one value. The decoder's own limit, over ten times this, moves with the
caller's stack: the same record would be refused in one program and accepted in another."""

T = TypeVar("T", bound=msgspec.Struct)

_decoder = msgspec.json.Decoder(Transaction)
_any_json = msgspec.json.Decoder(msgspec.Raw)
_marks = re.compile(rb'\\.|["{}[\]]', re.DOTALL)
_complaint = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_missing = re.compile(r"Object missing required field `(?P<name>\w+)`")
_out_of_bounds = re.compile(r"out of range|Expected `\w+` (?:[<>]=|of length)")


def together(values: Sequence[bytes | None]) -> list[Transaction] | None:
    """One transaction for each of the values (at least one), or None if any of them must be looked at by itself.

    Values are joined with newlines and decoded as one text. That no value can borrow from its neighbour:
    each starts with { and ends with }, and a raw newline cannot be inside a JSON string, so at each seam a closing
    brace is followed by an opening one, and JSON has that between whole objects only. So each value holds at least
    one whole object, and as many objects as values means exactly one each.
    """
    if not filled(values):
        return None
    count = len(values)
    lengths = np.fromiter(map(len, values), np.int64, count)
    if lengths.max() > VALUE_BYTES_MAX:
        return None
    text = b"\n".join(values)
    data = np.frombuffer(text, np.uint8)
    last = np.cumsum(lengths + 1) - 2
    if (data[last - lengths + 1] != ord("{")).any() or (data[last] != ord("}")).any():
        return None
    openers = np.count_nonzero(data == ord("{")) + (np.count_nonzero(data == ord("[")) if b"[" in text else 0)
    if openers - (count - 1) > DEPTH_MAX and max(map(_openers, values)) > DEPTH_MAX:
        return None
    try:
        text.decode()  # msgspec skips over fields that it does not know without looking at their encoding
        transactions = _decoder.decode_lines(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return transactions if len(transactions) == count else None


def alone(value: bytes | None, kind: type[T]) -> T | Refusal:
    """The transaction (or what else is read) in one value, or why there is none."""
    if not value:
        return Refusal("empty", "", "must have a value")
    if len(value) > VALUE_BYTES_MAX:
        return Refusal("too_large", "", f"must be at most {VALUE_BYTES_MAX} bytes")
    if _deeper(value):
        return Refusal("not_json", "", f"must not nest deeper than {DEPTH_MAX}")
    try:
        value.decode()
        found: T = _decoder_of(kind).decode(value)
        return found
    except UnicodeDecodeError:
        return Refusal("not_json", "", "must be UTF-8")
    except msgspec.ValidationError as error:
        # The schema is checked on the way: the rest may not even be JSON, and that says more.
        return _not_json(value) or _worded(str(error))
    except msgspec.DecodeError as error:
        return _malformed(error)


@cache
def _decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def filled(values: Sequence[bytes | None]) -> TypeGuard[Sequence[bytes]]:
    """Whether none of the values is missing or empty."""
    return all(values)


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


def _not_json(value: bytes) -> Refusal | None:
    try:
        _any_json.decode(value)
    except msgspec.DecodeError as error:
        return _malformed(error)
    return None


def _malformed(error: msgspec.DecodeError) -> Refusal:
    return Refusal("not_json", "", "must be JSON: " + str(error).removeprefix("JSON is malformed: "))


def _worded(complaint: str) -> Refusal:
    """The refusal for what msgspec says of a value that breaks the schema."""
    parts = _complaint.fullmatch(complaint)
    what, path = (parts["what"], parts["path"] or "") if parts else (complaint, "")
    if missing := _missing.fullmatch(what):
        return Refusal("missing_field", f"{path}.{missing['name']}".removeprefix("."), "is required")
    rule = what.replace("`", "").replace("Expected ", "must be ", 1)
    if _out_of_bounds.search(what):
        return Refusal("out_of_bounds", path, rule)
    if path.endswith("occurred_at"):
        rule = "must be RFC 3339 with an offset from UTC, or whole epoch milliseconds"
    return Refusal("wrong_type", path, rule)
