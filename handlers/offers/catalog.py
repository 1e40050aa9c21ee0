"""The catalogue as a bank writes it: TOML with an [[offer]] table for each offer and a [policy], checked whole."""

import math
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from handlers.aggregates.features import INDEX
from handlers.offers.toml_lines import lines_of
from schemas.offer import OFFERS_MAX, Condition, Offer, Texts
from schemas.policy import POLICY_KEY, Cap, Policy
from schemas.time_zones import zone_names
from schemas.units import epoch_ms

_GROUPS = ("eligibility", "applicability", "suitability", "conditions")


class CatalogError(ValueError):
    """The catalogue is wrong; the text has a line for each mistake, which names the line, the offer and the field."""


class Catalogue(NamedTuple):
    """What a file holds."""

    offers: tuple[Offer, ...]
    """In the order written."""
    policy: Policy


def read_catalog(text: str) -> Catalogue:
    """The catalogue in a file's text. Raises CatalogError with every mistake at once."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"is not TOML: {error}") from error
    lines = lines_of(text)
    policy, tables = document.pop("policy", {}), document.pop("offer", None)
    mistakes = [f"{key}: there is no such table; there are [[offer]] and [policy]" for key in document]
    mistakes += [f"{lines.of('policy', 1, mistake)}policy: {mistake}" for mistake in policy_mistakes(policy)]
    if tables is None and policy:
        tables = []
    elif not isinstance(tables, list) or not tables:
        raise CatalogError("\n".join([*mistakes, "holds neither an [[offer]] nor a [policy]"]))
    if len(tables) > OFFERS_MAX:
        mistakes.append(f"holds {len(tables)} offers, more than {OFFERS_MAX}")
    seen: set[str] = set()
    for place, table in enumerate(tables, 1):
        offer_id = table.get("offer_id") if isinstance(table, dict) else None
        name = f"offer {offer_id}" if isinstance(offer_id, str) and offer_id else f"offer number {place}"
        wrong = offer_mistakes(table)
        if isinstance(offer_id, str) and offer_id in seen:
            wrong.insert(0, "offer_id: another offer has the same")
        seen.add(str(offer_id))
        mistakes += [f"{lines.of('offer', place, mistake)}{name}: {mistake}" for mistake in wrong]
    if mistakes:
        raise CatalogError("\n".join(mistakes))
    return Catalogue(tuple(msgspec.convert(table, Offer) for table in tables), msgspec.convert(policy, Policy))


def record_mistake(key: bytes | None, value: bytes | None) -> str | None:
    """What is wrong with a record of the topic, None if it can be used. One without a value takes away."""
    if not key or b"\0" in key:
        return "the key must be the offer_id, or " + POLICY_KEY
    if not value:
        return None
    try:
        table = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "is not JSON"
    is_policy = key == POLICY_KEY.encode()
    if mistakes := policy_mistakes(table) if is_policy else offer_mistakes(table):
        return "; ".join(mistakes)
    if not is_policy and table["offer_id"].encode() != key:
        return "the key differs from offer_id"
    return None


def catalogue_of(records: Mapping[bytes, bytes]) -> Catalogue:
    """The catalogue that sound records of the topic make, by key; offers are in the order of their ids."""
    policy = records.get(POLICY_KEY.encode())
    offers = [_offer.decode(value) for key, value in sorted(records.items()) if key != POLICY_KEY.encode()]
    return Catalogue(tuple(offers), Policy() if policy is None else _policy.decode(policy))


def policy_mistakes(table: object) -> list[str]:
    """What is wrong with a policy as read from TOML or JSON; empty when it can be converted to a Policy."""
    mistakes = _field_mistakes(table, Policy)
    caps = table.get("caps", []) if isinstance(table, dict) else []
    if isinstance(caps, list):
        mistakes = [mistake for mistake in mistakes if not (mistake.startswith("caps: ") and "`$[" in mistake)]
        for place, cap in enumerate(caps, 1):
            mistakes += [f"caps {place}: {mistake}" for mistake in _field_mistakes(cap, Cap)]
    if mistakes:
        return mistakes
    policy = msgspec.convert(table, Policy)
    if (policy.quiet_from is None) != (policy.quiet_to is None):
        mistakes.append("quiet_from: write both quiet_from and quiet_to, or neither")
    if policy.quiet_from is not None and policy.quiet_from == policy.quiet_to:
        mistakes.append("quiet_to: must differ from quiet_from")
    if policy.time_zone not in zone_names():
        mistakes.append("time_zone: must be a name of the IANA time zone database")
    if policy.churn_hold_above > policy.churn_raise_at:
        mistakes.append("churn_hold_above: must not be above churn_raise_at")
    if policy.tiers_minor != sorted(set(policy.tiers_minor)):
        mistakes.append("tiers_minor: must ascend")
    return mistakes


def offer_mistakes(table: object) -> list[str]:
    """What is wrong with one offer as read from TOML or JSON; empty when it can be converted to an Offer."""
    mistakes = _field_mistakes(table, Offer)
    if not isinstance(table, dict):
        return mistakes
    if isinstance(table.get("text"), dict):
        mistakes = [mistake for mistake in mistakes if not mistake.startswith("text: ")]
        mistakes += [f"text: {mistake}" for mistake in _field_mistakes(table["text"], Texts)]
    for group in _GROUPS:
        conditions = table.get(group, [])
        if isinstance(conditions, list):
            mistakes = [mistake for mistake in mistakes if not (mistake.startswith(f"{group}: ") and "`$[" in mistake)]
            for place, condition in enumerate(conditions, 1):
                wrong = _field_mistakes(condition, Condition)
                wrong = wrong or _condition_mistakes(msgspec.convert(condition, Condition))
                mistakes += [f"{group} {place}: {mistake}" for mistake in wrong]
    return mistakes or _offer_mistakes(msgspec.convert(table, Offer))


def _offer_mistakes(offer: Offer) -> list[str]:
    """What fields must keep among themselves."""
    mistakes = []
    if not offer.when and not offer.retention:
        mistakes.append("when: write at least one moment, or retention = true")
    if offer.cost_minor > offer.value_minor:
        mistakes.append("cost_minor: must not be more than value_minor")
    if (
        offer.valid_from is not None
        and offer.valid_to is not None
        and epoch_ms(offer.valid_from) >= epoch_ms(offer.valid_to)
    ):
        mistakes.append("valid_to: must be later than valid_from")
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


_offer = msgspec.json.Decoder(Offer)
_policy = msgspec.json.Decoder(Policy)
