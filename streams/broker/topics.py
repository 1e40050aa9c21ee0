"""Names that the worker gives in Kafka, and what it needs there."""

from handlers.intake.inputs import INPUTS
from streams.ops.settings import Settings


class Topics(tuple[str, ...]):
    """What a partition is made of: one partition, of the same number, of each. In the order of INPUTS."""

    __slots__ = ()

    @property
    def transactions(self) -> str:
        return self[0]


def topics_read(settings: Settings) -> Topics:
    """As the settings call them."""
    return Topics(map(settings.topic_of, INPUTS))


def faust_id(settings: Settings) -> str:
    """Faust's consumer group. The loop has its own, group_id: members of one group must agree on an assignor."""
    return f"{settings.group_id}-faust"


def reader_group(settings: Settings) -> str:
    """Named by clients that read topics outside any group: librdkafka has none without a name."""
    return f"{settings.group_id}-reader"


def letters_group(settings: Settings) -> str:
    """Where it is kept which dead letters have been replayed; the transactional id of whoever does it, too."""
    return f"{settings.group_id}-dead-letters"


def webhook_group(settings: Settings, endpoint: str) -> str:
    """Whose offsets say which alerts an endpoint of webhooks has taken."""
    return f"{settings.group_id}-webhook-{endpoint}"


def webhook_letters_group(settings: Settings, endpoint: str) -> str:
    """Whose offsets say which of an endpoint's dead letters have been sent again."""
    return f"{webhook_group(settings, endpoint)}-dead-letters"


def offers_changelog(settings: Settings) -> str:
    """The compacted topic in which Faust keeps the offers that were accepted, for every worker to read."""
    return f"{faust_id(settings)}-offers-changelog"


def needed_topics(settings: Settings) -> dict[str, int | None]:
    """By topic, how many partitions it must have; None where any number will do (but see topics_read)."""
    return {
        **dict.fromkeys(topics_read(settings)),
        settings.topic_alerts: None,
        settings.topic_dead_letters: None,
        settings.topic_offers: 1,
        offers_changelog(settings): 1,
    }
