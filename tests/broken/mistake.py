"""The form of an entry, the whole list, and what must be true of it before anything is run."""

from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

Change = tuple[str, str, str]
"""A file, the words in it that are replaced, and what they become."""

INTERPRETED = ("handlers/", "schemas/")
"""Where a changed file would have kernels compiled anew: what is there is tried interpreted."""


class Mistake(NamedTuple):
    """See the package."""

    name: str
    wrong: str
    file: str
    old: str
    new: str
    noticed_by: str
    servers: bool = False
    also: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return ((self.file, self.old, self.new), *self.also)

    @property
    def is_row(self) -> bool:
        """Whether a row of `make faults` must notice it, and not a test."""
        return self.noticed_by.startswith("--row ")

    @property
    def interpreted(self) -> bool:
        return any(file.startswith(INTERPRETED) for file, _, _ in self.changes)


def subjects() -> dict[str, tuple[Mistake, ...]]:
    """The list, by the module that an entry stands in."""
    here = Path(__file__).parent
    found = {each.name: import_module(f"tests.broken.{each.name}") for each in iter_modules([str(here)])}
    return {name: module.MISTAKES for name, module in found.items() if hasattr(module, "MISTAKES")}


def errors(mistakes: Iterable[Mistake], root: Path) -> dict[str, str]:
    """By the name of an entry, why it can't be tried."""
    given = list(mistakes)
    times = Counter(each.name for each in given)
    found = {each.name: error for each in given if (error := _error(each, root))}
    return found | {name: f"{number} entries have this name" for name, number in times.items() if number > 1}


def _error(mistake: Mistake, root: Path) -> str | None:
    if not mistake.wrong.endswith("."):
        return "`wrong` is not a sentence"
    for file, old, new in mistake.changes:
        if not (root / file).is_file():
            return f"there is no {file}"
        times = (root / file).read_text("utf-8").count(old)
        if times != 1 or old == new:
            return f"{file} has {times} times, not once: {old!r}" if times != 1 else "nothing is changed"
    if mistake.is_row:
        return None
    file, _, test = mistake.noticed_by.partition("::")
    name = test.rpartition("::")[2].partition("[")[0]
    if not (root / file).is_file() or f"def {name}(" not in (root / file).read_text("utf-8"):
        return f"there is no test {mistake.noticed_by}"
    return None


def broken(text: str, file: str, changes: Iterable[Change]) -> str:
    """The text of the file with the changes that are of this file."""
    for of, old, new in changes:
        if of == file:
            text = text.replace(old, new)
    return text
