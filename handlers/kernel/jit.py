"""How the kernels are compiled: Numba, cached on disk, without the interpreter's lock.

NUMBA_DISABLE_JIT=1 runs the same code interpreted; the results are the same.
"""

import os
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

NONE = np.iinfo(np.int64).min
"""A missing integer in a column or a feature."""

F = TypeVar("F", bound=Callable[..., object])


_IMPORT = re.compile(r"^\s*(?:from|import) ((?:handlers|schemas)[\w.]*)(?: import (\([^)]*\)|.*))?", re.MULTILINE)


def compiled_sources(root: Path) -> list[Path]:
    """The files of `root` that are compiled in: each with a kernel, and what those import, directly or through others.

    Numba looks only at a kernel's own file, not at what the kernel calls. The other files of handlers/ are left out, so
    that a change of a decision compiles nothing anew.
    """
    waiting = [file for file in root.joinpath("handlers").rglob("*.py") if "@jit" in file.read_text()]
    found = set(waiting)
    while waiting:
        for module, names in _IMPORT.findall(waiting.pop().read_text()):
            for name in ["", *re.findall(r"\w+", names)]:
                file = root.joinpath(*module.split("."), name)
                for source in (file.with_suffix(".py"), file / "__init__.py"):
                    if source.is_file() and source not in found:
                        found.add(source)
                        waiting.append(source)
    return sorted(found)


def _cache_directory() -> Path:
    root = Path(__file__).parents[2]
    digest = blake2b(b"\0".join(source.read_bytes() for source in compiled_sources(root)), digest_size=8).hexdigest()
    return Path(os.environ.get("NUMBA_CACHE_DIR", root / "handlers/__pycache__")) / f"kernels-{digest}"


numba.config.CACHE_DIR = str(_cache_directory())  # type: ignore[attr-defined]


def jit(function: F) -> F:
    """Compiles a function of integers and arrays that makes no array of its own, only views: whoever calls it gives the
    room. So nothing need count who holds an array (_nrt): that cost half of the kernels' time."""
    return cast(F, numba.njit(cache=True, nogil=True, _nrt=False)(function))  # type: ignore[call-overload]
