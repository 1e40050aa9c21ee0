"""A table from keys to values, both int64, by open addressing; and lists of what was put into it, in order.

Tables and lists have the shape (n, 2): key, value; the key 0 is nobody's. In a list, (0, key) says that the pair behind
it gives a key that is there already another value: such a pair is no entry of its own.
"""

import numpy as np

from handlers.kernel.jit import I8, jit

FREE = 0


@jit
def place_of(table: I8, key: int) -> int:
    """Where it is, or would be."""
    mask = table.shape[0] - 1
    place = key & mask
    while table[place, 0] != FREE and table[place, 0] != key:
        place = (place + 1) & mask
    return int(place)


@jit
def enter(table: I8, pairs: I8) -> None:
    """Puts a list in; a key that is there keeps its value unless the list says otherwise."""
    k = 0
    while k < pairs.shape[0]:
        replaced = pairs[k, 0] == FREE and pairs[k, 1] != 0
        if replaced:
            k += 1
        key = pairs[k, 0]
        if key != FREE:
            place = place_of(table, key)
            if (table[place, 0] == key) == replaced:
                table[place, 0], table[place, 1] = key, pairs[k, 1]
        k += 1


@jit
def remove(table: I8, pairs: I8) -> None:
    """Takes a list's keys out; those behind them on their way to their places move up, so that no gap cuts a way."""
    mask = table.shape[0] - 1
    k = -1
    while k + 1 < pairs.shape[0]:
        k += 1
        if pairs[k, 0] == FREE:
            k += 1 if pairs[k, 1] != 0 else 0
            continue
        place = place_of(table, pairs[k, 0])
        if table[place, 0] == FREE:
            continue
        gap = place
        behind = place
        while True:
            behind = (behind + 1) & mask
            if table[behind, 0] == FREE:
                break
            home = table[behind, 0] & mask
            if ((behind - home) & mask) >= ((behind - gap) & mask):
                table[gap, 0], table[gap, 1] = table[behind, 0], table[behind, 1]
                gap = behind
        table[gap, 0] = FREE


def empty_list(places: int) -> I8:
    """Room for so many pairs."""
    return np.zeros((places, 2), np.int64)
