"""The features of one customer at one moment, by name: what decisions are made over."""

import numpy as np

from handlers.aggregates.features import FEATURES, INDEX
from handlers.kernel.jit import I8, NONE

_NAMES = tuple(feature.name for feature in FEATURES)
_EXACT = tuple(feature.exact for feature in FEATURES)


class FeatureValues:
    """Wraps what evaluate wrote: int64 of shape (features,), doubles in the places that are not exact."""

    __slots__ = ("_doubles", "_exact")

    def __init__(self, values: I8) -> None:
        self._exact = values
        self._doubles = values.view(np.float64)

    def value(self, place: int) -> int | float | None:
        """The feature at a place in FEATURES; None where missing."""
        if _EXACT[place]:
            exact = self._exact.item(place)
            return None if exact == NONE else exact
        double = self._doubles.item(place)
        return None if double != double else double

    def number(self, name: str) -> int | float | None:
        """The feature of that name; None where missing. Raises KeyError for a name that isn't declared."""
        return self.value(INDEX[name])

    def by_name(self) -> dict[str, int | float | None]:
        """Every feature in the order of FEATURES. Both lists are made at once, as profiles come by the thousand."""
        exact = [None if value == NONE else value for value in self._exact.tolist()]
        doubles = [None if value != value else value for value in self._doubles.tolist()]
        values = zip(_NAMES, _EXACT, exact, doubles, strict=True)
        return {name: whole if is_exact else double for name, is_exact, whole, double in values}
