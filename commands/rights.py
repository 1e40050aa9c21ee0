"""What each command needs to be allowed in Kafka, asked for before it does anything.

docs/security.md has the same as a table; a test compares the two.
"""

from collections.abc import Iterable

from commands.console import Failure
from handlers.intake.inputs import CUSTOMER_EVENTS, OUTCOMES
from streams.broker.rights import MissingRights, Right, Rights
from streams.broker.topics import (
    letters_group,
    offers_changelog,
    reader_group,
    topics_read,
    webhook_group,
    webhook_letters_group,
)
from streams.ops.settings import Settings


def require(settings: Settings, needed: Iterable[Right]) -> None:
    """Raises Failure with all that are missing, KafkaException if there is no broker to ask."""
    try:
        Rights(settings).require(needed)
    except MissingRights as error:
        raise Failure(str(error)) from error


def reading(settings: Settings, *topics: str) -> list[Right]:
    """Topics from their start to their end, outside any group."""
    return [*(Right("Read", "topic", topic) for topic in topics), Right("Describe", "group", reader_group(settings))]


def writing(topic: str) -> list[Right]:
    """Records into one topic."""
    return [Right("Write", "topic", topic)]


def offers(settings: Settings) -> list[Right]:
    """`tracker offers publish` and `switch`: what is in the topic decides what is withdrawn."""
    return reading(settings, settings.topic_offers) + writing(settings.topic_offers)


def verifying(settings: Settings) -> list[Right]:
    """`tracker verify`."""
    return reading(settings, *topics_read(settings))


def learning(settings: Settings) -> list[Right]:
    """`tracker train` and `tracker backtest` on the topics."""
    return reading(settings, settings.topic_transactions, settings.topic_of(CUSTOMER_EVENTS))


def listing_letters(settings: Settings) -> list[Right]:
    """`tracker dead-letters list`."""
    return [
        Right("Read", "topic", settings.topic_dead_letters),
        Right("Describe", "group", letters_group(settings)),
    ]


def replaying_letters(settings: Settings) -> list[Right]:
    """`tracker dead-letters replay`, of letters from whichever topic."""
    return [
        Right("Read", "topic", settings.topic_dead_letters),
        *(Right("Write", "topic", topic) for topic in topics_read(settings)),
        Right("Read", "group", letters_group(settings)),
        Right("Write", "transactional id", letters_group(settings)),
    ]


def serving(settings: Settings) -> list[Right]:
    """`tracker serve`: what it shows, and what people record and switch through it."""
    outcomes = settings.topic_of(OUTCOMES)
    shown = settings.topic_alerts, outcomes, settings.topic_offers, settings.topic_dead_letters
    changed = outcomes, settings.topic_offers, settings.topic_audit
    return [
        *reading(settings, *shown),
        *(right for topic in changed for right in writing(topic)),
        Right("Describe", "topic", settings.topic_transactions),
        Right("Describe", "group", settings.group_id),
        Right("Describe", "group", letters_group(settings)),
    ]


def webhooks(settings: Settings, endpoint: str) -> list[Right]:
    """`tracker webhooks run`, for each endpoint."""
    return [
        Right("Read", "topic", settings.topic_alerts),
        Right("Write", "topic", settings.topic_webhook_letters),
        Right("Read", "group", webhook_group(settings, endpoint)),
    ]


def replaying_webhooks(settings: Settings, endpoint: str) -> list[Right]:
    """`tracker webhooks replay`."""
    return [
        Right("Read", "topic", settings.topic_webhook_letters),
        Right("Read", "group", webhook_letters_group(settings, endpoint)),
    ]


def comparing_topics(settings: Settings) -> list[Right]:
    """`tracker topics create` where all topics are there."""
    return [
        Right(operation, "topic", topic)
        for topic in all_topics(settings)
        for operation in ("Describe", "DescribeConfigs")
    ]


def making_topics(settings: Settings) -> list[Right]:
    """`tracker topics create` where some are missing."""
    return [Right("Create", "topic", topic) for topic in all_topics(settings)] + comparing_topics(settings)


def all_topics(settings: Settings) -> list[str]:
    """Every topic, the one that Faust keeps its table of offers in included."""
    written = settings.topic_alerts, settings.topic_dead_letters, settings.topic_webhook_letters, settings.topic_audit
    return [*topics_read(settings), *written, settings.topic_offers, offers_changelog(settings)]
