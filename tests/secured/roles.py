"""Who does what in Kafka, and the rights that docs/security.md gives each: its table, and its commands to type."""

import re
import shlex
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from commands import rights
from streams.broker.rights import Right, worker_rights
from streams.broker.topics import topics_read
from streams.ops.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
MARKETING_GROUP = "marketing"
ENDPOINT = "crm"
KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional id": ResourceType.TRANSACTIONAL_ID}


def roles(settings: Settings) -> dict[str, list[Right]]:
    """By what somebody does, in the words of the page."""
    topics = topics_read(settings)
    return {
        "core banking": [*rights.writing(topics[0]), *rights.writing(topics[2])],
        "marketing": [
            Right("Read", "topic", settings.topic_alerts),
            Right("Read", "group", MARKETING_GROUP),
            *rights.writing(topics[1]),
        ],
        "tracker worker": worker_rights(settings),
        "tracker topics create": rights.making_topics(settings),
        "tracker offers": rights.offers(settings),
        "tracker publish": [right for topic in topics for right in rights.writing(topic)],
        "tracker alerts": rights.reading(settings, settings.topic_alerts),
        "tracker dead-letters list": rights.listing_letters(settings),
        "tracker dead-letters replay": rights.replaying_letters(settings),
        "tracker serve": rights.serving(settings),
        "tracker webhooks run": rights.webhooks(settings, ENDPOINT),
        "tracker webhooks replay": rights.replaying_webhooks(settings, ENDPOINT),
        "tracker verify": rights.verifying(settings),
        "tracker train, backtest": rights.learning(settings),
    }


def table() -> dict[str, set[Right]]:
    """The page's table, by its first column."""
    found: dict[str, set[Right]] = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("| ").split("|")]
        if len(cells) == 5 and cells[1] in ("topic", "group", "transactional id"):
            who, resource, names, operations, _ = cells
            for name in names.split(", "):
                for operation in operations.split(", "):
                    right = Right(operation, resource, name.removesuffix("*"), name.endswith("*"))  # type: ignore[arg-type]
                    found.setdefault(who, set()).add(right)
    return found


def typed() -> dict[str, set[Right]]:
    """The page's commands, by their principal: what `kafka-acls --add` makes of each."""
    found: dict[str, set[Right]] = {}
    text = re.sub(r"\\\n\s*", " ", PAGE.read_text("utf-8"))
    for line in re.findall(r"^kafka-acls .*--add .*$", text, re.MULTILINE):
        words = shlex.split(line)
        given: dict[str, list[str]] = {}
        for option, value in pairwise(words):
            given.setdefault(option, []).append(value)
        prefix = given.get("--resource-pattern-type") == ["prefixed"]
        for resource in KINDS:
            for name in given.get(f"--{resource.replace(' ', '-')}", []):
                for operation in given["--operation"]:
                    right = Right(operation, resource, name, prefix)  # type: ignore[arg-type]
                    found.setdefault(given["--allow-principal"][0], set()).add(right)
    return found


def bindings(user: str, given: Iterable[Right]) -> list[AclBinding]:
    """The ACLs that give a user these rights."""
    return [
        AclBinding(
            KINDS[right.resource],
            right.name,
            ResourcePatternType.PREFIXED if right.prefix else ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", right.operation).upper()],
            AclPermissionType.ALLOW,
        )
        for right in given
    ]
