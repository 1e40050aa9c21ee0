"""Memory for large tables."""

from mmap import mmap

import numpy as np

from handlers.kernel.jit import I8


def mapped_zeros(places: int) -> I8:
    """Zeros, mapped by themselves: their pages come as they are touched. NumPy may clear memory that it has had before,
    all at once, and a partition would stand still meanwhile."""
    return np.frombuffer(mmap(-1, np.dtype(np.int64).itemsize * places), np.int64)
