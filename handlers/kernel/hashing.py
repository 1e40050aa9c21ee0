"""64-bit hashes of words: multiply and xor-shift, what rounds of splitmix64 do (Steele, Lea & Flood 2014).

A hash begins with MULTIPLIER, goes over each word, and ends with `hash_of`. Those of events are stored, so none may
ever come out otherwise.
"""

import numpy as np

from handlers.kernel.jit import I8, jit

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT, _LAST_SHIFT = np.uint64(29), np.uint64(32)


@jit
def over(found: np.uint64, word: int) -> np.uint64:
    """One word more."""
    found = (found ^ np.uint64(word)) * MULTIPLIER
    return found ^ (found >> _SHIFT)


@jit
def over_words(found: np.uint64, words: I8) -> np.uint64:
    """The words up to the first that is 0."""
    for w in range(words.shape[0]):
        if words[w] == 0:
            break
        found = over(found, words[w])
    return found


@jit
def hash_of(found: np.uint64) -> int:
    """The hash, once all the words are in."""
    found *= MULTIPLIER
    return int(np.int64(found ^ (found >> _LAST_SHIFT)))
