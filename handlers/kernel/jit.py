"""How the kernels are compiled: Numba, cached on disk, without the interpreter's lock.

NUMBA_DISABLE_JIT=1 runs the same code interpreted; the results are the same.
"""

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

import schemas.transaction
import schemas.units

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

NONE = np.iinfo(np.int64).min
"""A missing integer in a column or a feature."""

F = TypeVar("F", bound=Callable[..., object])


def _cache_directory() -> Path:
    """A directory for this very source: Numba looks only at a kernel's own file, not at what the kernel calls."""
    here = Path(__file__).parents[1]
    sources = [*sorted(here.rglob("*.py")), Path(schemas.transaction.__file__), Path(schemas.units.__file__)]
    digest = blake2b(b"\0".join(source.read_bytes() for source in sources), digest_size=8).hexdigest()
    return Path(os.environ.get("NUMBA_CACHE_DIR", here / "__pycache__")) / f"kernels-{digest}"


numba.config.CACHE_DIR = str(_cache_directory())  # type: ignore[attr-defined]


def jit(function: F) -> F:
    """Compiles a function of integers and arrays that makes no array of its own, only views: whoever calls it gives the
    room. So nothing need count who holds an array (_nrt): that cost half of the kernels' time."""
    return cast(F, numba.njit(cache=True, nogil=True, _nrt=False)(function))  # type: ignore[call-overload]
