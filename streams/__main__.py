"""`python -m streams` compiles the kernels into Numba's cache, so that the first batch doesn't wait for it."""

from streams.worker.warm_up import compile_all

if __name__ == "__main__":
    compile_all()
