"""A row taken apart."""

import numpy as np

from handlers.engine.beliefs import KNOWN
from handlers.profile.upgrade import current
from handlers.state.codec import PADDING, decode
from handlers.state.row import new_open_row
from handlers.state.sections import split


def parts(row: bytes) -> tuple[bytes, dict[int, bytes]]:
    """The aggregates, and the sections by tag."""
    row = current(row)
    start = decode(new_open_row(), np.frombuffer(row + bytes(PADDING), np.uint8), 0, len(row), KNOWN)
    return row[:start], split(row[start:])
