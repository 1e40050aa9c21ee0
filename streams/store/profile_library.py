"""The Redis library tracker_profile (profile.lua), with the declared features and the row's numbers put into it."""

from hashlib import sha256
from pathlib import Path

from handlers.aggregates.features import FEATURES, Measure
from handlers.state.codec import VERSION
from handlers.state.row import ACCOUNTS_LOST, CHANNEL_COUNT, DAY_KEPT, MINOR_LIMIT

_TEMPLATE = Path(__file__).with_name("profile.lua").read_text("utf-8")
_ROW = {
    "version": VERSION,
    "channels": CHANNEL_COUNT,
    "types_1": 15,
    "accounts_lost": ACCOUNTS_LOST,
    "days_kept": DAY_KEPT,
    "minor_limit": MINOR_LIMIT,
}


def profile_library() -> bytes:
    """The text to give to FUNCTION LOAD."""
    return _filled(f"local EDITION = '{EDITION}'").encode()


def supersedes(edition: str) -> bool:
    """Whether this program's library should take the place of the one of that edition: never of a later layout's."""
    return edition != EDITION and int(edition.partition(":")[0]) <= VERSION


def _filled(first: str) -> str:
    features = [
        f"  {{ name = '{f.name}', measure = {f.measure:d}, hours = {f.window_hours}, part = {f.part},"
        f" exact = {'true' if f.exact else 'false'} }},"
        for f in FEATURES
    ]
    row = ", ".join(f"{name} = {value}" for name, value in _ROW.items())
    measure = ", ".join(f"{measure.name} = {measure:d}" for measure in Measure)
    lines = [first, f"local ROW = {{ {row} }}", f"local MEASURE = {{ {measure} }}"]
    return _TEMPLATE.replace("-- PARAMETERS\n", "\n".join([*lines, "local FEATURES = {", *features, "}\n"]))


EDITION = f"{VERSION}:{sha256(_filled('').encode()).hexdigest()[:16]}"
"""Row layout version and a fingerprint of the library."""
