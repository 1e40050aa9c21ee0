"""Features as somebody might declare them, whether or not a row can answer, and what evaluate makes of them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from handlers.aggregates.columns import COLUMNS, OF_LIFE, Column, Operator
from handlers.aggregates.evaluate import evaluate
from handlers.aggregates.features import LIFE, Feature, UnanswerableFeature
from handlers.aggregates.spec import new_work, spec_of
from handlers.kernel.jit import NONE
from handlers.state.codec import PADDING, decode
from handlers.state.row import new_open_row

Value = int | float | None

_EDGES = (0, 1, 2, 23, 24, 25, 100, 167, 168, 169, 192, 696, 720, 744, 2136, 2160, 2184, 4296, 4320, 4344)
_windows = st.one_of(st.sampled_from(_EDGES), st.integers(-1, 5_000))
_pairs = [(operator, column) for column in COLUMNS for operator in column.operators]
_answered_pairs = st.one_of(
    st.sampled_from([pair for pair in _pairs if not pair[1].kind]),
    st.sampled_from([pair for pair in _pairs if pair[1].kind]),
)


class Declaration(NamedTuple):
    """What a line of FEATURES says beside its name."""

    operator: Operator
    column: Column
    window_hours: int
    before_hours: int

    def feature(self, name: str) -> Feature:
        """The feature. Raises UnanswerableFeature."""
        return Feature(name, self.operator, self.column, self.window_hours, "", self.before_hours)


def _likely(pair: tuple[Operator, Column], days: int, before: int, hours: int) -> Declaration:
    """One that is answered more often than not: by days that the row keeps of the column, or one more; or by hours."""
    operator, column = pair
    if operator in OF_LIFE:
        return Declaration(operator, column, LIFE, 0)
    if operator is Operator.RATIO:
        window = 1 + days % column.days
        return Declaration(operator, column, 24 * window, 24 * (before % (column.days + 2 - window)))
    if operator is Operator.SUM and hours:
        return Declaration(operator, column, hours - 1, 0)
    return Declaration(operator, column, 24 * (1 + days % (column.days + 1)), 0)


declarations = st.one_of(
    st.builds(_likely, _answered_pairs, st.integers(0, 180), st.integers(0, 180), st.integers(0, 200)),
    st.builds(Declaration, st.sampled_from(Operator), st.sampled_from(COLUMNS), _windows, st.just(0) | _windows),
)


def answered(drawn: Sequence[Declaration]) -> list[Feature]:
    """Those that are not refused, by different names."""
    features = []
    for number, declaration in enumerate(drawn):
        with suppress(UnanswerableFeature):
            features.append(declaration.feature(f"drawn_{number}"))
    return features


def computed(features: Sequence[Feature], row: bytes, now: int) -> Mapping[str, Value]:
    """What evaluate makes of these features of a row in the present layout, by name."""
    spec, s, values = spec_of(features), new_open_row(), np.empty(len(features), np.int64)
    decode(s, np.frombuffer(row + bytes(PADDING), np.uint8), 0, len(row), 0)
    evaluate(s, spec, now, values, new_work(spec))
    found: dict[str, Value] = {}
    for feature, exact, double in zip(features, values.tolist(), values.view(np.float64).tolist(), strict=True):
        missing = exact == NONE if feature.exact else double != double
        found[feature.name] = None if missing else exact if feature.exact else double
    return found
