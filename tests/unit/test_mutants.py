"""The changes that `make mutants` makes, and what is argued about some of them."""

import ast

from tests.mutants.__main__ import drawn, equivalents, key
from tests.mutants.mutations import mutations, mutations_of

CODE = '''\
"""1 < 2 in a text."""
from typing import Final

LIMIT: Final[int | None] = 3
BITS = 1 | 4


@decorated(1 + 2)
def far(a: "int | None", b: int = -1) -> bool:
    assert a < b, f"{a + b}"
    if not a and (b) <= LIMIT:  # ä
        b += 1
    return (b -
            a) is not None
'''


def test_every_kind_of_change_and_where_it_is() -> None:
    assert [(one.line, one.becomes) for one in mutations_of("handlers/a.py", CODE)] == [
        (4, "LIMIT: Final[int | None] = 4"),
        (5, "BITS = 2 | 4"),
        (5, "BITS = 1 & 4"),
        (5, "BITS = 1 | 5"),
        (9, 'def far(a: "int | None", b: int = +1) -> bool:'),
        (11, "if a and (b) <= LIMIT:  # ä"),
        (11, "if not a or (b) <= LIMIT:  # ä"),
        (11, "if not a and (b) < LIMIT:  # ä"),
        (11, "if not a and (b) > LIMIT:  # ä"),
        (12, "b -= 1"),
        (12, "b += 2"),
        (13, "return not ((b - a) is not None)"),
        (13, "return (b +"),
        (14, "a) is None"),
    ]


def test_numbers_are_changed_in_handlers_alone() -> None:
    lines = {one.line for one in mutations_of("streams/a.py", CODE)}
    assert lines == {5, 9, 11, 12, 13, 14}


def test_a_return_is_changed_by_what_the_function_returns() -> None:
    for kind, becomes in (
        ("bool", "return not (a)"),
        ("int", "return (a) + 1"),
        ("str", 'return (a) + "x"'),
        ("list[int]", "return None"),
    ):
        changed = mutations_of("streams/a.py", f"def f(a) -> {kind}:\n    return a\n")
        assert [one.becomes for one in changed] == [becomes]


def test_every_change_is_python_and_changes_what_the_code_says() -> None:
    for one in mutations_of("handlers/a.py", CODE):
        assert ast.dump(ast.parse(one.applied(CODE))) != ast.dump(ast.parse(CODE))


def test_a_seed_draws_the_same_changes_again() -> None:
    every = mutations()
    assert drawn(every, [], 7, 50) == drawn(every, [], 7, 50) != drawn(every, [], 8, 50)
    assert sum(one.is_number for one in drawn(every, [], 7, 50)) == 10


def test_what_is_argued_to_change_nothing_is_still_there_and_says_why() -> None:
    argued = equivalents()
    assert set(argued) <= {key(one) for one in mutations()}
    assert all(len(why) > 20 for why in argued.values())
