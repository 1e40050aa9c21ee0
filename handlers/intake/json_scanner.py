"""JSON (RFC 8259) scanned in place by kernels: each function is told where it stands and says where it comes to.

They know what plain texts hold and say NOT_PLAIN to all else, sound or not: that the library's decoder judges. Several
values may stand one behind the other; that one does not end where it should shows by where the scan comes to.
"""

from string import hexdigits
from typing import Final

import numpy as np

from handlers.kernel.jit import jit
from handlers.kernel.text import Text, word

NOT_FAST: Final = -1

QUOTE, BACKSLASH, COMMA, COLON, MINUS, POINT = b'"\\,:-.'
OBJECT, OBJECT_END, LIST, LIST_END = b"{}[]"
SPACE, ZERO, EIGHT, LOW_D, LOW_F, LOW_U = b" 08dfu"
_NULL, _TRUE, _ALSE = (int.from_bytes(word, "little") for word in (b"null", b"true", b"alse"))

_BLANK, _SIMPLE, _DIGIT, _ESCAPED, _HEX = 1, 2, 4, 8, 16
_KINDS = np.zeros(256, np.uint8)
"""What each byte may be: white space, part of a string of printable ASCII as it stands, a digit, what follows a
backslash, a hexadecimal digit."""
for _kind, _bytes in (
    (_BLANK, b" \t\n\r"),
    (_SIMPLE, bytes(set(range(32, 127)) - {QUOTE, BACKSLASH})),
    (_DIGIT, b"0123456789"),
    (_ESCAPED, b'"\\/bfnrt'),
    (_HEX, hexdigits.encode()),
):
    _KINDS[list(_bytes)] |= _kind

_DEPTH_MAX = 60
_DIGITS_MAX = 18


@jit
def blank(text: Text, at: int, end: int) -> int:
    """Past white space, up to `end`: of many values that are nothing else none is looked at twice."""
    while at < end and _KINDS[text.bytes[at]] & _BLANK:
        at += 1
    return at


@jit
def after_colon(text: Text, at: int, end: int) -> int:
    """From behind a name's closing quote to its value."""
    at = blank(text, at, end)
    return blank(text, at + 1, end) if text.bytes[at] == COLON else NOT_FAST


@jit
def digits(text: Text, at: int) -> int:
    """Past decimal digits."""
    while _KINDS[text.bytes[at]] & _DIGIT:
        at += 1
    return at


@jit
def simple(text: Text, at: int) -> int:
    """From behind the opening quote of a string of printable ASCII without escapes to its closing quote."""
    while _KINDS[text.bytes[at]] & _SIMPLE:
        at += 1
    return at if text.bytes[at] == QUOTE else NOT_FAST


@jit
def string(text: Text, at: int, end: int) -> int:
    """From behind the opening quote of any string to its closing quote. Escaped surrogates are not plain; whether bytes
    above ASCII are UTF-8 is for others to see."""
    while at < end:
        byte = text.bytes[at]
        if byte == QUOTE:
            return at
        if byte < SPACE:
            return NOT_FAST
        at += 1
        if byte == BACKSLASH:
            if text.bytes[at] == LOW_U:
                for k in range(1, 5):
                    if not _KINDS[text.bytes[at + k]] & _HEX:
                        return NOT_FAST
                if text.bytes[at + 1] | 32 == LOW_D and text.bytes[at + 2] >= EIGHT:
                    return NOT_FAST
                at += 5
            elif _KINDS[text.bytes[at]] & _ESCAPED:
                at += 1
            else:
                return NOT_FAST
    return NOT_FAST


@jit
def whole(text: Text, at: int) -> tuple[int, int]:
    """An integer of up to 18 digits, and where it ends. What follows is for the caller to see."""
    negative = text.bytes[at] == MINUS
    first = at + 1 if negative else at
    end = digits(text, first)
    if end == first or end - first > _DIGITS_MAX or (text.bytes[first] == ZERO and end - first > 1):
        return 0, NOT_FAST
    value = 0
    for place in range(first, end):
        value = value * 10 + (int(text.bytes[place]) - ZERO)
    return (-value if negative else value), end


@jit
def null(text: Text, at: int) -> bool:
    """Whether null stands there."""
    return word(text, at, at + 4) == _NULL


@jit
def _scalar(text: Text, at: int, end: int) -> int:
    """Past a string, a number without exponent, null, true or false."""
    if text.bytes[at] == QUOTE:
        at = string(text, at + 1, end)
        return at + 1 if at != NOT_FAST else NOT_FAST
    if null(text, at) or word(text, at, at + 4) == _TRUE:
        return at + 4
    if word(text, at + 1, at + 5) == _ALSE and text.bytes[at] == LOW_F:
        return at + 5
    _, at = whole(text, at)
    if at != NOT_FAST and text.bytes[at] == POINT:
        first = at + 1
        at = digits(text, first)
        return at if 0 < at - first <= _DIGITS_MAX else NOT_FAST
    return at


@jit
def value(text: Text, at: int, end: int) -> int:
    """Past a value of any kind; the text ends at `end`."""
    depth, objects = 0, 0  # the last bit of `objects` tells whether what is open innermost is an object
    while True:
        at = blank(text, at, end)
        fresh = text.bytes[at] == OBJECT or text.bytes[at] == LIST
        if fresh:
            depth += 1
            objects = (objects << 1) | (text.bytes[at] == OBJECT)
            at += 1
        else:
            at = _scalar(text, at, end)
        if at == NOT_FAST or at > end or depth > _DEPTH_MAX:
            return NOT_FAST
        while depth > 0:  # what is complete is closed
            at = blank(text, at, end)
            if text.bytes[at] == (OBJECT_END if objects & 1 else LIST_END):
                depth -= 1
                objects >>= 1
                at += 1
                fresh = False
            elif fresh:
                break
            elif text.bytes[at] == COMMA:
                at += 1
                break
            else:
                return NOT_FAST
        if depth == 0:
            return at
        if objects & 1:
            at = blank(text, at, end)
            if text.bytes[at] != QUOTE:
                return NOT_FAST
            at = string(text, at + 1, end)
            if at == NOT_FAST:
                return NOT_FAST
            at = after_colon(text, at + 1, end)
            if at == NOT_FAST:
                return NOT_FAST
