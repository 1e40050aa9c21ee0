"""The catalogue of offers as a bank writes it: TOML with one [[offer]] table for each offer, checked whole."""

import math
import tomllib
from typing import Any

import msgspec

from handlers.features import INDEX
from schemas.offer import OFFERS_MAX, Condition, Offer


class CatalogError(ValueError):
    """The catalogue is wrong; the text has a line for each mistake, which names the offer and the field."""


def read_catalog(text: str) -> tuple[Offer, ...]:
    """The offers in the order written. Raises CatalogError with every mistake at once."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"is not TOML: {error}") from error
    tables = document.pop("offer", None)
    mistakes = [f"{key}: there is no such table; every offer is an [[offer]]" for key in document]
    if not isinstance(tables, list) or not tables:
        raise CatalogError("\n".join([*mistakes, "holds no [[offer]]"]))
    if len(tables) > OFFERS_MAX:
        mistakes.append(f"holds {len(tables)} offers, more than {OFFERS_MAX}")
    seen: set[str] = set()
    for place, table in enumerate(tables, 1):
        offer_id = table.get("offer_id") if isinstance(table, dict) else None
        name = f"offer {offer_id}" if isinstance(offer_id, str) and offer_id else f"offer number {place}"
        if isinstance(offer_id, str) and offer_id in seen:
            mistakes.append(f"{name}: offer_id: another offer has the same")
        seen.add(str(offer_id))
        mistakes += [f"{name}: {mistake}" for mistake in offer_mistakes(table)]
    if mistakes:
        raise CatalogError("\n".join(mistakes))
    return tuple(msgspec.convert(table, Offer) for table in tables)


def offer_mistakes(table: object) -> list[str]:
    """What is wrong with one offer as read from TOML or JSON; empty when it can be converted to an Offer."""
    mistakes = _field_mistakes(table, Offer)
    conditions = table.get("conditions", []) if isinstance(table, dict) else []
    if isinstance(conditions, list):
        mistakes = [mistake for mistake in mistakes if not (mistake.startswith("conditions: ") and "`$[" in mistake)]
        for place, condition in enumerate(conditions, 1):
            wrong = _field_mistakes(condition, Condition) or _condition_mistakes(msgspec.convert(condition, Condition))
            mistakes += [f"conditions {place}: {mistake}" for mistake in wrong]
    return mistakes


def _field_mistakes(table: object, kind: type[msgspec.Struct]) -> list[str]:
    """Field by field, because converting the whole stops at its first mistake."""
    if not isinstance(table, dict):
        return ["must be a table of fields"]
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    mistakes = [
        f"{name}: there is no such field; there are {', '.join(fields)}" for name in table if name not in fields
    ]
    for name, field in fields.items():
        if name not in table:
            mistakes += [f"{name}: is missing"] if field.required else []
            continue
        mistakes += [f"{name}: {mistake}" for mistake in _value_mistakes(table[name], field.type)]
    return mistakes


def _value_mistakes(value: object, kind: Any) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [str(error).replace(" - at `", ", at `")]
    return []


def _condition_mistakes(condition: Condition) -> list[str]:
    mistakes = [
        f"{field}: there is no feature {name}; docs/features.md lists them"
        for field, name in (("feature", condition.feature), ("of", condition.of))
        if name is not None and name not in INDEX
    ]
    numbers = (condition.value, condition.times)
    if any(number is not None and not math.isfinite(number) for number in numbers):
        mistakes.append("value, times: must be finite")
    fixed, relative = condition.value is not None, condition.times is not None and condition.of is not None
    half = condition.times is not None or condition.of is not None
    if fixed == relative or (fixed and half):
        mistakes.append("value: write either value, or times together with of")
    return mistakes
