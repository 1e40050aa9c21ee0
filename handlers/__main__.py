"""`python -m handlers` compiles the kernels into Numba's cache, so that the first batch doesn't wait for it."""

from handlers.kernels import compile_kernels

if __name__ == "__main__":
    compile_kernels()
