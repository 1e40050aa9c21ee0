"""Time zones from the tzdata package, whose version is locked: every worker has the same, whatever its system has."""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_TZDATA = files("tzdata")


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name that can be used."""
    return frozenset(_TZDATA.joinpath("zones").read_text("ascii").split())


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of one of zone_names."""
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)
