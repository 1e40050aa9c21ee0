"""The store's kernel compiled, as handlers/engine/warm_up.py does with those of handlers/."""

import numpy as np

from handlers.kernel.customer_ids import ids_of
from handlers.state.row_table import DueTable, RowTable
from streams.store.resp import change


def compile_store_kernel() -> None:
    """Uses it once."""
    change(b"", RowTable.of({"a": b"row"}), b"", b"", DueTable(ids_of(["a"]), np.ones(1, np.int64)))
