"""Every word of /healthz and /readyz is on the operators' page and, but for NOT_YET, brought about by a test."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from streams.ops.health import Need, Part

ROOT = Path(__file__).parents[2]

TROUBLES = {
    "kafka": "tests/river/test_outages.py",
    "redis": "tests/river/test_outages.py",
    "publishing": "tests/secured/test_kafka_rights.py",
    "rights": "tests/secured/test_kafka_rights.py",
    "group": "tests/unit/test_membership.py",
    "partition ": "tests/river/test_notes.py",
}
"""What the code tells Health of, as far as that is the same each time, and where it is brought about."""

NOT_YET = {"offer catalogue"}
"""No test brings these about."""


def told_to_health() -> set[str]:
    """The first words of every `trouble` that the program can tell."""
    found = set()
    for file in (ROOT / "streams").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "trouble":
                what = call.args[0]
                first = what.values[0] if isinstance(what, ast.JoinedStr) else what
                assert isinstance(first, ast.Constant), (
                    f"{file.name}:{call.lineno} says something that is not known here"
                )
                found.add(str(first.value))
    return found


def test_every_trouble_that_the_program_can_tell_is_brought_about_by_a_test() -> None:
    assert told_to_health() == TROUBLES.keys() | NOT_YET


@pytest.mark.parametrize("what", TROUBLES)
def test_the_test_that_is_named_looks_for_it(what: str) -> None:
    text = (ROOT / TROUBLES[what]).read_text("utf-8")
    assert f'"{what}' in text or f"{what}: " in text


def test_the_page_for_operators_has_every_word() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    for word in [*told_to_health(), *get_args(Part), "agent", "crashed"]:
        assert f"`{word.strip()}" in page, word
    for need in get_args(Need):
        assert f"`{need}`" in page, need
