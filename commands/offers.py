"""`tracker offers`: the catalogue that the next best offer is chosen from."""

from pathlib import Path
from typing import Annotated

import msgspec
import orjson
import typer

from commands.console import Failure, out, print_json, settings_with
from commands.kafka import consumer, from_the_start, partitions, producer, to_the_end
from handlers.catalog import CatalogError, read_catalog
from schemas.offer import Offer
from streams.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The catalogue of offers.")

SHIPPED = Path(__file__).with_name("offers.toml")

File = Annotated[Path, typer.Argument(help="Catalogue: TOML with an [[offer]] for each offer.")]


@app.command("check")
def check(
    file: File, as_json: Annotated[bool, typer.Option("--json", help="The offers as lines of JSON.")] = False
) -> None:
    """Check a catalogue file, and show what is in it."""
    for offer in catalogue(file):
        if as_json:
            print_json(msgspec.to_builtins(offer))
        else:
            out.print(f"[green]{offer.offer_id}[/]: {offer.product}, on {', '.join(offer.when)}", end="")
            out.print(f", {len(offer.conditions)} conditions, value {offer.value_minor:,}")


@app.command("publish")
def publish(file: File) -> None:
    """Make the file the catalogue that every worker uses; offers that are not in it are withdrawn."""
    settings = settings_with("kafka_bootstrap_servers")
    offers = catalogue(file)
    withdrawn = publish_offers(settings, offers)
    out.print(f"{len(offers)} offers published to {settings.topic_offers}, {len(withdrawn)} withdrawn")


def catalogue(file: Path) -> tuple[Offer, ...]:
    """The offers of a file. Raises Failure with a line for each mistake, OSError."""
    try:
        return read_catalog(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: is not UTF-8 text") from error
    except CatalogError as error:
        raise Failure("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from error


def publish_offers(settings: Settings, offers: tuple[Offer, ...]) -> list[str]:
    """Publishes the offers and withdraws all others; returns the ids of the withdrawn.

    Raises Failure if there is no such topic or the broker did not take an offer, KafkaException if there is no broker.
    """
    refused: list[str] = []
    sender = producer(settings, on_delivery=lambda error, _: refused.append(str(error)) if error else None)
    standing: set[str] = set()
    reader = consumer(settings)
    try:
        starts = from_the_start(partitions(reader, settings.topic_offers))
        for message in to_the_end(reader, settings.topic_offers, starts):
            key = (message.key() or b"").decode("utf-8", "replace")
            (standing.add if message.value() else standing.discard)(key)
    finally:
        reader.close()
    withdrawn = sorted(standing - {offer.offer_id for offer in offers} - {""})
    for offer in offers:
        sender.produce(settings.topic_offers, key=offer.offer_id, value=orjson.dumps(msgspec.to_builtins(offer)))
    for offer_id in withdrawn:
        sender.produce(settings.topic_offers, key=offer_id, value=None)
    sender.flush()
    if refused:
        raise Failure(f"{len(refused)} offers were not taken: {refused[0]}; publish the file again")
    return withdrawn
