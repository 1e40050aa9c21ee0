"""`tracker alerts`: what marketing tools receive, in plain sentences."""

from typing import Annotated

import msgspec
import typer

from commands import rights
from commands.console import out, settings_with
from commands.kafka import consumer, from_the_start, partitions, to_the_end
from schemas.alert import Alert
from serving.words import sentence


def alerts(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Each alert as the line of JSON that was published.")] = False,
) -> None:
    """Show the alerts in the topic, oldest first in each partition. Reading changes nothing for anybody else."""
    settings = settings_with("kafka_bootstrap_servers")
    rights.require(settings, rights.reading(settings, settings.topic_alerts))
    reader = consumer(settings)
    try:
        starts = from_the_start(partitions(reader, settings.topic_alerts))
        for message in to_the_end(reader, settings.topic_alerts, starts, follow=follow):
            value = message.value() or b""
            if as_json:
                typer.echo(value)
                continue
            alert = msgspec.json.decode(value, type=Alert)
            out.print(f"[dim]{alert.raised_at[:16].replace('T', ' ')}[/] ", end="")
            out.print(sentence(alert), markup=False)
    except KeyboardInterrupt:
        return
    finally:
        reader.close()
