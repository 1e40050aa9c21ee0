"""Every row of the table, in the order in which `make faults` runs them."""

from tests.faults import killing
from tests.faults.world import Row

ROWS: tuple[Row, ...] = (*killing.ROWS,)
