"""`tracker topics create`: the topics with the properties that the program relies on."""

from typing import Annotated, NamedTuple

import typer
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from commands import rights
from commands.console import Failure, out, print_json, settings_with
from commands.kafka import ANSWER_SECONDS_MAX, admin
from handlers.intake.inputs import INPUTS
from streams.broker.clients import RECORD_BYTES_MAX
from streams.broker.rights import Right, is_refusal, lack
from streams.broker.topics import offers_changelog
from streams.ops.retry import Retry
from streams.ops.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The topics in Kafka.")


@app.callback()
def _group() -> None:
    """Keeps `create` a word of its own while it is the only one."""


@app.command("create")
def create(as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each topic.")] = False) -> None:
    """Make the topics that are missing, and report where existing ones differ from what is needed.

    Ends with 1 if any differs; existing topics are never changed.
    """
    settings = settings_with("kafka_bootstrap_servers")
    differences_by_topic = make_topics(settings)
    for name, differences in differences_by_topic.items():
        if as_json:
            print_json({"topic": name, "created": differences is None, "differences": differences or []})
        elif differences is None:
            out.print(f"[green]made[/]     {name}")
        elif not differences:
            out.print(f"[green]is right[/] {name}")
        for difference in [] if as_json else differences or []:
            out.print(f"[red]differs[/]  {name}: {difference}")
    if any(differences_by_topic.values()):
        raise typer.Exit(1)


def make_topics(settings: Settings) -> dict[str, list[str] | None]:
    """Makes what is missing. By topic: None if made, else how the existing one differs. Raises Failure for rights
    that are missing, KafkaException."""
    rights.require(settings, rights.comparing_topics(settings))
    client = admin(settings)
    existing = client.list_topics(timeout=ANSWER_SECONDS_MAX).topics
    wanted = wanted_topics(settings)
    missing = [
        NewTopic(topic.name, topic.partitions, settings.replication_factor, config=topic.config)
        for topic in wanted
        if topic.name not in existing
    ]
    if missing:
        _make(client, missing, settings)
        _until_known(client, {topic.topic for topic in missing})
    return {
        topic.name: _differences(client, topic, len(existing[topic.name].partitions))
        if topic.name in existing
        else None
        for topic in wanted
    }


def _make(client: AdminClient, missing: list[NewTopic], settings: Settings) -> None:
    """Raises Failure with all that may not be made, KafkaException."""
    refused = []
    for name, future in client.create_topics(missing, request_timeout=ANSWER_SECONDS_MAX).items():
        try:
            future.result()
        except KafkaException as error:
            if not is_refusal(error.args[0]):
                raise
            refused.append(Right("Create", "topic", name))
    if refused:
        raise Failure(lack(settings, refused))


def _until_known(client: AdminClient, names: set[str]) -> None:
    """Kafka has made them; its brokers hear of that, and of who leads each partition, a moment later."""
    retry = Retry("waiting for new topics", ANSWER_SECONDS_MAX)
    while True:
        known = client.list_topics(timeout=ANSWER_SECONDS_MAX).topics
        led = {n for n in names & known.keys() if all(p.leader >= 0 for p in known[n].partitions.values())}
        if led == names:
            return
        try:
            retry.pause(TimeoutError())
        except TimeoutError:
            raise Failure(f"Kafka has made {', '.join(sorted(names - led))}, but no broker leads it yet") from None


class Topic(NamedTuple):
    """A topic as it should be; `config` holds Kafka's own names."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted_topics(settings: Settings) -> list[Topic]:
    """Every topic, the one that Faust keeps its table of offers in included."""
    large = {"max.message.bytes": str(RECORD_BYTES_MAX)}
    compacted = {"cleanup.policy": "compact"}
    return [
        *(Topic(settings.topic_of(one), settings.partitions, large if one.large else {}) for one in INPUTS),
        Topic(settings.topic_alerts, settings.partitions, {}),
        Topic(settings.topic_dead_letters, settings.partitions, large),
        Topic(settings.topic_webhook_letters, 1, {}),
        Topic(settings.topic_audit, 1, {}),
        Topic(settings.topic_offers, 1, compacted),
        Topic(offers_changelog(settings), 1, compacted),
    ]


def _differences(client: AdminClient, topic: Topic, partitions: int) -> list[str]:
    differences = []
    if partitions != topic.partitions:
        differences.append(f"has {partitions} partitions, not {topic.partitions}")
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    (future,) = client.describe_configs([resource], request_timeout=ANSWER_SECONDS_MAX).values()
    entries = future.result()
    for name, wanted in topic.config.items():
        value = entries[name].value if name in entries else None
        if name == "max.message.bytes" and value is not None and int(value) >= int(wanted):
            continue
        if value != wanted:
            differences.append(f"{name} is {value}, not {wanted}")
    return differences
