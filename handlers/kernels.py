"""All kernels compiled, into Numba's cache: where they are not there yet that takes long, and no batch should wait."""

import numpy as np

from handlers.batch import Record
from handlers.bundle import Part
from handlers.engine import Engine, Rules
from handlers.intake import Intake
from handlers.seen import SEGMENT, Seen


def compile_kernels() -> None:
    """Uses each kernel once."""
    seen = Seen(17 * SEGMENT, 0, {})
    batch = Intake("transactions", "EUR", {}).batch(0, [Record(0, 0, None, None, 0)], 0, seen)
    seen.sift(np.arange(1, SEGMENT + 1), np.zeros(SEGMENT, np.int64), 0)
    Engine("transactions").step(Part(0, batch, {}, []), Rules())
