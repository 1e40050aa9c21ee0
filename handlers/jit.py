"""How the kernels are compiled: Numba, cached on disk, without the interpreter's lock.

NUMBA_DISABLE_JIT=1 runs the same code interpreted; the results are the same.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """Compiles a function of integers and int64/uint8 arrays."""
    return cast(F, njit(cache=True, nogil=True)(function))
