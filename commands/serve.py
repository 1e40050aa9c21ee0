"""`tracker serve`: the API and the console."""

import logging
import socket

import typer

from commands import rights
from commands.console import Failure, settings_with
from streams.ops.settings import Settings

KEEP_ALIVE_SECONDS = 75
STOP_SECONDS_MAX = 3


def serve() -> None:
    """Answer people and programs: the console and the API over customers, alerts, offers and how it all runs.

    Reads Redis and the topics, and changes nothing in Redis: outcomes and switches go through topics, as everything
    else. Start as many as you like, beside any number of workers. Without TRACKER_SERVE_KEYS_FILE it listens on
    loopback only and asks for no key. Needs TRACKER_KAFKA_BOOTSTRAP_SERVERS and TRACKER_REDIS_URL.
    """
    settings = settings_with("kafka_bootstrap_servers", "redis_url")
    rights.require(settings, rights.serving(settings))
    import uvicorn  # much that no other command needs, as the next

    from serving.access import AccessError
    from serving.app import application
    from serving.feed import FeedError
    from serving.parts import Parts

    try:
        parts = Parts.built(settings)
    except AccessError as error:
        file = settings.serve_keys_file
        raise Failure("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from error
    except FeedError as error:
        raise Failure(str(error)) from error
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING)
    listening = _listening(settings)
    typer.echo(f"ready {address_of(settings, listening)}")
    uvicorn.Server(
        uvicorn.Config(
            application(parts),
            access_log=False,  # an address may name a customer
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
            ssl_certfile=settings.serve_ssl_certificate_location,
            ssl_keyfile=settings.serve_ssl_key_location,
        )
    ).run([listening])


def address_of(settings: Settings, listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    scheme = "http" if settings.serve_ssl_certificate_location is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _listening(settings: Settings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.serve_host, settings.serve_port),
            family=socket.AF_INET6 if ":" in settings.serve_host else socket.AF_INET,
            backlog=2_048,
        )
    except OSError as error:
        address = f"{settings.serve_host}:{settings.serve_port}"
        raise Failure(f"{address} can't be listened on: {error.strerror}; set TRACKER_SERVE_PORT") from error
