"""Every kernel compiled before the first batch: `python -m streams` does it when the program is installed."""

from handlers.engine.warm_up import compile_kernels
from streams.store.warm_up import compile_store_kernel


def compile_all() -> None:
    """Uses each kernel once. Takes a minute where nothing is in Numba's cache yet."""
    compile_kernels()
    compile_store_kernel()
