"""Customer ids as kernels look at them: rows of eight words, zero-padded."""

from collections.abc import Sequence

import numpy as np

from handlers.kernel.hashing import MULTIPLIER, hash_of, over_words
from handlers.kernel.jit import I8, jit
from handlers.kernel.text import WORD
from schemas.transaction import ACCOUNT_ID_LENGTH, CUSTOMER_ID_LENGTH

ID_WORDS = CUSTOMER_ID_LENGTH // WORD
ACCOUNT_WORDS = ACCOUNT_ID_LENGTH // WORD


def ids_of(names: Sequence[str]) -> I8:
    """Shape (n, ID_WORDS). Raises ValueError for a name of more than CUSTOMER_ID_LENGTH bytes."""
    encoded = [name.encode() for name in names]
    if max(map(len, encoded), default=0) > CUSTOMER_ID_LENGTH:
        raise ValueError(f"a customer id has at most {CUSTOMER_ID_LENGTH} bytes")
    return np.array(encoded, f"S{CUSTOMER_ID_LENGTH}").view(np.int64).reshape(len(names), ID_WORDS)


def names_of(ids: I8) -> list[str]:
    """The other way round; ids of shape (n, ID_WORDS)."""
    found = np.ascontiguousarray(ids).view(f"S{CUSTOMER_ID_LENGTH}").ravel().tolist()
    return [name.decode() for name in found]


def distinct(ids: I8) -> tuple[I8, I8]:
    """The place of each id, (n,), among those that differ, in order of first appearance; and where each of them first
    appears."""
    places, firsts = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    table = np.zeros(1 << (2 * len(ids)).bit_length(), np.int64)
    return places, firsts[: _distinct(ids, table, places, firsts)]


@jit
def id_hash(one: I8) -> int:
    """A 64-bit hash of an id, as event_hash of an event's."""
    return hash_of(over_words(MULTIPLIER, one))


@jit
def _distinct(ids: I8, table: I8, places: I8, firsts: I8) -> int:
    """How many differ. `table` is zeros, at least twice as many as ids."""
    mask, count = table.shape[0] - 1, 0
    for k in range(ids.shape[0]):
        slot = id_hash(ids[k]) & mask
        while table[slot] != 0 and not same_id(ids[k], ids[firsts[table[slot] - 1]]):
            slot = (slot + 1) & mask
        if table[slot] == 0:
            firsts[count] = k
            count += 1
            table[slot] = count
        places[k] = table[slot] - 1
    return count


@jit
def same_id(one: I8, other: I8) -> bool:
    """Whether two ids are the same."""
    for w in range(ID_WORDS):  # noqa: SIM110 - a kernel has no generators
        if one[w] != other[w]:
            return False
    return True
