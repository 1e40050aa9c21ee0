"""Sections at the end of a row (section_codec.py), outside the kernels: in plain Python, which for so few bytes costs
less than calling a kernel."""

from collections.abc import Mapping

from handlers.state.codec import LayoutError

_64_BITS = (1 << 64) - 1


def split(sections: bytes) -> dict[int, bytes]:
    """The bytes of each, by tag. Raises LayoutError."""
    found: dict[int, bytes] = {}
    at, end = 0, len(sections)
    while at < end:
        tag, zigzag, shift = sections[at], 0, 0
        at += 1
        while at < end:
            byte = sections[at]
            at += 1
            zigzag |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
        else:
            raise LayoutError(f"a section (tag {tag}) at the end of a row is cut short")
        length = zigzag >> 1
        if zigzag & 1 or length > end - at or tag in found:
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
    zigzag = ((value << 1) ^ (value >> 63)) & _64_BITS
    found = bytearray()
    while zigzag >= 128:
        found.append(zigzag & 127 | 128)
        zigzag >>= 7
    found.append(zigzag)
    return bytes(found)
