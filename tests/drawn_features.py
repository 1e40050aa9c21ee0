"""Features as somebody might declare them, whether or not a row can answer, and what evaluate makes of them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from handlers.aggregates.columns import COLUMNS, Column, Operator
from handlers.aggregates.evaluate import evaluate
from handlers.aggregates.features import Feature, UnanswerableFeature
from handlers.aggregates.spec import new_work, spec_of
from handlers.kernel.jit import NONE
from handlers.state.codec import decode
from handlers.state.row import new_open_row

Value = int | float | None

_EDGES = (0, 1, 2, 23, 24, 25, 100, 167, 168, 169, 192, 696, 720, 744, 2136, 2160, 2184, 4296, 4320, 4344)
_windows = st.one_of(st.sampled_from(_EDGES), st.integers(-1, 5_000), st.integers(1, 200).map(lambda days: 24 * days))


class Declaration(NamedTuple):
    """What a line of FEATURES says beside its name."""

    operator: Operator
    column: Column
    window_hours: int
    before_hours: int

    def feature(self, name: str) -> Feature:
        """The feature. Raises UnanswerableFeature."""
        return Feature(name, self.operator, self.column, self.window_hours, "", self.before_hours)


def _likely(column: Column) -> st.SearchStrategy[Declaration]:
    """Declarations of the column that are answered more often than not."""
    days = st.integers(1, column.days + 1 if column.days else 1)
    windows = st.one_of(days.map(lambda count: 24 * count), st.integers(1, 200), st.just(0))
    return st.sampled_from(column.operators).flatmap(
        lambda operator: st.builds(
            Declaration,
            st.just(operator),
            st.just(column),
            windows if column.days else st.just(0),
            days.map(lambda count: 24 * count) if operator is Operator.RATIO else st.just(0),
        )
    )


declarations = st.one_of(
    st.sampled_from(COLUMNS).flatmap(_likely),
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
    decode(s, np.frombuffer(row, np.uint8), 0)
    evaluate(s, spec, now, values, new_work(spec))
    found: dict[str, Value] = {}
    for feature, exact, double in zip(features, values.tolist(), values.view(np.float64).tolist(), strict=True):
        missing = exact == NONE if feature.exact else double != double
        found[feature.name] = None if missing else exact if feature.exact else double
    return found
