"""Sections at the end of a row (section_codec.py), outside the kernels."""

from collections.abc import Mapping

import numpy as np

from handlers.kernel.byte_codec import get, put
from handlers.state.codec import PADDING, LayoutError


def split(sections: bytes) -> dict[int, bytes]:
    """The bytes of each, by tag. Raises LayoutError."""
    found: dict[int, bytes] = {}
    row, at = np.frombuffer(sections + bytes(PADDING), np.uint8), 0
    while at < len(sections):
        tag = sections[at]
        length, at = get(row, at + 1)
        if not 0 <= length <= len(sections) - at or tag in found:
            raise LayoutError(f"a section (tag {tag}) at the end of a row is cut short or stands there twice")
        found[tag] = sections[at : at + length]
        at += length
    return found


def joined(sections: Mapping[int, bytes]) -> bytes:
    """Sections by tag as they stand in a row; empty ones are left out."""
    return b"".join(bytes([tag]) + _number(len(each)) + each for tag, each in sorted(sections.items()) if each)


def numbers(*values: int) -> bytes:
    """The bytes of a belief's section: without the zeros at the end, each of which would be a byte of 0."""
    return b"".join(map(_number, values)).rstrip(b"\0")


def _number(value: int) -> bytes:
    to = np.empty(10, np.uint8)
    return to[: put(to, 0, value)].tobytes()
