"""`python -m handlers` compiles the kernels into Numba's cache, so that the first batch doesn't wait for it."""

from handlers.engine import Engine, Rules
from handlers.intake import Intake

if __name__ == "__main__":
    intake = Intake("transactions", "EUR", {}, keyed=False)
    Engine("transactions", 0).step(intake.batch(0, [], 0), {}, [], Rules())
