"""Texts as kernels look at them: byte by byte, and by words of eight bytes from anywhere on, zero-padded."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handlers.kernel.jit import I8, U8, jit

WORD = 8
PADDING = bytes(32)
"""Behind every text, so that looking ahead is always allowed."""


class Text(NamedTuple):
    """A text, PADDING behind it."""

    bytes: U8
    words: I8
    """The eight bytes from each place on, as they stand in memory; not aligned."""


def text_of(padded: bytes) -> Text:
    """The bytes, which end with PADDING, as a text."""
    places = len(padded) - WORD + 1
    return Text(np.frombuffer(padded, np.uint8), np.ndarray((places,), np.int64, padded, strides=(1,)))


def words_of(texts: Sequence[str], words: int) -> I8:
    """Texts of ASCII, none longer than that many words; shape (n, words)."""
    return np.array(texts, f"S{WORD * words}").view(np.int64).reshape(len(texts), words)


@jit
def word(text: Text, at: int, end: int) -> int:
    """The first word of the bytes from `at` to `end`."""
    if end <= at:
        return 0
    found = int(text.words[at])
    return found if end - at >= WORD else found & ((1 << (8 * (end - at))) - 1)


@jit
def known(text: Text, at: int, end: int, names: I8) -> int:
    """The place of the bytes from `at` to `end` among `names` (words_of); -1 if they are none of them."""
    if end - at > WORD * names.shape[1]:
        return -1
    first = word(text, at, end)
    for name in range(names.shape[0]):
        if names[name, 0] == first:
            same = True
            for k in range(1, names.shape[1]):
                same = same and names[name, k] == word(text, at + WORD * k, end)
            if same:
                return name
    return -1
