"""Names that the worker gives in Kafka, and what it needs there."""

from streams.settings import Settings


def faust_id(settings: Settings) -> str:
    """Faust's consumer group. The loop has its own, group_id: members of one group must agree on an assignor."""
    return f"{settings.group_id}-faust"


def offers_changelog(settings: Settings) -> str:
    """The compacted topic in which Faust keeps the offers that were accepted, for every worker to read."""
    return f"{faust_id(settings)}-offers-changelog"


def needed_topics(settings: Settings) -> dict[str, int | None]:
    """By topic, how many partitions it must have; None where any number will do."""
    return {
        settings.topic_transactions: None,
        settings.topic_alerts: None,
        settings.topic_dead_letters: None,
        settings.topic_offers: 1,
        offers_changelog(settings): 1,
    }
