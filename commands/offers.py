"""`tracker offers`: the catalogue that the next best offer is chosen from."""

from pathlib import Path
from typing import Annotated

import msgspec
import orjson
import typer

from commands import rights
from commands.console import Failure, out, print_json, settings_with
from commands.kafka import consumer, from_the_start, partitions, producer, to_the_end
from handlers.offers.catalog import CatalogError, Catalogue, catalogue_of, read_catalog, record_mistake
from handlers.offers.conditions import groups
from schemas.alert import Kind
from schemas.policy import POLICY_KEY
from serving.operations import SwitchTo, switched
from streams.ops.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The catalogue of offers.")

SHIPPED = Path(__file__).with_name("offers.toml")


File = Annotated[Path, typer.Argument(help="Catalogue: TOML with an [[offer]] for each offer.")]


@app.command("check")
def check(
    file: File, as_json: Annotated[bool, typer.Option("--json", help="The offers as lines of JSON.")] = False
) -> None:
    """Check a catalogue file, and show what is in it."""
    contents = catalogue(file)
    for offer in contents.offers:
        if as_json:
            print_json(msgspec.to_builtins(offer))
            continue
        moments = [*offer.when, "churn_risk"] if offer.retention else offer.when
        conditions = sum(len(group) for _, group in groups(offer))
        out.print(f"[green]{offer.offer_id}[/]: {offer.product} by {offer.channel}, on {', '.join(moments)}", end="")
        out.print(f", {conditions} conditions, value {offer.value_minor:,} - {offer.cost_minor:,}")
    if not as_json:
        out.print(f"[green]policy[/]: {orjson.dumps(msgspec.to_builtins(contents.policy)).decode()}", markup=False)


@app.command("publish")
def publish(file: File) -> None:
    """Make the file the catalogue and policy that every worker uses; offers that are not in it are withdrawn."""
    settings = settings_with("kafka_bootstrap_servers")
    new_catalogue = catalogue(file)
    rights.require(settings, rights.offers(settings))
    withdrawn = publish_offers(settings, new_catalogue)
    out.print(f"{len(new_catalogue.offers)} offers published to {settings.topic_offers}, {len(withdrawn)} withdrawn")


@app.command("switch")
def switch(
    kind: Annotated[Kind, typer.Argument(help="Which alerts.")],
    to: Annotated[SwitchTo, typer.Argument(help="dry-run decides and records, but sends nothing.")],
) -> None:
    """Switch a kind of alerts on, off or to a dry run, in every worker at once."""
    settings = settings_with("kafka_bootstrap_servers")
    rights.require(settings, rights.offers(settings))
    standing = {key.encode(): value for key, value in _standing(settings).items() if key == POLICY_KEY}
    if mistake := next((record_mistake(*record) for record in standing.items()), None):
        raise Failure(f"The policy in {settings.topic_offers} is not good: {mistake}; publish a catalogue first")
    policy = catalogue_of(standing).policy
    policy = switched(policy, kind, to)
    _send(settings, {POLICY_KEY: orjson.dumps(msgspec.to_builtins(policy))})
    out.print(f"{kind}: {to}")


def catalogue(file: Path) -> Catalogue:
    """The catalogue in a file. Raises Failure with a line for each mistake, OSError."""
    try:
        return read_catalog(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: is not UTF-8 text") from error
    except CatalogError as error:
        raise Failure("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from error


def publish_offers(settings: Settings, new_catalogue: Catalogue) -> list[str]:
    """Publishes offers and policy and withdraws all other offers; returns the ids of the withdrawn.

    Raises Failure if there is no such topic or the broker did not take a record, KafkaException if there is no broker.
    """
    records: dict[str, bytes | None] = {
        offer.offer_id: orjson.dumps(msgspec.to_builtins(offer)) for offer in new_catalogue.offers
    }
    records[POLICY_KEY] = orjson.dumps(msgspec.to_builtins(new_catalogue.policy))
    withdrawn = sorted(_standing(settings).keys() - records.keys() - {""})
    _send(settings, records | dict.fromkeys(withdrawn))
    return withdrawn


def standing_offers(settings: Settings) -> Catalogue:
    """The offers and the policy that every worker uses: what in the topic is not good is left out."""
    records = {key.encode(): value for key, value in _standing(settings).items()}
    return catalogue_of({key: value for key, value in records.items() if record_mistake(key, value) is None})


def _standing(settings: Settings) -> dict[str, bytes]:
    """What the topic holds, by key."""
    standing: dict[str, bytes] = {}
    reader = consumer(settings)
    try:
        starts = from_the_start(partitions(reader, settings.topic_offers))
        for message in to_the_end(reader, settings.topic_offers, starts):
            key, value = (message.key() or b"").decode("utf-8", "replace"), message.value()
            if value:
                standing[key] = value
            else:
                standing.pop(key, None)
    finally:
        reader.close()
    return standing


def _send(settings: Settings, records: dict[str, bytes | None]) -> None:
    refused: list[str] = []
    sender = producer(settings, on_delivery=lambda error, _: refused.append(str(error)) if error else None)
    for key, value in records.items():
        sender.produce(settings.topic_offers, key=key, value=value)
    sender.flush()
    if refused:
        raise Failure(f"{len(refused)} records were not taken: {refused[0]}; publish again")
