"""`python -m commands` is `tracker`: how the demo starts a worker in the same environment."""

from commands.main import run

run(prog_name="tracker")
