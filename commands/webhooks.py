"""`tracker webhooks`: alerts by HTTP, for tools that can't read Kafka."""

import asyncio
import logging
import secrets
import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from confluent_kafka import Consumer, Message, TopicPartition
from prometheus_client import start_http_server

from commands import rights
from commands.console import Failure, out, settings_with
from commands.kafka import acknowledged, consumer, to_the_end
from serving.webhooks.courier import Courier, Gone
from serving.webhooks.delivery import deliver
from serving.webhooks.endpoints import SECRET_PREFIX, Endpoint, EndpointError, read_endpoints
from serving.webhooks.heads import headed
from serving.webhooks.letters import Letters, endpoint_of
from serving.webhooks.numbers import Numbers
from streams.broker.topics import webhook_letters_group
from streams.ops.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Alerts by HTTP, for tools that can't read Kafka.")

SECRET_BYTES = 32

File = Annotated[Path, typer.Argument(help="TOML file of [[endpoint]]s; docs/webhooks.md says what stands in it.")]


@app.command("run")
def run(
    file: File,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Serve /metrics there, on all addresses.")] = None,
) -> None:
    """Deliver every alert to the endpoints of the file, until stopped. Start it twice and the second stands by.

    Ends with 1 once every endpoint has answered 410: they want no more.
    """
    settings, endpoints = settings_with("kafka_bootstrap_servers"), _endpoints(file)
    rights.require(settings, [right for each in endpoints for right in rights.webhooks(settings, each.name)])
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING)
    numbers = Numbers([endpoint.name for endpoint in endpoints])
    if port is not None:
        start_http_server(port, registry=numbers.registry)
    if not asyncio.run(_deliver(settings, endpoints, numbers)):
        raise Failure("Every endpoint has answered 410; take them out of the file, or ask their owners")


@app.command("check")
def check(file: File) -> None:
    """Say what is wrong with the file or its secrets; send nothing."""
    for endpoint in _endpoints(file):
        described = endpoint.described
        out.print(f"{endpoint.name}: {', '.join(described.kinds)} to {described.url}", markup=False)


@app.command("secret")
def secret() -> None:
    """Make a secret for a `secret_file`; its receiver needs the same."""
    out.print(SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode(), markup=False)


@app.command("replay")
def replay(file: File, name: Annotated[str, typer.Argument(help="Whose dead letters.")]) -> None:
    """Send an endpoint its dead letters again, oldest first in each partition.

    Each goes once; ends with 1 at the first that is not taken, which is then the first of the next time.
    """
    settings = settings_with("kafka_bootstrap_servers")
    endpoint = next((each for each in _endpoints(file) if each.name == name), None)
    if endpoint is None:
        raise Failure(f"{file} has no endpoint {name}")
    rights.require(settings, rights.replaying_webhooks(settings, name))
    reader = consumer(settings, webhook_letters_group(settings, name))
    try:
        sent, said = asyncio.run(_send_again(settings, endpoint, reader))
    finally:
        reader.close()
    out.print(f"{sent:,} alerts sent again to {name}")
    if said is not None:
        raise Failure(f"The next was not taken: {said}. Run this again once {name} takes alerts")


def _endpoints(file: Path) -> list[Endpoint]:
    try:
        return read_endpoints(file)
    except EndpointError as error:
        raise Failure("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from error


async def _deliver(settings: Settings, endpoints: list[Endpoint], numbers: Numbers) -> bool:
    """Until SIGINT or SIGTERM: True. False once all are gone. Raises KafkaException of any of them."""
    letters = Letters(settings)
    couriers = [Courier(settings, endpoint, letters, numbers) for endpoint in endpoints]
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        for courier in couriers:
            courier.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)

    async def until_gone(courier: Courier, endpoint: Endpoint) -> None:
        try:
            await courier.run()
        except Gone:
            numbers.gone(endpoint.name)
            logging.getLogger("tracker.webhooks").error("%s: is gone (410): nothing more is sent there", endpoint.name)
        except BaseException:
            stop()
            raise

    for courier in couriers:
        await asyncio.to_thread(courier.begin)
    out.print(f"delivering to {', '.join(endpoint.name for endpoint in endpoints)}")
    results = await asyncio.gather(
        *(until_gone(courier, endpoint) for courier, endpoint in zip(couriers, endpoints, strict=True)),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return stopped.is_set()


async def _send_again(settings: Settings, endpoint: Endpoint, reader: Consumer) -> tuple[int, str | None]:
    """How many were taken, and what was answered to one that was not."""
    sent = 0
    async with aiohttp.ClientSession() as http:
        for message in _waiting(settings, endpoint, reader):
            answer = await deliver(http, endpoint, headed(message), message.value() or b"")
            if answer.kind != "taken":
                return sent, answer.said
            sent += 1
            after = TopicPartition(
                settings.topic_webhook_letters, message.partition() or 0, (message.offset() or 0) + 1
            )
            reader.commit(offsets=[after], asynchronous=False)
    return sent, None


def _waiting(settings: Settings, endpoint: Endpoint, reader: Consumer) -> Iterator[Message]:
    """The endpoint's letters that have not been sent again."""
    topic = settings.topic_webhook_letters
    messages = to_the_end(reader, topic, acknowledged(reader, topic))
    return (message for message in messages if endpoint_of(message) == endpoint.name)
