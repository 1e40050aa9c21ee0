"""`tracker settings`: what can be set, what is set, and where from; docs/settings.md is the same without values."""

import os
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from commands.console import out, print_json
from streams.ops.settings import SECRETS, Settings, load_settings, variable

SECTIONS: dict[str, str | tuple[str, ...]] = {
    "Kafka": "kafka_",
    "Redis": "redis_",
    "Group and topics": ("group_id", "instance_id", "topic_", "partitions", "replication_factor"),
    "Money, time and churn": ("base_currency", "rates_file", "clock", "churn_", "control_key"),
    "Limits": ("poll_", "fetch_", "cache_", "poison_", "session_", "retry_"),
    "Web": "web_",
    "API and console": "serve_",
}
"""Headings, and how the names of their settings begin."""

HIDDEN = "set, not shown"


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, by setting.")] = False,
) -> None:
    """Check the settings and show each: its value, where that comes from, and what it means. Secrets are not shown."""
    given = load_settings()
    if as_json:
        print_json({variable(name): {"value": _shown(given, name), "from": _source(given, name)} for name in _names()})
        return
    for section in SECTIONS:
        out.print(f"\n[bold]{section}[/bold]")
        for name in _names(section):
            value = _shown(given, name)
            shown = "not set" if value is None else f"{value}  (from {_source(given, name)})"
            out.print(f"  {variable(name)}: {shown}", markup=False)
            out.print(f"      {Settings.model_fields[name].description}", markup=False, style="dim")


def reference() -> str:
    """The page docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made by `tracker documents` from `streams/ops/settings.py`. Each is an environment variable; or a key of the"
        " TOML file that `TRACKER_CONFIG` names, in lower case and without the prefix (`redis_url`). The environment"
        " wins. All mistakes are reported at once, at start. `tracker settings` shows what is set.",
        "",
        "A setting that may hold a secret can come from a file, for example one that a secret store mounts:"
        " `TRACKER_KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka` in the place of `TRACKER_KAFKA_SASL_PASSWORD`. The end"
        " of the file's line does not count.",
    ]
    for section in SECTIONS:
        lines += ["", f"## {section}", "", "| setting | values | default | meaning |", "|---|---|---|---|"]
        for name in _names(section):
            field = Settings.model_fields[name]
            default = str(field.default).lower() if field.annotation is bool else field.default
            shown = "" if name in SECRETS or default is None else f"`{default}`"
            lines.append(f"| `{variable(name)}` | {_values(field)} | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def _names(section: str | None = None) -> list[str]:
    starts = [SECTIONS[section]] if section else list(SECTIONS.values())
    return [name for start in starts for name in Settings.model_fields if name.startswith(start)]


def _values(field: FieldInfo) -> str:
    """What may be written."""
    limits = {name: getattr(limit, name) for limit in field.metadata for name in ("ge", "le") if hasattr(limit, name)}
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    if Path in get_args(field.annotation):
        return "a file"
    if limits:
        return f"{limits['ge']:,} to {limits['le']:,}" if "le" in limits else f"{limits['ge']:,} or more"
    return "text"


def _shown(given: Settings, name: str) -> object:
    value = getattr(given, name)
    if value is None or isinstance(value, int | float):
        return value
    if name in SECRETS:
        return None if value == Settings.model_fields[name].default else HIDDEN
    return str(value)


def _source(given: Settings, name: str) -> str:
    if name not in given.model_fields_set:
        return "file" if name in SECRETS and getattr(given, f"{name}_file") is not None else "default"
    return "environment" if any(each.upper() == variable(name) for each in os.environ) else "TRACKER_CONFIG"
