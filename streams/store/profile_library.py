"""The Redis library tracker_profile (profile.lua), with the declared features and the row's numbers put into it."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from handlers.aggregates import columns
from handlers.aggregates.columns import OF_LIFE, Operator
from handlers.aggregates.features import FEATURES, HOUR_1, LIFE, Feature
from handlers.state.codec import VERSION
from handlers.state.row import ACCOUNTS_LOST, CHANNEL_COUNT, FIVE_MS, MINOR_LIMIT
from schemas.transaction import CHANNELS, TYPES
from schemas.units import DAY_MS, HOUR_MS

_TEMPLATE = Path(__file__).with_name("profile.lua").read_text("utf-8")
_ROW: dict[str, str | int | bool] = {
    "version": VERSION,
    "channels": CHANNEL_COUNT,
    "types_1": 15,
    "accounts_lost": ACCOUNTS_LOST,
    "minor_limit": MINOR_LIMIT,
}


def profile_library(features: Sequence[Feature] = FEATURES) -> bytes:
    """The text to give to FUNCTION LOAD."""
    return _filled(f"local EDITION = '{EDITION}'", features).encode()


def supersedes(edition: str) -> bool:
    """Whether this program's library should take the place of the one of that edition: never of a later layout's."""
    return edition != EDITION and int(edition.partition(":")[0]) <= VERSION


def _filled(first: str, features: Sequence[Feature]) -> str:
    lines = [
        first,
        f"local FIVE_MS, HOUR_MS, DAY_MS = {FIVE_MS}, {HOUR_MS}, {DAY_MS}",
        f"local ROW = {_table(_ROW)}",
        "local FEATURES = {",
        *(f"  {_table(_entry(feature))}," for feature in features),
        "}\n",
    ]
    return _TEMPLATE.replace("-- PARAMETERS\n", "\n".join(lines))


def _entry(feature: Feature) -> dict[str, str | int | bool]:
    """A feature as the library reads it: what is computed, over which column of which tiles, and over how many."""
    entry: dict[str, str | int | bool] = {
        "name": feature.name,
        "operator": feature.operator.name.lower(),
        "column": _column(feature),
        "exact": feature.exact,
    }
    hours = feature.window_hours
    if hours == LIFE:
        return entry
    if not feature.by_hour:
        return entry | {"tiles": "day", "length": DAY_MS, "window": hours // 24, "before": feature.before_hours // 24}
    if hours == HOUR_1:
        return entry | {"tiles": "five", "length": FIVE_MS, "window": HOUR_MS // FIVE_MS}
    return entry | {"tiles": "hour", "length": HOUR_MS, "window": hours}


def _column(feature: Feature) -> str | int:
    column = feature.column
    if column.kind:
        return CHANNELS.index(column.member) if column.kind == "channel" else CHANNEL_COUNT + TYPES.index(column.member)
    if column is columns.BALANCE and feature.operator not in OF_LIFE:
        return "low" if feature.operator is Operator.MIN else "high"
    return column.name


def _table(values: dict[str, str | int | bool]) -> str:
    """A table in Lua's spelling."""
    fields = ((name, repr(value).lower() if isinstance(value, bool) else repr(value)) for name, value in values.items())
    return f"{{ {', '.join(f'{name} = {value}' for name, value in fields)} }}"


EDITION = f"{VERSION}:{sha256(_filled('', FEATURES).encode()).hexdigest()[:16]}"
"""Row layout version and a fingerprint of the library."""
