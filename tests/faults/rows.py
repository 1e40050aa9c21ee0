"""Every row of the table, in the order in which `make faults` runs them."""

from tests.faults import data_rows, killing, redis_rows
from tests.faults.world import Row

ROWS: tuple[Row, ...] = (*killing.ROWS, *redis_rows.ROWS, *data_rows.ROWS)
