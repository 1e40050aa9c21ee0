"""Which rights somebody needs in Kafka, and which of them are missing.

Kafka answers a client what it may do with a topic or a group, so that a missing right is named before anything is lost
for the lack of it, and with it the user who lacks it. Of transactional ids it says nothing until one is used.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined]

from streams.broker.clients import kafka_client
from streams.broker.topics import faust_id, offers_changelog, reader_group, topics_read
from streams.ops.retry import Retry
from streams.ops.settings import Settings

Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs"]
Resource = Literal["topic", "group", "transactional id"]

ANSWER_SECONDS_MAX = 5.0
_GROUP_SECONDS_MAX = 20.0
"""A new broker makes the topic in which it keeps groups when it is first asked about one."""

_NO_LIMIT_SECONDS = 3_600
"""The longest that librdkafka takes."""

_PAGE = "docs/security.md lists the rights that are needed"
_REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_ALERT = "SSL alert number"
"""In librdkafka's words when a broker ends the connection over the certificate, or for want of one."""

_SETTLING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
"""What a broker says for a moment when it has just been given a group to keep."""


class Right(NamedTuple):
    """What somebody must be allowed. Read and Write bring Describe with them."""

    operation: Operation
    resource: Resource
    name: str
    prefix: bool = False
    """Whether it is a right to every name that starts so."""

    @property
    def words(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.prefix else ''}"


class MissingRights(Exception):
    """The text says who lacks which right on what."""


def worker_rights(settings: Settings) -> list[Right]:
    """Everything that a worker does in Kafka, what it does only after a loss included."""
    read: list[Right] = [Right("Read", "topic", topic) for topic in topics_read(settings)]
    outbound = settings.topic_alerts, settings.topic_dead_letters
    # What is on the outbound topics is read back after the store has gone back.
    read += [Right("Read", "topic", topic) for topic in (*outbound, settings.topic_offers, offers_changelog(settings))]
    return [
        *read,
        *(Right("Write", "topic", topic) for topic in (*outbound, offers_changelog(settings))),
        Right("Read", "group", settings.group_id),
        Right("Read", "group", faust_id(settings)),
        Right("Describe", "group", reader_group(settings)),
        Right("Write", "transactional id", f"{settings.group_id}-", prefix=True),
    ]


class Rights:
    """Asks with a client of its own, made when it is first needed. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: AdminClient | None = None
        self._heard: list[KafkaError] = []
        self._asked_of: dict[str, Future[Any]] = {}
        """Groups, and answers about them that have not come in time."""

    def require(self, needed: Iterable[Right]) -> None:
        """Raises MissingRights with all that are missing, KafkaException if the brokers can't be asked."""
        lacking = self.missing(needed)
        if lacking:
            raise MissingRights(lack(self._settings, lacking))

    def missing(self, needed: Iterable[Right]) -> list[Right]:
        """Those that the settings' user lacks; none where the brokers know of no rights. Raises KafkaException."""
        if self._admin is None:
            self._admin = AdminClient(kafka_client(self._settings, self._heard.append))
        self._heard.clear()
        try:
            return self._asked(self._admin, list(needed))
        except KafkaException:
            # That nobody answered is all that a call itself knows of a wrong password.
            self._admin.poll(0)
            for error in self._heard:
                if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
                    raise KafkaException(error) from None
                if _ALERT in error.str():
                    raise KafkaException(KafkaError(KafkaError._SSL, error.str())) from None
            raise

    def _asked(self, admin: AdminClient, needed: list[Right]) -> list[Right]:
        groups = sorted({right.name for right in needed if right.resource == "group"})
        topics = sorted({right.name for right in needed if right.resource == "topic"})
        allowed: dict[tuple[Resource, str], frozenset[str]] = {}
        if not groups and not _has_groups(admin):
            return []
        for name in groups:
            operations = self._of_group(admin, name)
            if operations is None:
                return []
            allowed["group", name] = operations
        allowed |= {("topic", name): found for name, found in _of_topics(admin, topics).items()}
        return [right for right in needed if right.operation not in allowed.get(right[1:3], right.operation)]

    def _of_group(self, admin: AdminClient, name: str) -> frozenset[str] | None:
        """None if the broker has no answer to such a question.

        librdkafka 2.16 ends the process when this question times out while the group has no coordinator. So it is asked
        without a limit of the library's, and an answer that has not come is waited for again the next time.
        """
        retry = Retry("asking about a group", ANSWER_SECONDS_MAX)
        while True:
            future = self._asked_of.pop(name, None)
            if future is None:
                (future,) = admin.describe_consumer_groups(
                    [name], include_authorized_operations=True, request_timeout=_NO_LIMIT_SECONDS
                ).values()
            try:
                return _names(future.result(_GROUP_SECONDS_MAX).authorized_operations)
            except TimeoutError:
                self._asked_of[name] = future
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer about group {name}")) from None
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError._UNSUPPORTED_FEATURE:
                    return None
                if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    return frozenset()
                if code not in _SETTLING:
                    raise
                retry.pause(error)


def lack(settings: Settings, rights: Sequence[Right]) -> str:
    """The sentence about missing rights."""
    return f"{user_of(settings)} lacks {', '.join(right.words for right in rights)}; {_PAGE}"


def explained(settings: Settings, error: Exception) -> str:
    """What went wrong for a worker; with the right that was missing, where only its use shows that."""
    if isinstance(error, KafkaException):
        match error.args[0].code():
            case KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                return lack(
                    settings, [right for right in worker_rights(settings) if right.resource == "transactional id"]
                )
            case KafkaError.GROUP_AUTHORIZATION_FAILED:
                return lack(settings, [Right("Read", "group", settings.group_id)])
    return str(error)


def user_of(settings: Settings) -> str:
    """The principal that an ACL must name, as far as this side knows it."""
    if settings.kafka_security_protocol.startswith("sasl"):
        return f"User:{settings.kafka_sasl_username}"
    if settings.kafka_ssl_certificate_location is not None:
        return f"the user of the certificate {settings.kafka_ssl_certificate_location}"
    return "User:ANONYMOUS"


def is_refusal(error: KafkaError) -> bool:
    """Whether a right was missing."""
    return error.code() in _REFUSED


def _has_groups(admin: AdminClient) -> bool:
    """Whether the broker has answers to questions about groups, and so about rights: the embedded one has not."""
    found = admin.list_consumer_groups(request_timeout=ANSWER_SECONDS_MAX).result()
    return all(error.code() != KafkaError._UNSUPPORTED_FEATURE for error in found.errors)


def _of_topics(admin: AdminClient, names: list[str]) -> dict[str, frozenset[str]]:
    """By topic, but not of those that do not exist."""
    if not names:
        return {}
    asked = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=ANSWER_SECONDS_MAX
    )
    found = {}
    for name, future in asked.items():
        try:
            found[name] = _names(future.result().authorized_operations)
        except KafkaException as error:
            match error.args[0].code():
                case KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    found[name] = frozenset[str]()
                case KafkaError.UNKNOWN_TOPIC_OR_PART:
                    pass
                case _:
                    raise
    return found


def _names(operations: Iterable[AclOperation] | None) -> frozenset[str]:
    """As `kafka-acls` writes them: DESCRIBE_CONFIGS is DescribeConfigs."""
    return frozenset(each.name.title().replace("_", "") for each in operations or ())
