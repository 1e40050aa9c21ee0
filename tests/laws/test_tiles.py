"""Tiles of a row against a plain dict: each in its place, oldest first, and what is too old is gone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handlers.state.row import HOURS, SIZES, TILE, TILE_COUNT, TILE_FIELDS, forget, tile_at

KEPT = 6
STALE = 42

moves = st.lists(st.tuples(st.integers(0, 3), st.integers(0, KEPT + 2)), max_size=30)
"""How much later the newest tile becomes, and how far before it the next is asked for."""


@given(moves, st.booleans())
def test_tiles_are_found_made_and_dropped_as_in_a_dict(steps: list[tuple[int, int]], stale: bool) -> None:
    tiles, size = np.full((KEPT + 2, TILE_FIELDS), STALE if stale else 0), np.zeros(SIZES, np.int64)
    newest, known = STALE, dict[int, int]()
    for number, (later, back) in enumerate(steps, 1):
        newest += later
        oldest, tile = newest - KEPT + 1, newest - back
        if tile < oldest:
            forget(tiles, size, HOURS, oldest)
            known = {at: count for at, count in known.items() if at >= oldest}
        else:
            place = tile_at(tiles, size, HOURS, tile, oldest)
            assert tiles[place, TILE] == tile
            tiles[place, TILE_COUNT] += number
            # tiles before the oldest may stay as long as nothing new is made
            if tile not in known or tile != max(known):
                known = {at: count for at, count in known.items() if at >= oldest}
            known[tile] = known.get(tile, 0) + number
        found = tiles[: size[HOURS]]
        assert found[:, [TILE, TILE_COUNT]].tolist() == [list(entry) for entry in sorted(known.items())]
