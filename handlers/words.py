"""Short strings as words of eight bytes, zero-padded, as they stand in memory: compared and hashed as numbers."""

from collections.abc import Sequence

import numpy as np

from handlers.jit import I8, jit
from handlers.varint import U8

WORD = 8


def words_of(texts: Sequence[str], words: int) -> I8:
    """Texts of ASCII, none longer than that many words; shape (n, words)."""
    return np.array(texts, f"S{WORD * words}").view(np.int64).reshape(len(texts), words)


@jit
def word(text: U8, at: int, end: int) -> int:
    """The first word of the bytes from `at` to `end`."""
    found = 0
    for place in range(at, min(end, at + WORD)):
        found |= int(text[place]) << (8 * (place - at))
    return found


@jit
def known(text: U8, at: int, end: int, names: I8) -> int:
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
