"""`tracker documents`: the contracts as documents, made from the code, so that they can't say anything else."""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson
import typer

from commands.asyncapi import asyncapi
from commands.console import Failure, out
from commands.json_schema import schema_name, schema_of
from commands.metrics_table import metrics_table
from commands.settings import reference
from handlers.aggregates.features import FEATURES, Feature, Unit
from handlers.intake.inputs import INPUTS
from schemas.alert import Alert
from schemas.audit import AuditRecord
from schemas.dead_letter import DeadLetter
from schemas.offer import Offer
from schemas.policy import Policy

_KINDS: tuple[type[msgspec.Struct], ...] = (
    *(topic.schema for topic in INPUTS),
    Alert,
    DeadLetter,
    Offer,
    Policy,
    AuditRecord,
)
SCHEMAS: dict[str, type[msgspec.Struct]] = {schema_name(kind): kind for kind in _KINDS}
"""By file name."""

WRITTEN = {"alert", "audit_record", "dead_letter"}
"""Those that the program writes; it reads the others."""

UNITS = {
    Unit.COUNT: "whole number",
    Unit.MINOR: "minor units of the base currency",
    Unit.DAYS: "days",
    Unit.WHOLE_DAYS: "whole days",
    Unit.SHARE: "0 to 1",
    Unit.RATIO: "ratio",
    Unit.PER_30_DAYS: "per 30 days",
}


def documents(
    directory: Annotated[Path, typer.Option("--to", help="Directory to write to.")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; end with 1 if any file is stale.")] = False,
) -> None:
    """Write JSON Schemas, the AsyncAPI document, lists of figures, settings and metrics, as the program has them."""
    stale = [
        name
        for name, text in rendered().items()
        if not (directory / name).is_file() or (directory / name).read_text("utf-8") != text
    ]
    if check and stale:
        raise Failure("\n".join(f"{directory / name} is stale; `tracker documents` renews it" for name in stale))
    for name in stale:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(rendered()[name], "utf-8")
        out.print(f"written: {directory / name}", markup=False)
    if not stale:
        out.print(f"everything in {directory} is up to date", markup=False)


def rendered() -> dict[str, str]:
    """Every document's text by its path below docs/."""
    from serving.api import router  # much that no other command needs, as the next
    from serving.documented import document

    texts = {f"schemas/{name}.schema.json": _pretty(schema(name)) for name in SCHEMAS}
    texts["asyncapi.yaml"] = _yaml(asyncapi({name: schema(name) for name in SCHEMAS}))
    texts["openapi.json"] = _pretty(document(router.routes))
    texts["features.md"] = _features()
    texts["metrics.md"] = metrics_table()
    texts["settings.md"] = reference()
    return texts


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of SCHEMAS."""
    return schema_of(SCHEMAS[name], null_is_read=name not in WRITTEN)


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _features() -> str:
    """The feature table as Markdown."""
    lines = [
        "# Figures of a customer",
        "",
        "Made by `tracker documents` from `handlers/aggregates/features.py`. Each is what `tracker customer` shows,"
        " what `verify` compares and what a condition of an offer may name. A figure that is missing is null.",
        "",
        "A window of W made of tiles of g is the W/g tiles that end with the tile of the moment of reading: 30 d is"
        " today (UTC) and the 29 days before; 24 h is this hour and the 23 before; 1 h is this 5-minute tile and the"
        " 11 before. An active day is a UTC day with a transaction that the customer made: any type but interest,"
        " fee, refund, returned_payment and own_transfer; the last three are neither money in nor money out. Gaps are"
        " the days between active days that follow each other, among the 180 days that end with the last one. A trend"
        " is the 30 d figure per day over the per-day figure of the 60 d before. `balance` is money: what accounts hold"
        " that are not in debt; `debt` is what the others owe. Where more than 64 accounts have told a balance, both"
        " are missing, and `accounts` is.",
        "",
        "| figure | unit | meaning |",
        "|---|---|---|",
        *(_row(feature) for feature in FEATURES),
    ]
    return "\n".join(lines) + "\n"


def _row(feature: Feature) -> str:
    return f"| `{feature.name}` | {UNITS[feature.unit]} | {feature.meaning} |"


def _yaml(value: object, indent: str = "") -> str:
    """Block YAML whose scalars are JSON, which is YAML too."""
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{_plain(key)}:{_below(held, indent)}" for key, held in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}-{_below(held, indent)}" for held in value)
    return f"{indent}{json.dumps(value, ensure_ascii=False)}\n"


def _below(value: object, indent: str) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + _yaml(value, indent + "  ")
    return f" {json.dumps(value, ensure_ascii=False)}\n"


def _plain(key: str) -> str:
    return key if key.replace("_", "").isalpha() else json.dumps(key)
