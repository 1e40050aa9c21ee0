"""How long a row keeps what, in tiles and in days, counted from the newest moment that it has seen."""

FIVE_KEPT = 12
"""Tiles of five minutes."""
HOUR_KEPT = 168
"""Tiles of an hour."""
DAY_KEPT = 180
"""Tiles of a UTC day, with count, money in, money out and the customer's own transactions."""

MIX_DAYS = 90
"""Of a day's tile: counts by channel and by type, and the largest credit."""
BALANCE_DAYS = 30
"""Of a day's tile: the lowest and the highest balance."""
