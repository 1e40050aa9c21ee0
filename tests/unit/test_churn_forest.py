"""Boosted trees laid out for walking come to the leaves that following their nodes one by one comes to."""

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.churn.forest import Forest, forest_of, leaf_moves, leaf_sum
from handlers.churn.model import ChurnModel, ModelError, Trees, dumps, loads
from handlers.kernel.jit import F8
from tests.models import by_hand

COLUMNS = 3
FIGURES = st.sampled_from([-1e300, -2.0, -0.5, 0.0, 0.5, 2.0, 1e300])


@dataclass
class Node:
    """A leaf where there is nothing below."""

    value: float
    column: int = 0
    threshold: float = 0.0
    missing_left: bool = False
    below: "tuple[Node, Node] | None" = None

    def leaf(self, row: list[float]) -> float:
        if self.below is None:
            return self.value
        value = row[self.column]
        goes_left = self.missing_left if value != value else value <= self.threshold
        return self.below[0 if goes_left else 1].leaf(row)


LEAVES = st.builds(Node, FIGURES)
TREES = st.recursive(
    LEAVES,
    lambda below: st.builds(
        Node,
        FIGURES,
        st.integers(0, COLUMNS - 1),
        st.one_of(FIGURES, st.just(inf)),  # infinite where a split only asks whether there is a value
        st.booleans(),
        st.tuples(below, below),
    ),
    max_leaves=12,
)


def planted(trees: list[Node]) -> Forest:
    """In the order in which a walk along the left sides meets the nodes."""
    nodes: list[Node] = []
    left: dict[int, int] = {}
    right: dict[int, int] = {}

    def plant(node: Node) -> int:
        place = len(nodes)
        nodes.append(node)
        if node.below is not None:
            left[place], right[place] = plant(node.below[0]), plant(node.below[1])
        return place

    roots = [plant(tree) for tree in trees]
    places = range(len(nodes))
    return forest_of(
        COLUMNS,
        np.array(roots, np.int64),
        np.array([node.column for node in nodes], np.int64),
        np.array([node.threshold for node in nodes]),
        np.array([node.missing_left for node in nodes], np.int64),
        np.array([left.get(k, -1) for k in places], np.int64),
        np.array([right.get(k, -1) for k in places], np.int64),
        np.array([node.value for node in nodes]),
    )


@given(trees=st.lists(TREES, max_size=4), row=st.tuples(*[st.one_of(FIGURES, st.just(nan))] * COLUMNS))
def test_a_row_comes_to_the_same_leaves(trees: list[Node], row: tuple[float, ...]) -> None:
    forest, columns, sides = planted(trees), np.array(row), np.empty(2 * COLUMNS)
    expected = 0.0
    for tree in trees:
        expected += tree.leaf(list(row))
    assert leaf_sum(columns, forest, sides) == expected


def test_what_moves_the_sum_is_told_by_column() -> None:
    below = Node(3.0, column=1, threshold=5.0, missing_left=True, below=(Node(2.0), Node(4.0)))
    forest = planted([Node(1.0, column=0, threshold=0.0, below=(Node(0.0), below)), Node(10.0)])
    moved: F8 = np.zeros(COLUMNS)
    assert leaf_moves(np.array([1.0, nan, 0.0]), forest, np.empty(2 * COLUMNS), moved) == 11.0
    assert moved.tolist() == [2.0, -1.0, 0.0]


@pytest.mark.parametrize(
    "trees",
    [
        Trees(0.0, [0], ["log_age"], [0], [0.0], [False], [0], [0], [0.0]),
        Trees(0.0, [1], ["log_age"], [0], [0.0], [False], [-1], [-1], [0.0]),
        Trees(0.0, [0, 0], ["log_age"], [0], [0.0], [False], [-1], [-1], [0.0]),
        Trees(0.0, [0], ["log_age"], [0, 0], [0.0, 0.0], [False, False], [1, -1], [-1, -1], [0.0, 0.0]),
        Trees(0.0, [0], ["log_age"], [2], [0.0], [False], [-1], [-1], [0.0]),
        Trees(0.0, [0], ["log_age"], [0], [], [False], [-1], [-1], [0.0]),
    ],
    ids=["below itself", "not there", "two roots", "one side only", "no such column", "no threshold"],
)
def test_a_file_whose_trees_lead_nowhere_is_refused(trees: Trees) -> None:
    model = by_hand(-6.0, 2.5)
    broken = ChurnModel(**{name: getattr(model, name) for name in model.__struct_fields__} | {"trees": trees})
    with pytest.raises(ModelError, match="trees"):
        loads(dumps(broken))
